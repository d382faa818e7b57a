"""FO-20: a counter that runs on passes, a replay or a gap is rejected for its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.failover.crashes import is_late
from tests.checks.failover.recording import Run, passes, rejects, steady, takeover, unsure
from tests.checks.failover.strangers import from_address
from tests.checks.failover.test_keepalived import keepalived


def test_a_silent_wire_says_nothing(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.frames.clear()
    unsure(run.judge("FO-20"))


def test_the_counter_runs_on_over_a_takeover(tmp_path: Path) -> None:
    passes(takeover(tmp_path).judge("FO-20"))


def rejoined(tmp_path: Path, *, again_at: float) -> Run:
    """Split the pair from 2 s to 5 s; at `again_at` the primary counts as the other did, once."""
    run = takeover(tmp_path)
    run.beats("secondary", 2, 5, counter=7_000_000)
    run.beats("primary", again_at, again_at + 0.5, counter=7_000_004)
    return run


def test_a_split_may_be_told_of_once_more(tmp_path: Path) -> None:
    passes(rejoined(tmp_path, again_at=5.2).judge("FO-20"))


def test_a_counter_of_another_count_later_is_rejected(tmp_path: Path) -> None:
    rejects(rejoined(tmp_path, again_at=8.2).judge("FO-20"), "missing")


def test_without_a_takeover_the_counters_continuity_is_not_shown(tmp_path: Path) -> None:
    unsure(steady(tmp_path).judge("FO-20"), "no fault was recorded that calls for a takeover")


def test_a_takeover_between_two_who_count_apart_shows_no_continuity(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.beats("primary", 12.9, 15, counter=1011)
    unsure(run.judge("FO-20"), "two masters counted apart")


def test_a_replayed_stream_is_rejected(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.beats("primary", 20.5, 22, counter=1004)
    rejects(run.judge("FO-20"), "2 advertisement(s) of primary were replayed")


@pytest.mark.parametrize(
    ("port", "sender"),
    [
        ("elsewhere/wire0", "an intruder at elsewhere/wire0"),
        ("primary/wire0", "primary"),
        ("secondary/wire0", "secondary"),
    ],
)
def test_recorded_advertisements_replayed_twice_from_a_lower_address_are_rejected(
    tmp_path: Path, port: str, sender: str
) -> None:
    run = takeover(tmp_path)
    recorded = [raw for _, _, raw, _ in run.frames[4:6]]
    for start in (20.4, 25.4):
        for number, raw in enumerate(recorded):
            run.frame(start + number, port, from_address(raw, "192.168.70.0"))
    rejects(run.judge("FO-20"), sender, "replayed")


def test_one_advertisement_replayed_from_elsewhere_is_rejected(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.frame(20.5, "elsewhere/wire0", run.frames[5][2])
    rejects(run.judge("FO-20"), "an intruder at elsewhere/wire0 sent 1 advertisement(s)")


def test_a_stream_recorded_long_ago_and_replayed_by_the_standby_is_not_passed_over(
    tmp_path: Path,
) -> None:
    run = steady(tmp_path)
    run.beats("secondary", 8.5, 20, counter=100)
    run.event(30.3, "fault.injected", "scenario", fault="power-off", node="primary")
    run.frames = [frame for frame in run.frames if frame[0] < 30.3]
    run.beats("secondary", 33.4, 40, counter=1030)
    unsure(run.judge("FO-20"), "two masters for")


def test_one_advertisement_of_another_count_amid_the_masters_is_rejected(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.beats("secondary", 5.5, 6, counter=500)
    rejects(run.judge("FO-20"), "a replayed advertisement")


def test_a_node_that_resumes_once_the_fault_was_watched_may_count_on_from_before(
    tmp_path: Path,
) -> None:
    run = takeover(tmp_path, fault="pause").without("fault.watched")
    run.event(25, "fault.watched", "scenario", node="primary")
    run.beats("primary", 25.5, 26, counter=1011)
    passes(run.judge("FO-20"))


@pytest.mark.parametrize("every", [7, 1000])
def test_advertisements_duplicated_within_400_us_are_no_replay(tmp_path: Path, every: int) -> None:
    run = takeover(tmp_path)
    run.frames += [(at + 0.0004, *rest) for at, *rest in run.frames[::every]]
    passes(run.judge("FO-20"))


def test_a_last_advertisement_that_the_standby_did_not_hear_is_in_doubt(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.frames = [frame for frame in run.frames if frame[1] != "secondary/wire0"]
    run.beats("secondary", 13.2, 40, counter=1010)
    unsure(run.judge("FO-20"), "not heard")


def test_a_replayed_stream_is_rejected_in_a_lab_that_was_thawed_too(tmp_path: Path) -> None:
    run = thawed(takeover(tmp_path), 2.3, uncertainty=0.2)
    run.beats("primary", 20.5, 22, counter=1004)
    rejects(run.judge("FO-20"), "replayed")


def thawed(run: Run, at: float, uncertainty: float) -> Run:
    clock = {"behind_ns": 0}
    run.event(at, "lab.thawed", "lab", uncertainty, lab="lab", generation=2, clock=clock)
    return run


def test_a_thawed_lab_counts_on_from_where_it_was_frozen(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] < 25]
    run.beats("primary", 25.7, 40, counter=1005)
    passes(thawed(run, 25.5, uncertainty=0.4).judge("FO-20"))


def test_a_counter_begun_anew_is_rejected(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.frames = [frame for frame in run.frames if frame[1] != "secondary/wire0"]
    run.beats("secondary", 13.2, 40, counter=7_000_000)
    rejects(run.judge("FO-20"), "missing")


def test_a_last_advertisement_that_a_busy_host_keeps_from_being_heard_says_nothing(
    tmp_path: Path,
) -> None:
    run = takeover(tmp_path)
    run.frames = [one for one in run.frames if one[1] != "secondary/wire0"]
    run.beats("secondary", 13.2, 40, counter=1010)
    before = run.judge("FO-20")
    unsure(before, "was not heard there")
    assert not before.late
    is_late(run, "FO-20", "secondary", 10.0, 13.1)


def test_two_masters_of_which_a_busy_host_keeps_one_from_yielding_are_counted_again(
    tmp_path: Path,
) -> None:
    run = takeover(tmp_path, "kill-ucarp")
    for number, at in enumerate((14.1, 16.9, 17.9)):
        run.beats("primary", at, at + 0.5, counter=5000 + number)
    before = run.judge("FO-20")
    unsure(before, "two masters for 3.8 s")
    assert not before.late
    is_late(run, "FO-20", "primary", 14.2, 16.9)


def test_advertisements_that_have_no_counter_show_none(tmp_path: Path) -> None:
    verdict = keepalived(tmp_path).judge("FO-20")
    unsure(verdict, "0 CARP advertisements", "nobody counted")
