"""A run over hosts is judged, sealed and verified as if it had been one machine."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from checks.cli import main
from checks.engine.coming_home import take_home
from checks.engine.integrity import integrity
from checks.engine.judging import broke_off, judge_again, judge_now, never_began
from checks.engine.repetition import identity
from checks.engine.seal import seal
from checks.engine.series import judge_series
from checks.engine.verdict import Status, Verdict
from checks.engine.verdicts import (
    Verdicts,
    read_verdicts,
    record_verdict,
    tables_of,
    write_tables,
)
from evidence.events.hosts import PartsJudged
from evidence.events.run import ScenarioEnded
from evidence.history import read_history
from evidence.moment import NS
from tests.checks.engine.hosts import (
    arrived,
    at_home,
    come_home,
    joined,
    lines_of,
    lost,
    moved,
    rewrite,
    taken,
    written_on,
)
from tests.checks.engine.recorded import (
    SAID,
    SCENARIO,
    SEEN,
    attempt,
    capture,
    good_run,
    history,
    logged,
    started,
)
from tests.checks.engine.verdicts import BAD, GOOD

pytestmark = pytest.mark.usefixtures("own_checks")

OTHER = "scenarios/test_it.py::test_other"
SERIES = "scenarios/test_it.py::test_often"


def name(number: int, of: int = 3) -> str:
    return f"{SERIES}[{identity(number, of)}]"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Make a run over two hosts that has not begun anything."""
    at_home(tmp_path, joined("alpha"), joined("beta"))
    return tmp_path


def said(directory: Path) -> dict[str, dict[str, Verdict]]:
    return {
        requirement: dict(scenarios)
        for requirement, scenarios in read_verdicts(directory).by_requirement.items()
    }


def without_places(verdicts: dict[str, dict[str, Verdict]]) -> object:
    """Return what is said, but for where each line stands: that is another in each part."""
    return {
        (requirement, scenario): (
            one.status,
            [re.sub(r"(hosts/\w+/)?history\.jsonl:\d+", "LINE", why) for why in one.reasons],
            one.owed,
            one.discharged,
            one.late,
        )
        for requirement, scenarios in verdicts.items()
        for scenario, one in scenarios.items()
    }


@pytest.mark.parametrize("words", [("good", "good"), ("good", "bad"), ("dark", "late")])
def test_evidence_on_two_hosts_gives_the_verdicts_that_it_gives_on_one(
    run: Path, tmp_path_factory: pytest.TempPathFactory, words: tuple[str, str]
) -> None:
    whole = tmp_path_factory.mktemp("whole")
    for directory in (whole, written_on(run, "alpha")):
        attempt(directory, words[0])
    for directory in (whole, written_on(run, "beta")):
        attempt(directory, words[1], scenario=OTHER)
    come_home(run)
    assert without_places(said(run)) == without_places(said(whole))
    assert read_verdicts(run).of(SAID).status is read_verdicts(whole).of(SAID).status


def test_a_good_run_over_hosts_is_verified(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good_run(written_on(run, "alpha"))
    attempt(written_on(run, "beta"), "good", scenario=OTHER)
    at_home(run, arrived(run, "alpha", SCENARIO), arrived(run, "beta", OTHER))
    assert come_home(run).wrong == ()
    assert main(["verify", str(run)]) == 0
    told = capsys.readouterr().out
    assert f"{SEEN}  PASS, as recorded: {SCENARIO}\n" in told
    assert "evidence of hosts: alpha, beta\n" in told


def test_every_place_and_digest_names_its_part(run: Path) -> None:
    good_run(written_on(run, "beta"))
    come_home(run)
    seen = said(run)[SEEN][SCENARIO]
    assert seen.evidence == ("hosts/beta/wire/lab.pcapng",)
    assert set(seen.digests) == {"hosts/beta/history.jsonl:5", "hosts/beta/wire/lab.pcapng"}
    assert all(place.startswith("hosts/beta/") for place in said(run)[SAID][SCENARIO].evidence)


def test_repetitions_on_two_hosts_are_one_series(run: Path) -> None:
    for number, host in ((1, "alpha"), (2, "beta"), (3, "alpha")):
        attempt(written_on(run, host), "good", scenario=name(number))
    take_home(run)
    (one,) = judge_series(run)
    assert one.verdict.status is Status.PASS
    assert one.verdict.reasons[0] == "3 of 3 repetitions"
    seal(run)
    assert main(["verify", str(run)]) == 0


def test_a_repetition_that_failed_on_another_host_fails_the_series(run: Path) -> None:
    for number, host, word in ((1, "alpha", "good"), (2, "beta", "bad"), (3, "alpha", "good")):
        attempt(written_on(run, host), word, scenario=name(number))
    come_home(run)
    assert "2/3: the controller is bad" in said(run)[SAID][SERIES].reasons
    assert main(["verify", str(run)]) == 1


def test_a_series_is_judged_again_by_what_had_come_home_by_then(run: Path) -> None:
    for number, host in ((1, "alpha"), (2, "beta")):
        attempt(written_on(run, host), "good", scenario=name(number))
    take_home(run)
    (first,) = judge_series(run)
    attempt(written_on(run, "beta"), "good", scenario=name(3))
    take_home(run)
    (second,) = judge_series(run)
    again = {one.attempt: one.again for one in judge_again(run) if one.scenario == SERIES}
    assert again == {1: first.verdict, 2: second.verdict}
    assert (first.verdict.status, second.verdict.status) == (Status.UNKNOWN, Status.PASS)


def test_what_a_host_made_of_its_own_repetitions_is_not_the_series(run: Path) -> None:
    for number, host in ((1, "alpha"), (2, "beta")):
        attempt(written_on(run, host), "good", scenario=name(number, 2))
        judge_series(written_on(run, host))
    come_home(run)
    assert said(run)[SAID][SERIES].reasons[0] == "2 of 2 repetitions"
    assert main(["verify", str(run)]) == 0


def test_a_run_without_repetitions_marks_no_parts(run: Path) -> None:
    attempt(written_on(run, "alpha"), "good")
    come_home(run)
    assert not read_history(run / "history.jsonl").of(PartsJudged)


def test_an_altered_line_is_named_by_its_part(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for host, scenario in (("alpha", SCENARIO), ("beta", OTHER)):
        attempt(written_on(run, host), "good", scenario=scenario)
    come_home(run)
    beta = run / "hosts" / "beta"
    rewrite(beta, [line.replace(b'"text":"good"', b'"text":"Good"') for line in lines_of(beta)])
    assert main(["verify", str(run)]) == 2
    told = capsys.readouterr().out
    assert "\ndamaged: hosts/beta/history.jsonl:2: it was altered after it had been" in told
    assert "\naltered: hosts/beta/history.jsonl: it was altered after it had been sealed" in told
    assert "hosts/alpha/history.jsonl:" not in told
    assert f"{SAID}  PASS, as recorded: {SCENARIO}\n" in told
    assert f"{SAID}  UNKNOWN, was PASS: {OTHER}\n" in told


@pytest.mark.parametrize("file", ["run.json", "wire/lab.pcapng", "verdicts.json", "history.jsonl"])
def test_every_file_of_a_part_is_sealed(run: Path, file: str) -> None:
    beta = written_on(run, "beta")
    (beta / "run.json").write_text("{}")
    good_run(beta)
    come_home(run)
    (beta / file).write_bytes((beta / file).read_bytes() + b"\n")
    told = integrity(run).altered
    assert f"hosts/beta/{file}: something was added after it had been sealed" in told


def test_a_host_that_was_added_after_the_sealing_is_told(run: Path) -> None:
    attempt(written_on(run, "alpha"), "good")
    come_home(run)
    attempt(written_on(run, "gamma"), "good", scenario=OTHER)
    told = integrity(run)
    assert "hosts/gamma/history.jsonl: it was not there when the run was sealed" in told.altered
    assert any("verdicts.json has no verdict of it" in one for one in told.altered)


def test_a_part_that_was_cut_in_the_middle_leaves_unknown_what_it_left_open(run: Path) -> None:
    attempt(written_on(run, "alpha"), "good")
    beta = written_on(run, "beta")
    attempt(beta, "good", scenario=OTHER)
    rewrite(beta, lines_of(beta)[:2])
    (beta / "verdicts.json").unlink()
    at_home(run, lost("beta", OTHER))
    take_home(run, "beta")
    come_home(run)
    found = said(run)[SAID]
    assert found[SCENARIO].status is Status.PASS
    assert found[OTHER].status is Status.UNKNOWN
    why = "its host beta was lost before it was judged: the connection was cut"
    assert found[OTHER].reasons == (why,)
    assert main(["verify", str(run)]) == 2
    assert integrity(run).damaged == ()


def test_a_part_cut_behind_what_was_judged_claims_no_pass(run: Path) -> None:
    beta = written_on(run, "beta")
    attempt(beta, "good")
    rewrite(beta, lines_of(beta)[:2])
    come_home(run)
    assert said(run)[SAID][SCENARIO].status is Status.UNKNOWN
    assert any("was PASS on its host, and is UNKNOWN" in one for one in integrity(run).damaged)


def test_a_part_cut_in_a_line_is_read_up_to_it(run: Path) -> None:
    beta = written_on(run, "beta")
    attempt(beta, "good")
    attempt(beta, "good", scenario=OTHER)
    path = beta / "history.jsonl"
    path.write_bytes(path.read_bytes()[:-30])
    assert take_home(run, "beta").wrong == ()
    assert {one.status for one in said(run)[SAID].values()} == {Status.PASS}
    torn = "hosts/beta/history.jsonl:8: the line is torn: its end is missing"
    assert integrity(run).damaged == (torn,)


@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_clocks_that_are_an_hour_apart_change_no_verdict(run: Path, seconds: int) -> None:
    alpha, beta = written_on(run, "alpha"), written_on(run, "beta")
    for number, part in ((1, alpha), (2, beta), (3, alpha)):
        attempt(part, "good", scenario=name(number))
    with history(beta) as written:
        begun = written.record(started(requirements=(SAID, SEEN)))
        written.record(logged("good"))
        capture(beta, begun.at_ns, *(bytes([n]) * 60 for n in range(1, 5)))
        for requirement in (SAID, SEEN):
            judge_now(beta, written, requirement)
        written.record(ScenarioEnded(source="pytest", events=written.recorded))
    moved(beta, seconds)
    frames = (bytes([n]) * 60 for n in range(1, 5))
    capture(beta, begun.at_ns + seconds * NS, *frames)
    come_home(run)
    assert {one.status for each in said(run).values() for one in each.values()} == {Status.PASS}
    assert main(["verify", str(run)]) == 0


def test_a_scenario_that_another_host_took_is_its_next_attempt(run: Path) -> None:
    attempt(written_on(run, "beta"), judged=False)
    at_home(run, lost("beta", SCENARIO), taken(SCENARIO, "beta", "alpha"))
    attempt(written_on(run, "alpha"), "good")
    come_home(run)
    attempts = read_verdicts(run).attempts[SAID][SCENARIO]
    assert [(n, one.status) for n, one in sorted(attempts.items())] == [
        (1, Status.UNKNOWN),
        (2, Status.PASS),
    ]
    assert read_verdicts(run).of(SAID).status is Status.PASS
    assert main(["verify", str(run)]) == 0


def test_also_when_nothing_of_the_first_came_home(run: Path) -> None:
    at_home(run, lost("beta", SCENARIO), taken(SCENARIO, "beta", "alpha"))
    attempt(written_on(run, "alpha"), "good")
    come_home(run)
    assert set(read_verdicts(run).attempts[SAID][SCENARIO]) == {2}
    assert main(["verify", str(run)]) == 0


def test_what_a_lost_host_left_cut_is_told_and_taints_nothing(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    beta = written_on(run, "beta")
    good_run(beta)
    attempt(beta, scenario=OTHER, judged=False)
    for path in (beta / "history.jsonl", beta / "wire" / "lab.pcapng"):
        path.write_bytes(path.read_bytes() + path.read_bytes()[:30])
    at_home(run, arrived(run, "beta"), lost("beta", OTHER), taken(OTHER, "beta", "alpha"))
    attempt(written_on(run, "alpha"), "good", scenario=OTHER)
    come_home(run)
    assert main(["verify", str(run)]) == 0
    told = capsys.readouterr().out
    assert "\ncut short: hosts/beta/history.jsonl:8: the line is torn" in told
    assert "\ncut short: hosts/beta/wire/lab.pcapng: is cut" in told


def test_of_a_host_that_was_not_lost_the_same_is_damage(run: Path) -> None:
    beta = written_on(run, "beta")
    good_run(beta)
    for path in (beta / "history.jsonl", beta / "wire" / "lab.pcapng"):
        path.write_bytes(path.read_bytes() + path.read_bytes()[:30])
    come_home(run)
    assert len(integrity(run).damaged) == 2
    assert integrity(run).cut == ()


def test_what_was_begun_and_never_judged_is_unknown_once_the_run_is_over(run: Path) -> None:
    attempt(written_on(run, "beta"), judged=False)
    assert take_home(run, "beta").verdicts == {}
    come_home(run)
    assert said(run)[SAID][SCENARIO].reasons == ("it was not judged before the run was over",)


def test_a_repetition_that_another_host_took_is_in_the_series(run: Path) -> None:
    attempt(written_on(run, "alpha"), "good", scenario=name(1, 2))
    attempt(written_on(run, "alpha"), scenario=name(2, 2), judged=False)
    at_home(run, lost("alpha", name(2, 2)), taken(name(2, 2), "alpha", "beta"))
    attempt(written_on(run, "beta"), "good", scenario=name(2, 2))
    come_home(run)
    assert said(run)[SAID][SERIES].reasons[0] == "2 of 2 repetitions"
    assert main(["verify", str(run)]) == 0


def test_a_failure_before_a_host_was_lost_is_not_undone_by_the_next(run: Path) -> None:
    attempt(written_on(run, "beta"), "bad")
    at_home(run, lost("beta", SCENARIO), taken(SCENARIO, "beta", "alpha"))
    attempt(written_on(run, "alpha"), "good")
    come_home(run)
    assert read_verdicts(run).of(SAID).status is Status.FAIL


def test_a_scenario_on_two_hosts_that_none_took_from_the_other_is_told(run: Path) -> None:
    for host in ("alpha", "beta"):
        attempt(written_on(run, host), "good")
    come_home(run)
    (told,) = integrity(run).altered
    assert told.startswith("hosts/beta/history.jsonl:1: ")
    assert "hosts/alpha/history.jsonl:1" in told
    assert main(["verify", str(run)]) == 2


def test_a_fail_of_the_host_stays_one_whatever_came_home(run: Path) -> None:
    beta = written_on(run, "beta")
    attempt(beta, "good")
    record_verdict(beta, SAID, SCENARIO, BAD)
    come_home(run)
    kept = said(run)[SAID][SCENARIO]
    assert kept.status is Status.FAIL
    assert "so its host judged; by what came home it would be PASS" in kept.reasons
    assert main(["verify", str(run)]) == 1


def test_what_broke_before_it_was_judged_or_began_comes_home_too(run: Path) -> None:
    beta = written_on(run, "beta")
    attempt(beta, judged=False)
    broke_off(beta, SCENARIO, "its process died")
    never_began(beta, OTHER, (SEEN,), "no lab could be made")
    come_home(run)
    assert said(run)[SAID][SCENARIO].reasons == ("its process died",)
    assert said(run)[SEEN][OTHER].reasons == ("no lab could be made",)
    assert [one.same for one in judge_again(run)] == [True, True]


def test_a_pass_that_no_history_knows_of_is_none(run: Path) -> None:
    record_verdict(written_on(run, "beta"), SAID, SCENARIO, GOOD)
    come_home(run)
    assert said(run)[SAID][SCENARIO].status is Status.UNKNOWN
    assert main(["verify", str(run)]) == 2


def test_what_was_taken_is_not_judged_again_until_there_is_more(run: Path) -> None:
    beta = written_on(run, "beta")
    attempt(beta, "good")
    assert len(take_home(run, "beta").verdicts) == 1
    assert len(take_home(run, "beta").verdicts) == 0
    attempt(beta, "bad", scenario=OTHER)
    assert [key[1] for key in take_home(run).verdicts] == [OTHER]


def test_what_is_wrong_with_what_came_is_told_at_once(run: Path) -> None:
    beta = written_on(run, "beta")
    good_run(beta)
    at_home(run, arrived(run, "beta", SCENARIO))
    path = beta / "wire" / "lab.pcapng"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    wrong = "hosts/beta/wire/lab.pcapng: is not what its host read"
    assert take_home(run, "beta").wrong == (wrong,)
    assert wrong in integrity(run).altered


def test_what_was_wrong_when_it_came_is_damage_until_it_comes_right(run: Path) -> None:
    beta = written_on(run, "beta")
    attempt(beta, "good")
    whole = arrived(run, "beta", SCENARIO)
    at_home(run, whole.model_copy(update={"wrong": ("history.jsonl: is not what its host read",)}))
    come_home(run)
    told = "what came from beta: history.jsonl: is not what its host read"
    assert integrity(run).damaged == (told,)
    at_home(run, whole)
    assert integrity(run).damaged == ()


def test_a_part_that_cannot_be_read_keeps_nothing_from_the_others(run: Path) -> None:
    attempt(written_on(run, "alpha"), "good")
    (written_on(run, "beta") / "history.jsonl").write_text('{"at_ns":1}\n')
    (written_on(run, "beta") / "verdicts.json").write_text("{")
    wrong = come_home(run).wrong
    assert any("recorded in format 1" in one for one in wrong)
    assert any("no verdicts can be read" in one for one in wrong)
    assert said(run)[SAID][SCENARIO].status is Status.PASS
    assert main(["verify", str(run)]) == 2


def test_a_part_that_is_a_link_is_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "hosts").mkdir()
    (run / "hosts" / "beta").symlink_to("/etc")
    assert main(["verify", str(run)]) == 2
    assert "is a link" in capsys.readouterr().err


def test_a_run_of_one_machine_has_nothing_to_take_home(tmp_path: Path) -> None:
    good_run(tmp_path)
    before = (tmp_path / "verdicts.json").read_bytes()
    assert take_home(tmp_path).verdicts == {}
    assert (tmp_path / "verdicts.json").read_bytes() == before
    assert take_home(tmp_path / "nowhere").verdicts == {}


def test_hosts_that_were_lost_are_told(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    attempt(written_on(run, "alpha"), "good")
    at_home(run, lost("beta", why="no answer for 30 s"))
    come_home(run)
    assert main(["verify", str(run)]) == 0
    assert "\nlost: beta: no answer for 30 s\n" in capsys.readouterr().out


def test_hosts_of_which_nothing_came_have_no_verdict(run: Path) -> None:
    written_on(run, "alpha")
    assert come_home(run).verdicts == {}
    assert read_verdicts(run) == Verdicts()
    assert take_home(run, "beta").verdicts == {}


def only_said(run: Path, *scenarios: str) -> None:
    """Leave what these scenarios said in the run's verdicts, and seal it anew."""
    said = read_verdicts(run).attempts.get(SAID, {})
    kept = {name: said[name] for name in scenarios}
    write_tables(run, tables_of(Verdicts({SAID: kept}, frozenset((SAID,)))))
    seal(run)


def test_a_host_whose_evidence_came_and_is_gone_is_named(run: Path) -> None:
    attempt(written_on(run, "alpha"), "good")
    attempt(written_on(run, "beta"), "bad", scenario=OTHER)
    at_home(run, arrived(run, "alpha", SCENARIO), arrived(run, "beta", OTHER))
    come_home(run)
    assert main(["verify", str(run)]) == 1
    shutil.rmtree(run / "hosts" / "beta")
    only_said(run, SCENARIO)
    assert main(["verify", str(run)]) == 2
    gone = "hosts/beta/history.jsonl: is not there"
    assert gone in integrity(run).altered
    assert gone in take_home(run).wrong
    assert take_home(run, "alpha").wrong == ()


def test_also_when_no_part_is_left(run: Path) -> None:
    attempt(written_on(run, "beta"), "bad")
    at_home(run, arrived(run, "beta", SCENARIO))
    come_home(run)
    shutil.rmtree(run / "hosts")
    assert "hosts/beta/history.jsonl: is not there" in take_home(run).wrong


def test_a_scenario_that_was_cut_and_of_which_nothing_came_is_open(run: Path) -> None:
    attempt(written_on(run, "alpha"), "good")
    written_on(run, "beta")
    at_home(run, lost("beta", OTHER))
    come_home(run)
    (left,) = integrity(run).open
    assert left.startswith(f"history.jsonl:3: {OTHER} was cut with beta: nothing of it came home")
    assert main(["verify", str(run)]) == 2


def failed(part: Path) -> None:
    attempt(part, "good")
    record_verdict(part, SAID, SCENARIO, BAD)


def shown_nothing(part: Path) -> None:
    attempt(part, "dark")


def own_verdict_rewritten(part: Path) -> None:
    write_tables(part, tables_of(Verdicts({SAID: {SCENARIO: {1: GOOD}}}, frozenset((SAID,)))))


def attempt_added(part: Path) -> None:
    attempt(part, "good", number=2)


def capture_added(part: Path) -> None:
    (part / "wire").mkdir()
    (part / "wire" / "lab.pcapng").write_bytes(b"")


ALTERED: dict[str, tuple[Callable[[Path], None], Callable[[Path], None], str]] = {
    "its own verdict": (failed, own_verdict_rewritten, "verdicts.json: is "),
    "an attempt": (shown_nothing, attempt_added, "history.jsonl: was added to since it came"),
    "a capture": (shown_nothing, capture_added, "wire/lab.pcapng: did not come from its host"),
}


@pytest.mark.parametrize("what", ALTERED)
def test_evidence_that_became_other_at_home_is_named(run: Path, what: str) -> None:
    before, change, told = ALTERED[what]
    beta = written_on(run, "beta")
    before(beta)
    at_home(run, arrived(run, "beta", SCENARIO))
    change(beta)
    write_tables(run, tables_of(Verdicts()))
    come_home(run)
    assert main(["verify", str(run)]) != 0
    assert any(one.startswith(f"hosts/beta/{told}") for one in integrity(run).altered)


def test_evidence_that_came_home_several_times_is_as_it_came_last(run: Path) -> None:
    beta = written_on(run, "beta")
    for number, scenario in enumerate((SCENARIO, OTHER)):
        (beta / "run.json").write_text(f'{{"scenarios": {number}}}')
        attempt(beta, "good", scenario=scenario)
        came = arrived(run, "beta", scenario)
        at_home(run, came)
        take_home(run, "beta")
    files = {name: came.files[name] for name in ("history.jsonl", "verdicts.json")}
    at_home(run, came.model_copy(update={"files": files, "ended": ""}))
    (beta / "secrets.json").write_text("{}")
    come_home(run)
    assert main(["verify", str(run)]) == 0


def test_of_a_host_that_was_lost_what_came_in_part_is_cut(run: Path) -> None:
    beta = written_on(run, "beta")
    attempt(beta, "good")
    at_home(run, arrived(run, "beta", SCENARIO))
    attempt(beta, "good", scenario=OTHER)
    at_home(run, lost("beta", OTHER))
    come_home(run)
    told = integrity(run)
    assert "hosts/beta/history.jsonl: was added to since it came" in told.cut
    assert (told.altered, told.damaged) == ((), ())
    beta.joinpath("history.jsonl").write_bytes(b"{}")
    assert any("hosts/beta/history.jsonl" in one for one in integrity(run).damaged)


def test_evidence_of_a_host_that_home_never_heard_of_is_named(run: Path) -> None:
    attempt(written_on(run, "alpha"), "good")
    attempt(written_on(run, "gamma"), "good", scenario=OTHER)
    come_home(run)
    (told,) = integrity(run).altered
    assert told == "hosts/gamma/: the history of the run knows of no such host"
    assert main(["verify", str(run)]) == 2
