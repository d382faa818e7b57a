"""What is to be drawn of a maintenance on the lanes of machines: scripts, services, power, the log.

Which step is out of place, and what no script was for, is what the checks found (`steps`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from checks.multi_node.steps import Maintenance
from evidence.event import Event
from evidence.events.deployment import DeploymentPlanned
from evidence.events.maintenance import (
    ConnectionsLogged,
    PowerSwitched,
    ScriptRun,
    ServerFilesWritten,
    UnitChanged,
)
from evidence.moment import NS
from report.drawn import Bar, Mark

E = TypeVar("E", bound=Event)
_KINDS = ScriptRun | UnitChanged | PowerSwitched | ServerFilesWritten | ConnectionsLogged


@dataclass(frozen=True)
class Scripted:
    """The events of a maintenance, when it began, and its steps where they can be told."""

    events: Sequence[Event]
    zero_ns: int
    steps: Maintenance | None

    def of(self, kind: type[E]) -> list[E]:
        """Return the events of one class."""
        return [one for one in self.events if isinstance(one, kind)]

    @property
    def runs(self) -> list[ScriptRun]:
        """The scripts, in the order in which they were typed."""
        return sorted(self.of(ScriptRun), key=lambda one: (one.began_ns, one.source))

    @property
    def machines(self) -> tuple[str, ...]:
        """The controller, the nodes, and what else had a script or an event of these kinds."""
        planned = [
            machine.name
            for one in self.of(DeploymentPlanned)[:1]
            for role in ("controller", "node")
            for machine in one.with_role(role)
        ]
        others = sorted({one.source for one in self.events if isinstance(one, _KINDS)})
        return tuple(dict.fromkeys([*planned, *others]))

    def said(self, run: ScriptRun) -> str:
        """Say from when to when a script ran."""
        since, until = ((at_ns - self.zero_ns) / NS for at_ns in (run.began_ns, run.at_ns))
        return f"{run.source}: {run.script} from {since:.1f} to {until:.1f} s"

    def misplaced(self, run: ScriptRun) -> bool:
        """Whether it is the first that is out of place."""
        found = self.steps.out_of_place if self.steps is not None else None
        return found is not None and found[0].run.line == run.line

    def bars(self) -> Iterator[Bar]:
        """Yield a bar for each script."""
        for run in self.runs:
            kind, name = "script", str(run.script)
            if run.status != 0:
                kind, name = "failed", f"✗ {run.script} ended with {run.status}"
            if self.misplaced(run):
                kind, name = "misplaced", f"✗ {run.script} out of place"
            what = f"{self.said(run)}, ended with {run.status}"
            yield Bar(run.source, run.began_ns, run.at_ns, kind, what, name)

    def marks(self) -> Iterator[Mark]:
        """Yield where each script was typed, and what the machines tell of themselves."""
        for run in self.runs:
            what = f"{self.said(run)}, ended with {run.status}"
            yield Mark(run.began_ns, run.source, "typed", what, run.place)
        yield from self._units()
        for power in self.of(PowerSwitched):
            name = f"power {'on' if power.on else 'off'}"
            kind = "started" if power.on else "stopped"
            what = f"{power.source}: {name}"
            yield Mark(power.at_ns, power.source, kind, what, power.place, name=name)
        for files in self.of(ServerFilesWritten):
            if files.files:
                at_ns = max(one.written_ns for one in files.files)
                what = f"{files.source}: {', '.join(one.name for one in files.files)} written"
                yield Mark(at_ns, files.source, "seen", what, files.place, name="files written")
        for log in self.of(ConnectionsLogged):
            still = sum(row.disconnected_at is None for row in log.rows)
            closed = len(log.rows) - still
            what = f"the log of connections holds {still} open and {closed} closed"
            yield Mark(log.at_ns, log.source, "seen", what, log.place, name=f"log: {still} open")

    def _units(self) -> Iterator[Mark]:
        strays = {one.line for one in self.steps.strays()} if self.steps is not None else set()
        for one in _once(self.of(UnitChanged)):
            short = one.unit.removeprefix("openvpn-server@").removesuffix(".service")
            name, what = f"{short} {one.change}", f"{one.source}: {one.unit} {one.change}"
            kind = str(one.change)
            if one.line in strays:
                kind, name = "stray", f"✗ {name}, by no script"
                what = f"{what}, not by the script for it"
            yield Mark(one.at_ns, one.source, kind, what, one.place, name=name)


def _once(changes: Iterable[UnitChanged]) -> list[UnitChanged]:
    """Leave out what a later reading of a journal tells again; the first one to tell it stays."""
    kept: list[UnitChanged] = []
    for one in changes:
        if not any(_same(one, other) for other in kept):
            kept.append(one)
    return kept


def _same(one: UnitChanged, other: UnitChanged) -> bool:
    apart_ns = abs(one.at_ns - other.at_ns)
    return (one.source, one.unit, one.change) == (
        other.source,
        other.unit,
        other.change,
    ) and apart_ns <= one.uncertainty_ns + other.uncertainty_ns
