"""What one scenario left behind, as checks see it: its events, its frames, the transcripts.

The window: from the scenario's `ScenarioStarted` to the `Judged` of the requirement in question,
or to its `ScenarioEnded`. So a verdict made again later, with more in the files by then, rests on
the same evidence. `flaws` says what is missing, damaged or untrustworthy within the window, of
whatever was read: a verdict on such evidence is UNKNOWN. Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from evidence.capture import Capture, Frame, without_duplicates
from evidence.clock import complaints
from evidence.errors import BadEvidence, Missing
from evidence.event import NS_BOUND, Event
from evidence.events.pair import FilterEnded, ProfileEnded
from evidence.events.run import Judged, ScenarioEnded, ScenarioStarted, SiteHeard
from evidence.events.takeover import FaultInjected
from evidence.files import LARGEST_TEXT, digest_of, inside, is_there, read_whole
from evidence.history import FILE_NAME, Recording, read_history
from evidence.moment import Window
from evidence.run import RunDirectory
from evidence.secret import SecretReference, Secrets

E = TypeVar("E", bound=Event)

_PLAIN = "plain"
"""The profile of a network that drops nothing."""


class Evidence:
    """The evidence of one scenario in a run's directory, for judging one requirement.

    attempt: which beginning of the scenario, from 1; the last one by default. `history` is the
    run's, for who has read it already. Of a run over hosts, `directory` and `history` are one
    host's part, and what is named bears the part's name: a scenario is whole on one host.
    """

    def __init__(
        self,
        directory: Path,
        scenario: str,
        requirement: str = "",
        history: Recording | None = None,
        attempt: int | None = None,
    ) -> None:
        self.directory = directory
        self._files = RunDirectory(directory)
        self.scenario = scenario
        self.requirement = requirement
        self._history = history
        self._attempt = attempt
        self._read_frames = False
        self._guests: set[str] = set()
        self._wrong: dict[str, str] = {}
        """What is wrong with frames that were read, the first of each port."""

    @cached_property
    def _whole(self) -> Recording:
        return read_history(self._files.history) if self._history is None else self._history

    @cached_property
    def _bounds(self) -> tuple[ScenarioStarted, Event]:
        every = self._whole.of(ScenarioStarted, self.scenario)
        starts = [one for one in every if self._attempt in (None, one.attempt)]
        if not starts:
            raise Missing(f"the history has no beginning of {self.scenario}")
        start = starts[-1]
        until = min((one.line for one in every if one.line > start.line), default=NS_BOUND)
        within = self._whole.between(start.line + 1, until - 1)
        ends: list[Event] = [
            one for one in within.of(Judged, self.scenario) if one.requirement == self.requirement
        ]
        ends = ends or [*within.of(ScenarioEnded, self.scenario)]
        if not ends:
            raise Missing(f"the history has no end of {self.scenario}: it was cut off")
        return start, ends[-1]

    @property
    def software(self) -> str:
        """What the guide was followed with, genuine or drop-in; empty where nobody noted it."""
        return self._bounds[0].software

    @cached_property
    def _within(self) -> Recording:
        start, end = self._bounds
        return self._whole.between(start.line, end.line)

    @cached_property
    def window(self) -> Window:
        """The time the scenario took, up to its judging."""
        start, end = self._bounds
        return Window(start.at_ns, end.at_ns)

    @property
    def lab(self) -> str:
        """The name of the lab the scenario ran in."""
        return self._bounds[0].lab

    @property
    def attempt(self) -> int:
        """Which beginning of the scenario this is, from 1."""
        return self._bounds[0].attempt

    def events(self, kind: type[E], source: str | None = None) -> list[E]:
        """Return the scenario's events of one class up to the judging, in the order of time."""
        found = [
            one for one in self._within.of(kind, self.scenario) if source in (None, one.source)
        ]
        return sorted(found, key=lambda one: one.at_ns)

    def need(self, kind: type[E], source: str | None = None) -> list[E]:
        """Return events as `events` does; raise Missing when there are none."""
        found = self.events(kind, source)
        if not found:
            of = f" of {source}" if source else ""
            raise Missing(f"no {kind.model_fields['kind'].default}{of} was recorded")
        return found

    def last(self, kind: type[E], source: str | None = None) -> E:
        """Return the latest of such events; raise Missing when there are none."""
        return self.need(kind, source)[-1]

    @property
    def capture_place(self) -> str:
        """The lab's capture, relative to the run's directory."""
        return self.place(self._capture_name)

    def place(self, name: str) -> str:
        """Return a file that the history names as verdicts name it: with its part."""
        return self._whole.part + name

    @property
    def _capture_name(self) -> str:
        return self._files.place(self._files.capture(self.lab))

    @cached_property
    def _capture(self) -> Capture:
        path = inside(self.directory, self._capture_name)
        if not is_there(path):
            raise Missing(f"{self.capture_place} is not there")
        return Capture(path)

    def guest_capture(self, name: str) -> Capture:
        """Return a capture that was made inside a guest; BadEvidence for a name outside the run."""
        self._guests.add(name)
        return self.wire_capture(name)

    def wire_capture(self, name: str) -> Capture:
        """Return the capture of a lab that the history names; BadEvidence as above."""
        return Capture(inside(self.directory, name))

    def frames(self) -> Iterator[Frame]:
        """Yield the frames of the scenario's lab in its window, each once.

        Raises Missing when the lab left no capture, BadEvidence when it is none.
        """
        self._read_frames = True
        for frame in without_duplicates(self._capture):
            if self.window.holds(frame.at_ns):
                self._note(frame)
                yield frame

    def _note(self, frame: Frame) -> None:
        """Note that a frame is not whole: what its sender said is not known."""
        if frame.short:
            what = f"{frame.short} octets of a frame of {frame.interface} were not recorded"
            self._wrong.setdefault(frame.interface, f"{self.capture_place}: {what}")

    def every_frame(self) -> Iterator[Frame]:
        """Yield the frames as `frames` does, and again each that stands there more than once."""
        self._read_frames = True
        return (frame for frame in self._capture if self.window.holds(frame.at_ns))

    def flaws(self) -> list[str]:
        """Say what keeps a verdict from resting on what has been read.

        Damage, holes, clocks that were set; and a fault or a filter on the wire that hit no frame:
        then nothing was provoked.
        """
        found = [str(one) for one in self._within.damage]
        found += _hit_nothing(self._within, self.scenario)
        clocks = [(one.event.place, one.host_clock, one.event.at_ns) for one in self._within.lines]
        found += complaints(clocks)
        if self._read_frames:
            found += self._wrong.values()
            found += [what for one in self.events(SiteHeard) for what in one.troubles]
            coverage = self._capture.coverage()
            found += [
                hole.why for hole in coverage.holes(self.window.from_ns, self.window.until_ns)
            ]
        return list(dict.fromkeys(found))

    def digests(self) -> Mapping[str, str]:
        """Return the SHA-256 of what was read, by file: a line's chain, a capture's last mark.

        A guest's capture has no marks: of that it is the whole file's, where it can be read.
        """
        end = self._bounds[1].line
        found = {self.place(f"{FILE_NAME}:{end}"): self._whole.hash_at(end)}
        if self._read_frames:
            digest = self._capture.coverage().last_digest(self.window.until_ns)
            found[self.capture_place] = digest
        for name in sorted(self._guests):
            with suppress(BadEvidence):
                found[self.place(name)] = digest_of(inside(self.directory, name), "capture")[1]
        return found

    def secret(self, reference: SecretReference) -> str:
        """Return a secret that the history refers to; raise Missing when it was not given along."""
        return Secrets(self.directory).resolve(reference)

    def transcript(self, machine: str) -> str:
        """Return what provisioning typed on `machine`; raise Missing when it was not kept."""
        place = self._files.place(self._files.transcript(self.lab, machine))
        path = inside(self.directory, place)
        if not is_there(path):
            raise Missing(f"{self.place(place)} is not there")
        return read_whole(path, "transcript", LARGEST_TEXT).decode(errors="replace")


def _hit_nothing(within: Recording, scenario: str) -> Iterator[str]:
    """Yield what was to drop frames on the wire, and dropped none."""
    for fault in within.of(FaultInjected, scenario):
        if fault.hits == 0:
            yield f"the fault {fault.fault} hit no frame ({fault.place})"
    for ended in within.of(FilterEnded, scenario):
        if ended.hits == 0:
            yield f"the filter {ended.filter} hit no frame ({ended.place})"
    for profile in within.of(ProfileEnded, scenario):
        if profile.hits == 0 and profile.profile != _PLAIN:
            yield f"the profile {profile.profile} hit no frame ({profile.place})"
