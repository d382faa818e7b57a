"""What one scenario left behind, as checks see it: its events, its frames, the transcripts.

The window: from the scenario's `scenario.start` event to the `scenario.judge` event of the
requirement in question, or to its `scenario.end`. So a verdict made again later, with more in the
files by then, rests on the same evidence. Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from checks.capture import Capture, Frame
from evidence.clock import complaints
from evidence.errors import Missing
from evidence.history import FILE_NAME, Event, Recording, read_history

START, END, JUDGE = "scenario.start", "scenario.end", "scenario.judge"


@dataclass(frozen=True)
class Window:
    """From when to when, in nanoseconds of the wire's clock, both ends included."""

    from_ns: int
    until_ns: int


class Evidence:
    """The evidence of one scenario in a run's directory, for judging one requirement.

    `history` is the run's, for who has read it already.
    """

    def __init__(
        self,
        directory: Path,
        scenario: str,
        requirement: str = "",
        history: Recording | None = None,
    ) -> None:
        self.directory = directory
        self.scenario = scenario
        self.requirement = requirement
        self.notes: list[str] = []
        self._history = history

    @cached_property
    def _own(self) -> Recording:
        recording = self._history or read_history(self.directory / FILE_NAME)
        if recording.torn:
            lines = ", ".join(map(str, recording.torn))
            self.notes.append(f"{FILE_NAME}: torn and left out: line {lines}")
        return recording.events(scenario=self.scenario)

    @cached_property
    def _bounds(self) -> tuple[Event, Event]:
        starts = self._own.events(START)
        if not starts:
            raise Missing(f"the history has no {START} of {self.scenario}")
        judged = [
            event for event in self._own.events(JUDGE) if event["requirement"] == self.requirement
        ]
        ends = judged or list(self._own.events(END))
        if not ends:
            raise Missing(f"the history has no {END} of {self.scenario}: it was cut off")
        return starts[-1], ends[-1]

    @cached_property
    def window(self) -> Window:
        """The time the scenario took, up to its judging."""
        start, end = self._bounds
        return Window(start.at_ns, end.at_ns)

    @property
    def lab(self) -> str:
        """The name of the lab the scenario ran in."""
        return str(self._bounds[0]["lab"])

    def events(self, kind: str | None = None, source: str | None = None) -> Recording:
        """Return the scenario's events up to the judging, of one kind and source if given."""
        start, end = self._bounds
        within = [event for event in self._own if start.line <= event.line <= end.line]
        return Recording(within).events(kind, source)

    @cached_property
    def clock_complaints(self) -> Sequence[str]:
        """Where the host slept or its clock was set between start and judging: see `host_clock`."""
        return complaints((event.place, event.host_clock) for event in self.events())

    def need(self, kind: str, source: str | None = None) -> Recording:
        """Return events as `events` does; raise Missing when there are none."""
        found = self.events(kind, source)
        if not found:
            of = f" of {source}" if source else ""
            raise Missing(f"no {kind} event{of} was recorded")
        return found

    def last(self, kind: str, source: str | None = None) -> Event:
        """Return the latest of such events; raise Missing when there are none."""
        return self.need(kind, source)[-1]

    @property
    def capture_place(self) -> str:
        """The lab's capture, relative to the run's directory."""
        return f"wire/{self.lab}.pcapng"

    def frames(self) -> Iterator[Frame]:
        """Yield the frames of the scenario's lab in its window.

        Raises Missing when the lab left no capture, BadEvidence when it is none.
        """
        path = self.directory / self.capture_place
        if not path.exists():
            raise Missing(f"{self.capture_place} is not there")
        capture = Capture(path)
        window = self.window
        for frame in capture:
            if window.from_ns <= frame.at_ns <= window.until_ns:
                yield frame
        if capture.cut:
            self.notes.append(f"{self.capture_place} is cut short")

    def transcript(self, machine: str) -> str:
        """Return what provisioning typed on `machine`; raise Missing when it was not kept."""
        path = self.directory / "transcripts" / self.lab / f"{machine}.log"
        if not path.exists():
            raise Missing(f"transcripts/{self.lab}/{machine}.log is not there")
        return path.read_text(errors="replace")
