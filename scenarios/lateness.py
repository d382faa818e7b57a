"""How late a scenario's lab was, on its way into the history.

Only what was late is recorded (`HostLate`), and once a scenario that this host cannot tell
(`HostLatenessUnknown`). It is written by the scenario's own thread when it has something judged,
and when it ends: the watch's thread never waits for a history.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from evidence.events.run import HostLate, HostLatenessUnknown
from evidence.history import History
from lab.lab import Lab
from lab.lateness import SCENARIO, LatenessWatch, processes
from lab.testbed import Testbed


class Lateness:
    """What a watch has seen, and not yet recorded."""

    def __init__(self, watch: LatenessWatch) -> None:
        self._watch = watch
        self._said = ""

    def record(self, history: History) -> None:
        """Record what was late since the last call; and once, if that cannot be known."""
        for late in self._watch.take():
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
        if self._watch.not_measured and not self._said:
            self._said = self._watch.not_measured
            history.record(HostLatenessUnknown(source="host", reason=self._said))


@contextmanager
def watched(lab: Testbed) -> Iterator[Lateness]:
    """Watch the processes of `lab` for the block; of a site's, this one is known only."""

    def found() -> dict[str, int]:
        return processes(lab) if isinstance(lab, Lab) else {SCENARIO: os.getpid()}

    with LatenessWatch(found) as watch:
        yield Lateness(watch)
