"""A host whose clock was set, or that slept, in the middle of a scenario judges nobody."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.engine import registry
from checks.engine.registry import judge
from checks.engine.verdict import Status, Verdict, failed, passed
from evidence import history
from evidence.clock import NS, TOLERANCE_NS, HostClock, complaints
from evidence.history import History, read_history
from evidence.scenario import Evidence

AWAKE = HostClock(1_795_000_000 * NS, 3 * NS)


def moved(*, set_by: int = 0, slept: int = 0) -> HostClock:
    """Return what a host says whose wall clock was set, or which slept (and woke up on time)."""
    return HostClock(AWAKE.epoch_ns + set_by + slept, AWAKE.asleep_ns + slept)


def said(*readings: HostClock | None) -> list[str]:
    return list(complaints((f"history.jsonl:{n}", one) for n, one in enumerate(readings, start=1)))


def test_clocks_that_go_on_together_are_no_reason_for_complaint() -> None:
    assert said(AWAKE, moved(set_by=TOLERANCE_NS // 2), AWAKE) == []


def test_a_step_is_told_with_its_place() -> None:
    assert said(AWAKE, AWAKE, moved(set_by=60 * NS)) == [
        "the host's clock was set by +60.000 s, between history.jsonl:2 and history.jsonl:3"
    ]
    assert "set by -4.000 s" in said(AWAKE, moved(set_by=-4 * NS))[0]


def test_a_host_that_slept_is_told_apart_from_one_whose_clock_was_set() -> None:
    (told,) = said(AWAKE, moved(slept=12 * NS))
    assert told.startswith("the host was suspended for 12.0 s")


def test_what_was_set_and_set_back_is_two_steps() -> None:
    assert len(said(AWAKE, moved(set_by=NS), AWAKE)) == 2


def test_a_history_of_before_says_nothing() -> None:
    assert said(None, AWAKE, None, AWAKE) == []
    assert said() == []


@given(st.integers(-(10**18), 10**18))
def test_every_step_larger_than_the_noise_is_found(step: int) -> None:
    assert bool(said(AWAKE, moved(set_by=step))) == (abs(step) > TOLERANCE_NS)


def test_this_hosts_clocks_are_read_as_they_are() -> None:
    readings = [HostClock.now() for _ in range(50)]
    assert list(complaints((str(n), one) for n, one in enumerate(readings))) == []


def write(directory: Path, *clocks: HostClock, monkeypatch: pytest.MonkeyPatch) -> Evidence:
    """Write a scenario of as many events as there are readings of the host's clocks."""
    readings = iter(clocks)
    monkeypatch.setattr(history.HostClock, "now", lambda: next(readings))
    with History(directory / "history.jsonl", "it") as written:
        written.record("scenario.start", "pytest", lab="lab")
        for _ in clocks[2:]:
            written.record("something", "else")
        written.record("scenario.end", "pytest")
    return Evidence(directory, "it", "LAB-08")


@pytest.mark.parametrize("verdict", [passed("fine"), failed("too late by 4 s")])
def test_over_a_step_of_the_clock_every_verdict_is_unknown(
    verdict: Verdict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.checks()
    monkeypatch.setitem(registry._checks, "LAB-08", lambda _: verdict)
    evidence = write(tmp_path, AWAKE, AWAKE, moved(set_by=-4 * NS), monkeypatch=monkeypatch)
    judged = judge("LAB-08", evidence)
    assert judged.status is Status.UNKNOWN
    assert "the host's clock was set by -4.000 s" in judged.reasons[0]
    assert judged.reasons[-1] == f"it would be {verdict.status}"


def test_what_happened_before_the_scenario_is_not_held_against_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.checks()
    monkeypatch.setitem(registry._checks, "LAB-08", lambda _: passed("fine"))
    readings = iter([AWAKE, moved(set_by=60 * NS), moved(set_by=60 * NS)])
    monkeypatch.setattr(history.HostClock, "now", lambda: next(readings))
    for scenario in ("before", "it"):
        with History(tmp_path / "history.jsonl", scenario) as written:
            written.record("scenario.start", "pytest", lab="lab")
            if scenario == "it":
                written.record("scenario.end", "pytest")
    assert judge("LAB-08", Evidence(tmp_path, "it", "LAB-08")).status is Status.PASS


def test_a_line_keeps_what_the_clocks_said(tmp_path: Path) -> None:
    with History(tmp_path / "history.jsonl", "it") as written:
        recorded = written.record("something", "else")
    (read,) = read_history(tmp_path / "history.jsonl")
    assert read.host_clock == recorded.host_clock
    assert read.host_clock is not None
