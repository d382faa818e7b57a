"""What came home from the hosts of a run is judged as if it had been one machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from checks.cli import main
from checks.engine.coming_home import take_home
from checks.engine.integrity import integrity
from checks.engine.judging import broke_off, judge_again, judge_now, never_began
from checks.engine.obligations import Obligations
from checks.engine.registry import Check
from checks.engine.verdict import Status, Verdict
from checks.engine.verdicts import Verdicts, read_verdicts, record_verdict
from evidence.events.run import ScenarioEnded
from evidence.moment import NS
from evidence.scenario import Evidence
from tests.checks.engine.hosts import arrived, at_home, come_home, lost, moved, said, written_on
from tests.checks.engine.recorded import (
    OTHER,
    SAID,
    SCENARIO,
    SEEN,
    attempt,
    capture,
    good_run,
    history,
    lines_of,
    logged,
    name,
    rewrite,
    started,
)
from tests.checks.engine.verdicts import BAD, GOOD

pytestmark = pytest.mark.usefixtures("own_checks")


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


def test_every_place_and_digest_names_its_part(run: Path) -> None:
    good_run(written_on(run, "beta"))
    come_home(run)
    seen = said(run)[SEEN][SCENARIO]
    assert seen.evidence == ("hosts/beta/wire/lab.pcapng",)
    assert set(seen.digests) == {"hosts/beta/history.jsonl:5", "hosts/beta/wire/lab.pcapng"}
    assert all(place.startswith("hosts/beta/") for place in said(run)[SAID][SCENARIO].evidence)


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


def test_what_was_begun_and_never_judged_is_unknown_once_the_run_is_over(run: Path) -> None:
    attempt(written_on(run, "beta"), judged=False)
    assert take_home(run, "beta").verdicts == {}
    come_home(run)
    assert said(run)[SAID][SCENARIO].reasons == ("it was not judged before the run was over",)


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


def test_what_is_taken_of_a_host_is_not_what_another_left_that_was_lost(run: Path) -> None:
    for host, scenario in (("alpha", SCENARIO), ("beta", OTHER), ("gamma", name(3))):
        attempt(written_on(run, host), "good", scenario=scenario)
    at_home(run, lost("alpha"), lost("gamma"))
    assert [key[1] for key in take_home(run, "beta").verdicts] == [OTHER]


def test_what_its_host_has_not_judged_yet_waits_for_the_rest_of_its_evidence(
    run: Path, own_checks: dict[str, Check]
) -> None:
    """The capture came home before the moment of judging, the history after it."""

    def late_by_wire(evidence: Evidence, owed: Obligations) -> None:
        seen = list(evidence.frames())
        owed.owe("frames in time").late(f"{len(seen)} frames came late", evidence.capture_place)

    own_checks[SEEN] = late_by_wire
    beta = written_on(run, "beta")
    with history(beta) as written:
        begun = written.record(started(requirements=(SEEN,)))
        capture(beta, begun.at_ns, bytes(60), bytes([1]) * 60)
        judge_now(beta, written, SEEN)
    whole = {path: path.read_bytes() for path in (beta / "wire/lab.pcapng", beta / "verdicts.json")}
    capture(beta, begun.at_ns, bytes(60), covered_ns=1)
    (beta / "verdicts.json").unlink()
    assert take_home(run, "beta").verdicts == {}
    for path, octets in whole.items():
        path.write_bytes(octets)
    take_home(run, "beta")
    come_home(run)
    assert said(run)[SEEN][SCENARIO].late == 1
    assert [one.same for one in judge_again(run)] == [True]


def test_what_a_lost_host_has_judged_is_judged_by_what_came_once_the_run_is_over(run: Path) -> None:
    beta = written_on(run, "beta")
    attempt(beta, "good")
    (beta / "verdicts.json").unlink()
    at_home(run, lost("beta", SCENARIO))
    assert take_home(run, "beta").verdicts == {}
    come_home(run)
    assert said(run)[SAID][SCENARIO].status is Status.PASS
    assert [one.same for one in judge_again(run)] == [True]


def test_what_is_wrong_with_what_came_is_told_at_once(run: Path) -> None:
    beta = written_on(run, "beta")
    good_run(beta)
    at_home(run, arrived(run, "beta", SCENARIO))
    path = beta / "wire" / "lab.pcapng"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    wrong = "hosts/beta/wire/lab.pcapng: is not what its host read"
    assert take_home(run, "beta").wrong == (wrong,)
    assert wrong in integrity(run).altered


def test_a_part_that_cannot_be_read_keeps_nothing_from_the_others(run: Path) -> None:
    attempt(written_on(run, "alpha"), "good")
    (written_on(run, "beta") / "history.jsonl").write_text('{"at_ns":1}\n')
    (written_on(run, "beta") / "verdicts.json").write_text("{")
    wrong = come_home(run).wrong
    assert any("recorded in format 1" in one for one in wrong)
    assert any("no verdicts can be read" in one for one in wrong)
    assert said(run)[SAID][SCENARIO].status is Status.PASS
    assert main(["verify", str(run)]) == 2


def test_a_run_of_one_machine_has_nothing_to_take_home(tmp_path: Path) -> None:
    good_run(tmp_path)
    before = (tmp_path / "verdicts.json").read_bytes()
    assert take_home(tmp_path).verdicts == {}
    assert (tmp_path / "verdicts.json").read_bytes() == before
    assert take_home(tmp_path / "nowhere").verdicts == {}


def test_hosts_of_which_nothing_came_have_no_verdict(run: Path) -> None:
    written_on(run, "alpha")
    assert come_home(run).verdicts == {}
    assert read_verdicts(run) == Verdicts()
    assert take_home(run, "beta").verdicts == {}
