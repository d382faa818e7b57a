"""How late a scenario's lab was, on its way into the history.

    host.late           source: a machine's name, "wire" or "scenario"; at_ns: until when;
                        from_ns, kept_ns (for how long of that it could run and was kept from it),
                        pressure_ns (for how long anybody on this host waited; null: not told)
    host.late_unknown   source: "lab"; reason: why this host cannot tell. Once a scenario.

Only what was late is recorded. It is written by the scenario's own thread when it has something
judged, and when it ends: a history has one writer a scenario.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from checks.history import History
from lab.lab import Lab
from lab.lateness import LatenessWatch, processes

LATE, NOT_MEASURED = "host.late", "host.late_unknown"


class Lateness:
    """What a watch has seen, and not yet recorded."""

    def __init__(self, watch: LatenessWatch) -> None:
        self._watch = watch
        self._said = ""

    def record(self, history: History) -> None:
        """Record what was late since the last call; and once, if that cannot be known."""
        for late in self._watch.take():
            history.record(
                LATE,
                late.of,
                at_ns=late.until_ns,
                from_ns=late.from_ns,
                kept_ns=late.kept_ns,
                pressure_ns=late.pressure_ns,
            )
        if self._watch.not_measured and not self._said:
            self._said = self._watch.not_measured
            history.record(NOT_MEASURED, "lab", reason=self._said)


@contextmanager
def watched(lab: Lab) -> Iterator[Lateness]:
    """Watch the processes of `lab` for the block."""
    with LatenessWatch(lambda: processes(lab)) as watch:
        yield Lateness(watch)
