"""What was late on its way into the history."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from evidence.events.run import HostLate, HostLatenessUnknown
from evidence.history import History, read_history
from lab.errors import WireError
from lab.lateness import Late
from lab.wire.late import LateMark
from scenarios.lateness import Lateness, watched

T = 1_700_000_000_000_000_000


class Seen:
    """A watch that has seen what it is told to."""

    def __init__(self, *late: Late, not_measured: str = "", unmeasured: str = "") -> None:
        self.late = list(late)
        self.not_measured = not_measured
        self.unmeasured = unmeasured

    def take(self) -> list[Late]:
        taken, self.late = self.late, []
        return taken


class PretendWire:
    """A wire with late marks; a wire that is gone answers with an error."""

    def __init__(self, *late: LateMark) -> None:
        self.late = list(late)
        self.gone = False

    def late_marks(self, after: int = 0) -> list[LateMark]:
        if self.gone:
            raise WireError("the wire is gone")
        return [late for late in self.late if late.number > after]


def recorded(directory: Path, seen: Any, times: int = 1) -> Any:
    lateness = Lateness(seen)
    with History(directory / "history.jsonl", "test_it") as history:
        for _ in range(times):
            lateness.record(history)
    return read_history(directory / "history.jsonl")


def test_who_was_late_is_an_event_of_that_process_and_of_the_scenario(tmp_path: Path) -> None:
    (event,) = recorded(tmp_path, Seen(Late("secondary", T, T + 200, 150, 180)), times=2)
    assert isinstance(event, HostLate)
    assert (event.of, event.scenario) == ("secondary", "test_it")
    assert (event.from_ns, event.until_ns) == (T, T + 200)
    assert (event.kept_ns, event.pressure_ns) == (150, 180)


def test_a_host_that_was_not_busy_leaves_no_event(tmp_path: Path) -> None:
    assert len(recorded(tmp_path, Seen(), times=3)) == 0


def test_a_host_that_cannot_tell_says_so_once(tmp_path: Path) -> None:
    (event,) = recorded(tmp_path, Seen(not_measured="no schedstat"), times=3)
    assert isinstance(event, HostLatenessUnknown)
    assert event.reason == "no schedstat"


def test_a_machine_that_cannot_be_measured_is_said_once_beside_what_was_late(
    tmp_path: Path,
) -> None:
    seen = Seen(Late("wire", T, T + 200, 150), unmeasured="a is on")
    late, unknown = recorded(tmp_path, seen, times=3)
    assert isinstance(late, HostLate)
    assert isinstance(unknown, HostLatenessUnknown)
    assert unknown.reason == "a is on"


def test_a_lab_is_watched_for_the_block(tmp_path: Path) -> None:
    lab: Any = SimpleNamespace(
        directory=tmp_path,
        wire=SimpleNamespace(pid=os.getpid()),
        hypervisor=SimpleNamespace(private=True),
        machines={},
    )
    with watched(lab) as lateness, History(tmp_path / "history.jsonl", "test_it") as history:
        lateness.record(history)
    for event in read_history(tmp_path / "history.jsonl"):
        assert isinstance(event, HostLate | HostLatenessUnknown)


def recorded_of(wire: PretendWire, directory: Path, *meanwhile: LateMark, times: int = 2) -> Any:
    """Record several times what a wire was late by since the scenario began."""
    lateness = Lateness(Seen(), wire)
    wire.late += meanwhile
    with History(directory / "history.jsonl", "test_it") as history:
        for _ in range(times):
            lateness.record(history)
    return read_history(directory / "history.jsonl")


def test_a_wire_that_stood_still_was_late_whatever_kept_it(tmp_path: Path) -> None:
    (event,) = recorded_of(PretendWire(), tmp_path, LateMark(1, T, T + 2500, 2000))
    assert isinstance(event, HostLate)
    assert (event.of, event.from_ns, event.until_ns, event.kept_ns) == ("wire", T, T + 2500, 2000)


def test_what_a_wire_was_late_by_before_the_scenario_is_none_of_it(tmp_path: Path) -> None:
    wire = PretendWire(LateMark(1, T - 900, T - 100, 500))
    assert len(recorded_of(wire, tmp_path)) == 0


def test_late_marks_that_the_wire_has_forgotten_are_lateness_that_is_not_known(
    tmp_path: Path,
) -> None:
    late, unknown = recorded_of(PretendWire(), tmp_path, LateMark(3, T, T + 2500, 2000))
    assert isinstance(late, HostLate)
    assert isinstance(unknown, HostLatenessUnknown)
    assert unknown.reason == "the wire came late so often that it does not know of 2 times any more"


def test_a_wire_that_is_gone_breaks_no_scenario_and_is_said_once(tmp_path: Path) -> None:
    wire = PretendWire()
    wire.gone = True
    (unknown,) = recorded_of(wire, tmp_path)
    assert isinstance(unknown, HostLatenessUnknown)
    assert unknown.reason == "how late the wire was is not known: the wire is gone"
