"""A run over hosts is verified: what was altered, damaged, cut, or never came home, is named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from checks.cli import main
from checks.engine.coming_home import take_home
from checks.engine.integrity import integrity
from checks.engine.seal import seal
from checks.engine.verdicts import Verdicts, read_verdicts, record_verdict, tables_of, write_tables
from tests.checks.engine.hosts import arrived, at_home, come_home, lost, taken, written_on
from tests.checks.engine.recorded import (
    OTHER,
    SAID,
    SCENARIO,
    SEEN,
    attempt,
    good_run,
    lines_of,
    rewrite,
)
from tests.checks.engine.verdicts import BAD, GOOD

pytestmark = pytest.mark.usefixtures("own_checks")


def test_a_good_run_over_hosts_is_verified(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good_run(written_on(run, "alpha"))
    attempt(written_on(run, "beta"), "good", scenario=OTHER)
    at_home(run, arrived(run, "alpha", SCENARIO), arrived(run, "beta", OTHER))
    assert come_home(run).wrong == ()
    assert main(["verify", str(run)]) == 0
    told = capsys.readouterr().out
    assert f"{SEEN}  PASS, as recorded: {SCENARIO}\n" in told
    assert "evidence of hosts: alpha, beta\n" in told


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


def test_a_part_that_is_a_link_is_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "hosts").mkdir()
    (run / "hosts" / "beta").symlink_to("/etc")
    assert main(["verify", str(run)]) == 2
    assert "is a link" in capsys.readouterr().err


def test_hosts_that_were_lost_are_told(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    attempt(written_on(run, "alpha"), "good")
    at_home(run, lost("beta", why="no answer for 30 s"))
    come_home(run)
    assert main(["verify", str(run)]) == 0
    assert "\nlost: beta: no answer for 30 s\n" in capsys.readouterr().out


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
