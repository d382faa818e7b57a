"""How late a scenario's lab was, on its way into the history.

Only what was late is recorded (`HostLate`), and once a scenario that this host cannot tell
(`HostLatenessUnknown`). It is written by the scenario's own thread when it has something judged,
and when it ends: the watch's thread never waits for a history.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from typing import Protocol

from evidence.events.run import HostLate, HostLatenessUnknown
from evidence.history import History
from lab.errors import WireError
from lab.lab import Lab
from lab.lateness import SCENARIO, WIRE, Late, LatenessWatch, processes, switched_on
from lab.testbed import Testbed
from lab.wire.late import LateMark


class LateMarks(Protocol):
    """A wire that says where it came late."""

    def late_marks(self, after: int = 0) -> Sequence[LateMark]:
        """Return what is behind the late mark of number `after`."""


class Lateness:
    """What a watch has seen, and a lab's `wire` was late by, that is not yet recorded."""

    def __init__(self, watch: LatenessWatch, wire: LateMarks | None = None) -> None:
        self._watch = watch
        self._wire = wire
        self._last = 0
        self._unknown = ""
        self._said = False
        for late in self._marks():  # what was before is no part of the scenario
            self._last = late.number

    def record(self, history: History) -> None:
        """Record what was late since the last call; and once, if that cannot be known."""
        for late in (*self._watch.take(), *self._of_the_wire()):
            history.record(
                HostLate(
                    source="host",
                    of=late.of,
                    at_ns=late.until_ns,
                    from_ns=late.from_ns,
                    kept_ns=late.kept_ns,
                    pressure_ns=late.pressure_ns,
                )
            )
        unknown = self._watch.not_measured or self._watch.unmeasured or self._unknown
        if unknown and not self._said:
            self._said = True
            history.record(HostLatenessUnknown(source="host", reason=unknown))

    def _of_the_wire(self) -> Iterator[Late]:
        """Yield where the wire stood still, for whatever reason, since the last call."""
        for late in self._marks():
            if forgotten := late.number - self._last - 1:
                self._unknown = (
                    "the wire came late so often that it does not know of "
                    f"{forgotten} times any more"
                )
            self._last = late.number
            yield Late(WIRE, late.from_ns, late.until_ns, late.late_ns)

    def _marks(self) -> Sequence[LateMark]:
        try:
            return () if self._wire is None else self._wire.late_marks(after=self._last)
        except WireError as error:
            self._unknown = f"how late the wire was is not known: {error.message}"
            return ()


@contextmanager
def watched(lab: Testbed) -> Iterator[Lateness]:
    """Watch the processes of `lab` for the block; of a site's, this one is known only."""
    wire = lab.wire if isinstance(lab, Lab) else None

    def found() -> dict[str, int]:
        return processes(lab) if isinstance(lab, Lab) else {SCENARIO: os.getpid()}

    def on() -> Set[str]:
        return switched_on(lab) if isinstance(lab, Lab) else frozenset()

    with LatenessWatch(found, on) as watch:
        yield Lateness(watch, wire)
