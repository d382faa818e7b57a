"""What was late on its way into the history."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from evidence.events.run import HostLate, HostLatenessUnknown
from evidence.history import History, read_history
from lab.lateness import Late
from scenarios.lateness import Lateness, watched

T = 1_700_000_000_000_000_000


class Seen:
    """A watch that has seen what it is told to."""

    def __init__(self, *late: Late, not_measured: str = "") -> None:
        self.late = list(late)
        self.not_measured = not_measured

    def take(self) -> list[Late]:
        taken, self.late = self.late, []
        return taken


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
