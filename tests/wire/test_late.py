"""A wire that stood still says when and for how long, whatever kept it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from evidence.events.run import HostLate
from evidence.history import History, read_history
from evidence.mark import EVERY_NS, LATE_NS
from lab.lateness import LatenessWatch
from lab.wire import recorder as recorder_module
from lab.wire.late import MOST_KEPT, LateMark, LateMarks
from lab.wire.recorder import FLUSH_AFTER_NS, Recorder
from scenarios.lateness import Lateness
from tests.wire.conftest import Bench

T = 1_700_000_000_000_000_000
STOPPED_S = 2.5


class Clock:
    """The clocks of a host, as a recorder reads them, that go on when they are told to."""

    def __init__(self) -> None:
        self.at_ns, self.epoch_ns = 7 * EVERY_NS, T

    def now(self) -> Clock:
        return self

    asleep_ns = 0

    def monotonic_ns(self) -> int:
        return self.at_ns


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    one = Clock()
    monkeypatch.setattr(recorder_module, "HostClock", one)
    monkeypatch.setattr(recorder_module, "time", one)
    return one


def test_a_mark_that_came_late_is_kept_with_the_stretch_since_the_one_before(
    tmp_path: Path, clock: Clock
) -> None:
    with Recorder(tmp_path / "wire.pcapng") as recorder:
        before_ns = T + clock.at_ns
        clock.at_ns += EVERY_NS + LATE_NS
        recorder.mark()
        assert recorder.late.after(0) == [
            LateMark(1, before_ns, before_ns + EVERY_NS + LATE_NS, LATE_NS)
        ]


def test_a_mark_that_came_in_time_is_not_kept(tmp_path: Path, clock: Clock) -> None:
    with Recorder(tmp_path / "wire.pcapng") as recorder:
        clock.at_ns += EVERY_NS + LATE_NS - 1
        recorder.mark()
        assert recorder.late.after(0) == []


def test_what_a_timer_or_a_nic_was_late_by_counts_as_the_mark_says_it(
    tmp_path: Path, clock: Clock
) -> None:
    with Recorder(tmp_path / "wire.pcapng") as recorder:
        clock.at_ns += EVERY_NS
        recorder.drain = lambda: setattr(recorder, "late_ns", 2 * LATE_NS)
        recorder.mark()
        (late,) = recorder.late.after(0)
        assert late.late_ns == 2 * LATE_NS
        recorder.drain = lambda: None


def test_nobody_is_late_by_more_than_the_stretch(tmp_path: Path, clock: Clock) -> None:
    """A delayed frame that a pause held back was due long before."""
    with Recorder(tmp_path / "wire.pcapng") as recorder:
        clock.at_ns += EVERY_NS
        recorder.late_ns = 10 * EVERY_NS
        recorder.mark()
        (late,) = recorder.late.after(0)
        assert late.late_ns == late.until_ns - late.from_ns == EVERY_NS


def test_a_clock_that_is_set_meanwhile_makes_no_stretch_longer(
    tmp_path: Path, clock: Clock
) -> None:
    with Recorder(tmp_path / "wire.pcapng") as recorder:
        clock.at_ns += 2 * EVERY_NS
        clock.epoch_ns += 3600 * 10**9
        recorder.mark()
        (late,) = recorder.late.after(0)
        assert late.until_ns == clock.epoch_ns + clock.at_ns
        assert late.until_ns - late.from_ns == 2 * EVERY_NS


def test_late_marks_are_numbered_and_the_first_of_too_many_go() -> None:
    kept = LateMarks()
    for number in range(MOST_KEPT + 2):
        kept.note(T + number, T + number + LATE_NS, LATE_NS)
    assert [late.number for late in kept.after(0)] == list(range(3, MOST_KEPT + 3))
    assert [late.number for late in kept.after(MOST_KEPT + 1)] == [MOST_KEPT + 2]


def test_a_wire_tells_its_late_marks_once_a_mark_that_is_due_is_made(bench: Bench) -> None:
    stop(bench, 2 * EVERY_NS)
    told = bench.wire.late_marks()
    assert max(late.late_ns for late in told) >= LATE_NS
    assert bench.wire.late_marks(after=told[-1].number) == []


def test_a_timer_that_a_standstill_made_late_is_told_by_who_is_heard_before_it(
    bench: Bench,
) -> None:
    bench.wire.flush()
    bench.a.send(bench.a.frame())
    bench.b.take()
    bench.wire.counters()  # it is gathered, too
    stopped_ns = stop(bench, FLUSH_AFTER_NS + LATE_NS)
    late = bench.wire.late_marks()[-1]
    assert late.late_ns >= stopped_ns - FLUSH_AFTER_NS


def test_a_wire_that_was_stopped_is_late_in_the_history(bench: Bench, tmp_path: Path) -> None:
    with LatenessWatch(dict) as watch:
        lateness = Lateness(watch, bench.wire)
        from_ns = time.time_ns()
        stopped_ns = stop(bench, int(STOPPED_S * 10**9))
        with History(tmp_path / "history.jsonl", "test_it") as history:
            lateness.record(history)
            lateness.record(history)
    late = [event for event in read_history(history.path) if isinstance(event, HostLate)]
    (one,) = [event for event in late if event.kept_ns >= stopped_ns - EVERY_NS >= 1.9e9]
    assert one.of == "wire"
    assert one.until_ns >= from_ns + stopped_ns
    assert one.until_ns - one.from_ns >= stopped_ns


def stop(bench: Bench, ns: int) -> int:
    """Stop the wire's process for so long; for how long it was at least."""
    os.kill(bench.wire.pid, signal.SIGSTOP)
    stopped_ns = time.monotonic_ns()
    time.sleep(ns / 10**9)
    stopped_ns = time.monotonic_ns() - stopped_ns
    os.kill(bench.wire.pid, signal.SIGCONT)
    return stopped_ns
