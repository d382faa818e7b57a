"""A host whose clock was set, or that slept, in the middle of a scenario judges nobody."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.engine import registry
from checks.engine.obligations import Obligations
from checks.engine.registry import judge
from checks.engine.verdict import Status
from evidence import history
from evidence.clock import NS, TOLERANCE_NS, HostClock, complaints
from evidence.events.run import HostLate, ScenarioEnded, ScenarioStarted
from evidence.history import History, read_history
from evidence.scenario import Evidence

AWAKE = HostClock(1_795_000_000 * NS, 3 * NS)


def moved(*, set_by: int = 0, slept: int = 0) -> HostClock:
    """Return what a host says whose wall clock was set, or which slept (and woke up on time)."""
    return HostClock(AWAKE.epoch_ns + set_by + slept, AWAKE.asleep_ns + slept)


def said(*readings: HostClock | None, every_s: float = 0) -> list[str]:
    """Return the complaints about readings that were made so far apart."""
    each = enumerate(readings, start=1)
    return list(complaints((f"history.jsonl:{n}", one, int(n * every_s * NS)) for n, one in each))


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


def test_small_steps_add_up() -> None:
    stepped = [moved(set_by=-45_000_000 * number) for number in range(5)]
    assert said(*stepped, every_s=0.5) == [
        "the host's clock was set by -0.090 s, between history.jsonl:1 and history.jsonl:3",
        "the host's clock was set by -0.090 s, between history.jsonl:3 and history.jsonl:5",
    ]


def test_a_host_that_sleeps_again_and_again_is_found() -> None:
    assert len(said(*(moved(slept=45_000_000 * number) for number in range(5)), every_s=1)) == 2


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_clock_that_is_slewed_for_hours_was_not_set(sign: int) -> None:
    slewed = [moved(set_by=sign * 500_000 * second) for second in range(3 * 3600)]
    assert said(*slewed, every_s=1) == []


def test_a_step_in_the_middle_of_a_slew_is_found_where_it_is() -> None:
    slewed = [moved(set_by=400_000 * second) for second in range(3600)]
    stepped = [moved(set_by=400_000 * second + 80_000_000) for second in range(3600, 3700)]
    (told,) = said(*slewed, *stepped, every_s=1)
    assert told.endswith("between history.jsonl:3600 and history.jsonl:3601")


def test_readings_that_scatter_are_no_steps() -> None:
    scattered = [moved(set_by=(-1) ** number * 20_000_000) for number in range(1000)]
    assert said(*scattered, every_s=0.5) == []


def test_this_hosts_clocks_are_read_as_they_are() -> None:
    readings = [HostClock.now() for _ in range(50)]
    assert list(complaints((str(n), one, n) for n, one in enumerate(readings))) == []


def show(evidence: Evidence, owed: Obligations) -> None:
    """Pass by what the history says."""
    owed.require(True, "fine", "", evidence.need(HostLate)[0].place)


def miss(evidence: Evidence, owed: Obligations) -> None:
    """Fail, as over a duration that the clock made too long."""
    owed.require(False, "in time", "too late by 4 s", evidence.need(HostLate)[0].place)


def by(monkeypatch: pytest.MonkeyPatch, check: registry.Check) -> None:
    monkeypatch.setattr(registry, "_load", lambda: None)
    monkeypatch.setattr(registry, "_checks", {"LAB-08": check})


def write(directory: Path, *clocks: HostClock, monkeypatch: pytest.MonkeyPatch) -> Evidence:
    """Write a scenario of as many events as there are readings of the host's clocks."""
    readings = iter(clocks)
    monkeypatch.setattr(history.HostClock, "now", lambda: next(readings))
    with History(directory / "history.jsonl", "it") as written:
        written.record(ScenarioStarted(source="pytest", lab="lab"))
        for _ in clocks[2:]:
            written.record(HostLate(source="lab", of="wire", from_ns=0, kept_ns=0))
        written.record(ScenarioEnded(source="pytest", events=written.recorded))
    return Evidence(directory, "it", "LAB-08")


@pytest.mark.parametrize(("check", "status"), [(show, "PASS"), (miss, "FAIL")])
def test_over_a_step_of_the_clock_every_verdict_is_unknown(
    check: registry.Check, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by(monkeypatch, check)
    evidence = write(tmp_path, AWAKE, AWAKE, moved(set_by=-4 * NS), monkeypatch=monkeypatch)
    judged = judge("LAB-08", evidence)
    assert judged.status is Status.UNKNOWN
    assert "the host's clock was set by -4.000 s" in judged.reasons[0]
    assert f"it would be {status}" in judged.reasons


def test_over_small_steps_that_add_up_a_verdict_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by(monkeypatch, show)
    stepped = [moved(set_by=-45_000_000 * number) for number in range(80)]
    judged = judge("LAB-08", write(tmp_path, *stepped, monkeypatch=monkeypatch))
    assert judged.status is Status.UNKNOWN, judged.text


def test_without_a_step_the_same_evidence_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by(monkeypatch, show)
    evidence = write(tmp_path, AWAKE, AWAKE, AWAKE, monkeypatch=monkeypatch)
    assert judge("LAB-08", evidence).status is Status.PASS


def test_what_happened_before_the_scenario_is_not_held_against_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by(monkeypatch, show)
    with History(tmp_path / "history.jsonl", "before") as written:
        monkeypatch.setattr(history.HostClock, "now", lambda: AWAKE)
        written.record(ScenarioStarted(source="pytest", lab="lab"))
    later = [moved(set_by=60 * NS)] * 3
    assert judge("LAB-08", write(tmp_path, *later, monkeypatch=monkeypatch)).status is Status.PASS


def test_a_line_keeps_what_the_clocks_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, AWAKE, moved(slept=NS), monkeypatch=monkeypatch)
    lines = read_history(tmp_path / "history.jsonl").lines
    assert [line.host_clock for line in lines] == [AWAKE, moved(slept=NS)]


def test_a_host_that_never_slept_is_not_told_to_have_slept_less_than_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("time.monotonic_ns", iter(range(1000, 1_000_000, 10)).__next__)
    monkeypatch.setattr("time.clock_gettime_ns", lambda _: 990)
    assert HostClock.now().asleep_ns == 0
