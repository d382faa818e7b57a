"""LAB-01 to 08: what shows a promise of the harness, what breaks it, and what leaves it open."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from checks.engine.verdict import Status
from tests.captures import marks_of
from tests.checks.harness.changes import (
    Change,
    covered_by,
    frames,
    hearer_kept,
    killed_last,
    nothing_dropped,
    setting,
    visited_twice,
    watcher_kept,
    without,
    without_twin,
)
from tests.checks.harness.runs import GOOD, NS, SECONDS, START_NS


@pytest.mark.parametrize("requirement", GOOD)
def test_a_promise_that_is_kept_passes(tmp_path: Path, requirement: str) -> None:
    verdict = GOOD[requirement]().judge(requirement, tmp_path)
    assert verdict.status is Status.PASS, verdict.text


DROPS = [
    replace(one, dropped=12 if one.wall_ns > START_NS + 11 * NS // 4 else 0)
    for one in marks_of(START_NS - NS, START_NS + (SECONDS + 1) * NS)
]

OPEN: dict[str, tuple[str, Change, str]] = {
    "no lab ran": ("LAB-01", setting("host.visited", processes=1), "1 processes, not 3"),
    "something is other each time, and never the same": (
        "LAB-01",
        visited_twice({"after": ["file /run/a: new"]}, {"after": ["file /run/b: new"]}),
        "never the same",
    ),
    "what one visit left is there still": (
        "LAB-01",
        visited_twice({"after": ["file /run/a: new"]}, {"still": ["file /run/a: new"]}),
        "after a lab, and still after the next: file /run/a: new",
    ),
    "nothing was received": ("LAB-02", without("frames.received"), "not shown"),
    "no rule hit anything": ("LAB-02", nothing_dropped, "hit none"),
    "what was judged lacked more": (
        "LAB-02",
        setting("verdict.given", reasons=["the fault x hit no frame"]),
        "lacked something else",
    ),
    "what was judged lacked something else only": (
        "LAB-02",
        setting("verdict.given", reasons=["history.jsonl:9: the line is torn", "it would be PASS"]),
        "LAB-06 is UNKNOWN for something else: history.jsonl:9: the line is torn",
    ),
    "one kind was never killed": ("LAB-03", setting("processes.killed", kinds=["wire"]), "owner"),
    "no kill was followed by a run": ("LAB-03", without("run.followed"), "4 of 4 kills were fol"),
    "all runs came before the last kill": ("LAB-03", killed_last, "1 of 4 kills were followed by"),
    "what was to be said was not recorded": (
        "LAB-06",
        setting("lab.refused", wanted={"file": "", "key": "", "value": "", "right": ""}),
        "a key that is none: which key it was to say was not recorded",
    ),
    "there is one lab": ("LAB-04", lambda run: run.events.pop(), "1 labs side by side"),
    "the addresses differ": (
        "LAB-04",
        setting("said.on.wire", 1, address="192.0.2.9"),
        "different addresses",
    ),
    "a lab recorded nothing": ("LAB-04", frames(lambda _: []), "not shown: what lab says"),
    "frames of a lab were dropped": ("LAB-04", covered_by(DROPS), "kernel dropped 12 frames"),
    "a lab is not recorded yet when the other speaks": (
        "LAB-04",
        covered_by(marks_of(START_NS + 6 * NS, START_NS + 9 * NS)),
        "what twin heard is not known: twin.pcapng begins at",
    ),
    "a lab is not recorded any more when the other speaks": (
        "LAB-04",
        covered_by(marks_of(START_NS, START_NS + 9 * NS // 2)),
        "what twin heard is not known: the wire ended at",
    ),
    "no lab was thawed": ("LAB-05", without_twin, "0 labs thawed beside the one that was frozen"),
    "a case was left out": ("LAB-06", lambda run: run.events.pop(), "not tried: images that"),
    "no verdict rests on frames": (
        "LAB-07",
        setting("judged.again", on_capture=0),
        "none of 9 ver",
    ),
    "nobody says what rests on frames": (
        "LAB-07",
        setting("judged.again", on_capture=None),
        "rest on frames was not recorded",
    ),
    "there was no verdict yet": ("LAB-07", setting("judged.again", compared=0), "no verdict yet"),
}


@pytest.mark.parametrize("what", OPEN)
def test_what_cannot_be_told_is_unknown(tmp_path: Path, what: str) -> None:
    requirement, change, words = OPEN[what]
    run = GOOD[requirement]()
    change(run)
    verdict = run.judge(requirement, tmp_path)
    assert verdict.status is Status.UNKNOWN, verdict.text
    assert words in verdict.text
    assert "crashed" not in verdict.text


def test_root_that_gave_up_its_privileges_is_as_good_as_an_ordinary_user(tmp_path: Path) -> None:
    run = GOOD["LAB-01"]()
    setting("host.visited", uid=0, capabilities=1 << 31)(run)
    verdict = run.judge("LAB-01", tmp_path)
    assert verdict.status is Status.PASS, verdict.text


def test_a_filter_that_hit_no_frame_leaves_nothing_shown(tmp_path: Path) -> None:
    run = GOOD["LAB-06"]()
    run.events.append(("filter.ended", "wire", {"filter": "vrrp", "hits": 0}))
    verdict = run.judge("LAB-06", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert verdict.reasons[0].startswith("the filter vrrp hit no frame")
    assert "it would be PASS" in verdict.reasons


def test_a_filter_that_hit_frames_is_no_flaw(tmp_path: Path) -> None:
    run = GOOD["LAB-06"]()
    run.events.append(("filter.ended", "wire", {"filter": "vrrp", "hits": 3}))
    assert run.judge("LAB-06", tmp_path).status is Status.PASS


def test_what_was_other_in_one_visit_of_two_was_somebody_elses(tmp_path: Path) -> None:
    run = GOOD["LAB-01"]()
    visited_twice({"after": ["file /run/a: new"]}, {})(run)
    verdict = run.judge("LAB-01", tmp_path)
    assert verdict.status is Status.PASS, verdict.text
    assert "after a lab, once of 2 times: file /run/a: new" in verdict.text


def test_what_a_lab_leaves_where_nobody_else_works_is_its_own(tmp_path: Path) -> None:
    """Also where the next one finds it there, and leaves nothing new."""
    run, left = GOOD["LAB-01"](), ["file /tmp/x/HOME/.cache/a: new"]
    visited_twice({"after": left, "at_home": left}, {"still": left})(run)
    verdict = run.judge("LAB-01", tmp_path)
    assert verdict.status is Status.FAIL, verdict.text
    assert "a lab left in its user's directories: file /tmp/x/HOME" in verdict.text


def test_what_another_machine_says_of_a_frame_is_no_second_record_of_it(tmp_path: Path) -> None:
    run = GOOD["LAB-02"]()
    quoted = replace(run.frames[9], interface="two/wire0", data=run.frames[9].data + b"quoted")
    run.frames.append(quoted)
    verdict = run.judge("LAB-02", tmp_path)
    assert verdict.status is Status.PASS, verdict.text


def test_what_is_seen_late_because_who_watches_was_kept_is_late(tmp_path: Path) -> None:
    run = GOOD["LAB-03"]()
    watcher_kept(2.0, gone_s=11.0)(run)
    verdict = run.judge("LAB-03", tmp_path)
    assert verdict.status is Status.UNKNOWN, verdict.text
    assert verdict.late
    assert "`scenario` was kept from running for 2.0 s" in verdict.text


def test_from_when_the_limit_counts_is_told(tmp_path: Path) -> None:
    """A run that was not killed itself ends in its own time, and that is told beside the limit."""
    run = GOOD["LAB-03"]()
    setting("processes.killed", ended_s=42.0)(run)
    text = run.judge("LAB-03", tmp_path).text
    assert "the run itself ended 42.0 s after the kill; nothing was left 0.4 s later" in text
    (tmp_path / "late").mkdir()
    setting("processes.killed", gone_s=11.0)(run)
    verdict = run.judge("LAB-03", tmp_path / "late")
    assert verdict.status is Status.FAIL
    assert "limit 10 s from when the run itself had ended, 42.0 s after the kill" in verdict.text


def test_what_is_left_for_longer_than_who_watches_was_kept_is_left(tmp_path: Path) -> None:
    run = GOOD["LAB-03"]()
    watcher_kept(0.5, gone_s=11.0)(run)
    assert run.judge("LAB-03", tmp_path).status is Status.FAIL


def test_what_is_gone_once_who_watches_was_kept_until_the_limit_is_late(tmp_path: Path) -> None:
    run = GOOD["LAB-03"]()
    watcher_kept(5.0, gone_s=None)(run)
    verdict = run.judge("LAB-03", tmp_path)
    assert verdict.status is Status.UNKNOWN, verdict.text
    assert verdict.late
    assert "`scenario` was kept from running" in verdict.text


def test_what_is_not_gone_at_the_limit_though_nobody_was_kept_is_left(tmp_path: Path) -> None:
    run = GOOD["LAB-03"]()
    setting("processes.killed", gone_s=None)(run)
    assert run.judge("LAB-03", tmp_path).status is Status.FAIL


def test_what_is_named_as_left_is_left_however_late_who_watches_was(tmp_path: Path) -> None:
    run = GOOD["LAB-03"]()
    watcher_kept(5.0, gone_s=None)(run)
    setting("processes.killed", left=["77: qemu"])(run)
    assert run.judge("LAB-03", tmp_path).status is Status.FAIL


def test_frames_that_a_machine_misses_while_it_is_kept_from_running_are_late(
    tmp_path: Path,
) -> None:
    run = GOOD["LAB-02"]()
    hearer_kept(1.5)(run)
    verdict = run.judge("LAB-02", tmp_path)
    assert verdict.status is Status.UNKNOWN, verdict.text
    assert verdict.late
    assert "`two` was kept from running" in verdict.text


@pytest.mark.parametrize("change", [{"count": 14}, {"different": 16, "count": 16}])
def test_frames_that_arrive_twice_are_no_busy_hosts(tmp_path: Path, change: dict[str, int]) -> None:
    run = GOOD["LAB-02"]()
    hearer_kept(1.5)(run)
    setting("frames.received", **change)(run)
    assert run.judge("LAB-02", tmp_path).status is Status.FAIL


def test_more_frames_missed_than_a_busy_host_explains_are_lost(tmp_path: Path) -> None:
    run = GOOD["LAB-02"]()
    hearer_kept(0.1)(run)
    assert run.judge("LAB-02", tmp_path).status is Status.FAIL


def test_a_lab_that_is_there_for_a_part_of_the_scenario_is_enough(tmp_path: Path) -> None:
    run = GOOD["LAB-04"]()
    covered_by(marks_of(START_NS + 2 * NS, START_NS + 9 * NS))(run)
    verdict = run.judge("LAB-04", tmp_path)
    assert verdict.status is Status.PASS, verdict.text
