"""A scenario's evidence as values, to be changed by rule, written again, and judged.

It is read from what a test's builder has written, so both kinds of builders come to the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol
from unittest.mock import patch

from checks.engine import registry
from checks.engine.verdict import Verdict
from evidence.capture import Capture, Frame
from evidence.clock import HostClock
from evidence.event import Event
from evidence.events import read_event
from evidence.events.deployment import DeploymentPlanned
from evidence.events.pair import PairConfigured
from evidence.events.run import ScenarioEnded, ScenarioStarted
from evidence.history import FILE_NAME, History, read_history
from evidence.moment import NS
from evidence.scenario import E, Evidence
from tests.captures import capture

CAPTURE = "wire/lab.pcapng"
OTHER_SCENARIO = "scenarios/test_other.py::test_something_else"


class Writes(Protocol):
    """A builder's run."""

    def write(self) -> None: ...


class Watched(Evidence):
    """Evidence that remembers which kinds of events a check has asked for, and if for frames."""

    def __init__(self, directory: Path, scenario: str, requirement: str) -> None:
        super().__init__(directory, scenario, requirement)
        self.asked: set[str] = set()

    def events(self, kind: type[E], source: str | None = None) -> list[E]:
        self.asked.add(kind.model_fields["kind"].default)
        return super().events(kind, source)

    @property
    def read_frames(self) -> bool:
        return self._read_frames


@dataclass(frozen=True)
class Recording:
    """Events between the beginning and the end of a scenario, and the frames of its lab.

    between: events of another scenario that are recorded in the middle. others: captures of other
    labs, by their names, as they are.
    """

    scenario: str
    start_ns: int
    end_ns: int
    events: tuple[Event, ...]
    frames: tuple[Frame, ...]
    between: tuple[Event, ...] = ()
    others: tuple[tuple[str, bytes], ...] = ()

    @classmethod
    def read(cls, directory: Path) -> Recording:
        """Read what a builder has written."""
        whole = list(read_history(directory / FILE_NAME))
        (start,) = [one for one in whole if isinstance(one, ScenarioStarted)]
        (end,) = [one for one in whole if isinstance(one, ScenarioEnded)]
        events = tuple(one for one in whole if one not in (start, end))
        frames = tuple(Capture(directory / CAPTURE))
        captures = sorted((directory / CAPTURE).parent.glob("*.pcapng"))
        others = [(one.name, one.read_bytes()) for one in captures if one != directory / CAPTURE]
        return cls(start.scenario, start.at_ns, end.at_ns, events, frames, others=tuple(others))

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return (self.end_ns - self.start_ns) / NS

    def at(self, seconds: float) -> int:
        """Return a moment, given in seconds from the beginning."""
        return self.start_ns + round(seconds * NS)

    @property
    def pair(self) -> PairConfigured | None:
        """The pair as it was last configured; None where there is none."""
        found = [one for one in self.events if isinstance(one, PairConfigured)]
        return found[-1] if found else None

    @property
    def machines(self) -> list[str]:
        """The machines of the deployment; none where there is none."""
        planned = [one for one in self.events if isinstance(one, DeploymentPlanned)]
        return [machine.name for one in planned[-1:] for machine in one.machines]

    def but(self, unwanted: Iterable[Event]) -> Recording:
        """Leave events out."""
        gone = {id(one) for one in unwanted}
        return replace(self, events=tuple(one for one in self.events if id(one) not in gone))

    def changed(
        self, chosen: Iterable[Event], change: Callable[[dict[str, Any]], object]
    ) -> Recording:
        """Change the fields of some events; raises ValidationError for what cannot be recorded."""
        ids = {id(one) for one in chosen}
        return replace(
            self,
            events=tuple(_changed(one, change) if id(one) in ids else one for one in self.events),
        )

    def adding(self, frames: Iterable[Frame]) -> Recording:
        """Add frames."""
        return replace(self, frames=(*self.frames, *frames))

    def only(self, wanted: Callable[[Frame], bool]) -> Recording:
        """Keep some frames."""
        return replace(self, frames=tuple(one for one in self.frames if wanted(one)))

    def write(self, directory: Path) -> None:
        """Write it as a run's directory that holds nothing else, the same octets each time."""
        frames = sorted(self.frames, key=lambda one: one.at_ns)
        moments = [self.start_ns, self.end_ns, *(one.at_ns for one in frames)]
        path = directory / CAPTURE
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(capture(frames, min(moments) - NS, max(moments) + NS))
        for name, content in self.others:
            path.with_name(name).write_bytes(content)
        history = directory / FILE_NAME
        history.unlink(missing_ok=True)
        middle = len(self.events) // 2
        with (
            patch.object(HostClock, "now", lambda: HostClock(self.start_ns, 0)),
            History(history, self.scenario) as own,
            History(history, OTHER_SCENARIO) as other,
        ):
            own.record(ScenarioStarted(source="pytest", at_ns=self.start_ns, lab="lab"))
            for event in self.events[:middle]:
                own.record(event)
            for event in self.between:
                other.record(event)
            for event in self.events[middle:]:
                own.record(event)
            own.record(ScenarioEnded(source="pytest", at_ns=self.end_ns, events=own.recorded))
            # As in a run: what follows carries the hash of the last line that a verdict rests on.
            other.record(ScenarioStarted(source="pytest", at_ns=self.end_ns, lab="another"))

    def judge(self, requirement: str, directory: Path) -> Verdict:
        """Write it, and judge a requirement by it."""
        self.write(directory)
        return registry.judge(requirement, Evidence(directory, self.scenario, requirement))


def _changed(event: Event, change: Callable[[dict[str, Any]], object]) -> Event:
    fields = event.model_dump(mode="json")
    change(fields)
    return read_event(fields)
