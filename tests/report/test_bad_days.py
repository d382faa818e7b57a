"""On a bad day a page is made of what is there, and says on its first screen what is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from checks.failover.stages import Stage
from report.content import content_of
from report.page import page
from tests.checks.engine import recorded
from tests.checks.failover import recording
from tests.checks.multi_node import maintained
from tests.report.conftest import cut, facts
from tests.report.sign_off import ten_thousand_verdicts


def first_screen(run: Path) -> str:
    html = page(content_of(run))
    return html[: html.index('id="requirements"')]


@pytest.fixture
def crash(tmp_path: Path) -> recording.Run:
    facts(tmp_path, requirements=["FO-24", "FO-31"])
    return recording.takeover(tmp_path)


DAYS: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "a history cut in a line": (
        lambda run: cut(run / "history.jsonl", 40),
        ("evidence was altered", "torn", "history.jsonl"),
    ),
    "a history of which half is gone": (
        lambda run: cut(run / "history.jsonl", (run / "history.jsonl").stat().st_size // 2),
        ("history.jsonl", "began at history.jsonl:1 and never ended: it was cut off"),
    ),
    "a capture with a damaged tail": (
        lambda run: cut(run / "wire" / "lab.pcapng", 10),
        ("evidence was altered", "wire/lab.pcapng: is cut"),
    ),
    "a capture that is gone": (
        lambda run: (run / "wire" / "lab.pcapng").unlink(),
        ("wire/lab.pcapng", "is not there: no frame can be shown"),
    ),
    "no verdict at all": (
        lambda run: (run / "verdicts.json").unlink(),
        ("Nothing was judged: this run shows nothing", "verdicts.json"),
    ),
}


@pytest.mark.parametrize("day", DAYS)
def test_what_is_not_there_is_said_first(good_run: Path, day: str) -> None:
    before = first_screen(good_run)
    assert "All 2 requirements of this run were shown to be kept" in before
    spoil, words = DAYS[day]
    spoil(good_run)
    after = first_screen(good_run)
    assert "All 2 requirements of this run were shown to be kept" not in after
    for said in words:
        assert said not in before or said in ("history.jsonl", "verdicts.json")
        assert said in after


def test_a_clock_that_jumped_in_the_middle_is_said_first(clock_set: Path) -> None:
    assert "<b>clock</b>" in first_screen(clock_set)


@pytest.mark.parametrize("lab", ["/x", "../../../x", "x" * 300, "a\0b", ".", ""])
@pytest.mark.parametrize("of", ["takeover", "maintenance"])
def test_a_lab_whose_name_leads_elsewhere_is_a_lack_and_no_end(
    tmp_path: Path, of: str, lab: str
) -> None:
    """A history may come from anywhere."""
    facts(tmp_path)
    if of == "takeover":
        recording.takeover(tmp_path).write()
    else:
        maintained.maintenance().write(tmp_path, requirements=("MN-25",))
    lines = recorded.lines_of(tmp_path)
    first = json.loads(lines[0])
    first["event"]["lab"] = lab
    recorded.rewrite(tmp_path, recorded.chain_again([json.dumps(first).encode(), *lines[1:]]))
    page(content := content_of(tmp_path))
    whys = [f"{one.what}: {one.why}" for one in content.material.lacks]
    assert [one for one in whys if "capture" in one or ".pcapng" in one or "damaged" in one]


def test_a_guest_that_was_not_reached_when_its_evidence_was_collected(crash: recording.Run) -> None:
    """The scenario failed there: no verdict, nothing of the guest; the wire told all the same."""
    crash.started["requirements"] = ["FO-24", "FO-31"]
    crash.without("log.line").without("neighbour.seen").without("fault.watched").write()
    said = first_screen(crash.directory)
    assert "Nothing was judged: this run shows nothing" in said
    assert "to be judged by this run, and never was: " in said
    assert "attempt 1 of scenario was to be judged for FO-31, and never was" in said
    (failover,) = content_of(crash.directory).failovers
    assert [each.stage for each in failover.measured][:2] == [Stage.SILENCE, Stage.TAKEOVER]


def test_takeovers_that_cannot_be_told_are_counted_first(crash: recording.Run) -> None:
    crash.beats("secondary", 0, 13)  # who held the role is not clear
    crash.write()
    assert "The takeover of 1 of 1 failovers cannot be told" in first_screen(crash.directory)


def test_a_good_day_has_no_such_line(crash: recording.Run) -> None:
    crash.write()
    assert "cannot be told" not in first_screen(crash.directory)


def test_of_ten_thousand_verdicts_the_first_screen_is_as_long_as_of_few(tmp_path: Path) -> None:
    facts(ten_thousand_verdicts(tmp_path))
    said = first_screen(tmp_path)
    assert "All 89 requirements of this run were judged PASS, but the evidence is not whole" in said
    assert len(said) < 30_000


def test_a_history_without_an_end_of_line_and_verdicts_of_another_kind(good_run: Path) -> None:
    (good_run / "verdicts.json").write_text(json.dumps({"format": 1}))
    cut(good_run / "history.jsonl", 1)
    said = first_screen(good_run)
    assert "Nothing was judged" in said
    assert "written in format 1" in said
    assert "torn" in said
