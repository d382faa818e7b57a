"""Every row of the recorded evidence that was judged wrongly, by its own sentence.

Violations and healthy evidence stand in `tests.checks.cases`; damage and tampering stand here, and
for every check in `tests.score`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest
from rich.console import Console

from checks.cli import verify
from checks.engine import registry
from checks.engine.seal import seal
from checks.engine.verdict import Status
from checks.engine.verdicts import read_tables, read_verdicts, write_tables
from evidence.errors import BadEvidence
from evidence.moment import NS
from evidence.scenario import Evidence
from tests.checks.cases import every_row
from tests.checks.cases.row import Row
from tests.checks.engine.recorded import SAID, attempt, chain_again, good_run, lines_of, rewrite
from tests.checks.failover.recording import ADDRESS, SCENARIO, Run, stopped, takeover
from tests.checks.failover.test_returning import returned
from tests.checks.failover.test_setup import prepared
from tests.score import damages
from tests.score.case import Case
from tests.score.damages import set_clock
from tests.score.healthy import healthy as good_run_of
from tests.score.scoring import is_right, judged


@pytest.mark.parametrize("row", every_row(), ids=lambda row: f"{row.requirement}: {row.sentence}")
def test_recorded_evidence_is_judged_as_it_should(tmp_path: Path, row: Row) -> None:
    directory = tmp_path / row.requirement
    directory.mkdir()
    verdict = row.judge(directory)
    assert verdict.status is row.right, verdict.text
    assert "the check crashed" not in verdict.text
    for word in row.words:
        assert word in verdict.text


def test_no_sentence_stands_there_twice() -> None:
    names = [(row.requirement, row.sentence) for row in every_row()]
    assert len(names) == len(set(names))


def no_frames(good: damages.Healthy) -> Iterator[Case]:
    """Let nothing have come in, or the capture have no octets."""
    if good.reads_frames:
        silent = good.recording.only(lambda _: False)
        yield Case(good.requirement, "no frames", "", silent, damages.ONLY_UNKNOWN)


DAMAGE: dict[str, Callable[[damages.Healthy], Iterator[Case]]] = {
    "capture cut or garbled, five ways": damages.of_capture,
    "two seconds missing in the middle of the capture": damages.two_seconds_missing,
    "capture of no frames, or of no bytes": no_frames,
    "the host's clock stepped by +60 s or -4 s between two events": damages.clock_set,
    "every event there twice": damages.each_line_twice,
    "one line of the history torn": damages.of_history,
    "a file missing, the last line cut": damages.gone,
}


@pytest.mark.parametrize("requirement", ["FO-16", "FO-24", "FO-28", "FO-40", "MN-15"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_unknown(damage: str, requirement: str) -> None:
    found = list(islice(DAMAGE[damage](good_run_of(requirement)), 6))
    assert found
    for case in found:
        verdict = judged(case)
        assert is_right(case, verdict), f"{case.name}: {verdict.text}"


def again(run: Run, requirement: str) -> Status:
    """Judge what stands in a run's directory, as it is."""
    evidence = Evidence(run.directory, SCENARIO, requirement)
    return registry.judge(requirement, evidence).status


def altered_lines(run: Run, change: Callable[[list[bytes]], list[bytes]]) -> None:
    run.write()
    rewrite(run.directory, change(lines_of(run.directory)))


def test_yes_wiped_and_its_line_is_torn(tmp_path: Path) -> None:
    run = prepared(tmp_path)
    wiped = {"answer": "Yes", "status": 0, "before": "a", "after": "b"}
    run.event(1, "init.asked", "secondary", **wiped)

    def tear(lines: list[bytes]) -> list[bytes]:
        return [line[:40] if b'"Yes"' in line else line for line in lines]

    assert run.judge("FO-02").status is Status.FAIL
    altered_lines(run, tear)
    assert again(run, "FO-02") is Status.UNKNOWN


def test_a_returned_node_takes_the_role_back_after_the_place_where_the_capture_is_cut(
    tmp_path: Path,
) -> None:
    run = returned(tmp_path)
    run.beats("primary", 80.5, 120, counter=9000)
    assert run.judge("FO-28").status is Status.FAIL
    capture = tmp_path / "wire" / "lab.pcapng"
    content = capture.read_bytes()
    capture.write_bytes(content[: len(content) // 2])
    assert again(run, "FO-28") is Status.UNKNOWN


def test_a_takeover_of_7_s_while_the_hosts_clock_was_set_back_by_4_s(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    assert run.judge("FO-24").status is Status.PASS
    set_clock(-4 * NS, 0.5, tmp_path)
    assert again(run, "FO-24") is Status.UNKNOWN


@pytest.mark.parametrize(("requirement", "build"), [("FO-27", stopped), ("FO-28", returned)])
def test_an_empty_reading_of_addresses_is_no_virtual_ip_gone(
    tmp_path: Path, requirement: str, build: Callable[[Path], Run]
) -> None:
    run = build(tmp_path)
    full = json.dumps([ADDRESS["primary"]]).encode()

    def empty(lines: list[bytes]) -> list[bytes]:
        return chain_again([line.replace(b'"held":' + full, b'"held":[]') for line in lines])

    altered_lines(run, empty)
    assert again(run, requirement) is Status.UNKNOWN


@pytest.mark.usefixtures("own_checks")
def test_a_scenario_run_twice_in_one_directory_keeps_its_fail(tmp_path: Path) -> None:
    for number, said in enumerate(("bad", "good"), start=1):
        attempt(tmp_path, said, number=number)
    assert read_verdicts(tmp_path).of(SAID).status is Status.FAIL


def status_changed(directory: Path) -> None:
    tables = read_tables(directory)
    tables["requirements"][SAID]["status"] = "FAIL"
    write_tables(directory, tables)


def verdict_and_mark_removed(directory: Path) -> None:
    tables = read_tables(directory)
    del tables["requirements"][SAID]
    write_tables(directory, tables)
    kept = [line for line in lines_of(directory) if b'"requirement":"MN-05"' not in line]
    rewrite(directory, chain_again(kept))


def edited_alike(directory: Path) -> None:
    lines = [line.replace(b'"good"', b'"Good"') for line in lines_of(directory)]
    rewrite(directory, chain_again(lines))
    status_changed(directory)


def unused_data_changed(directory: Path) -> None:
    (directory / UNUSED).write_text("typed by somebody else")


UNUSED = "transcripts/lab/primary.log"
TAMPERING = {
    "the status of a requirement in `verdicts.json` changed": status_changed,
    "a verdict and its mark removed together": verdict_and_mark_removed,
    "history and verdicts edited alike": edited_alike,
    "data that no verdict uses": unused_data_changed,
}


@pytest.mark.usefixtures("own_checks")
@pytest.mark.parametrize("tampering", TAMPERING)
def test_tampering_is_noticed(tmp_path: Path, tampering: str) -> None:
    good_run(tmp_path)
    (tmp_path / UNUSED).parent.mkdir(parents=True)
    (tmp_path / UNUSED).write_text("typed, and read by no check")
    seal(tmp_path)
    assert verified(tmp_path)
    TAMPERING[tampering](tmp_path)
    assert not verified(tmp_path)


def verified(directory: Path) -> bool:
    try:
        return verify(directory, Console(file=io.StringIO())) == 0
    except BadEvidence:
        return False
