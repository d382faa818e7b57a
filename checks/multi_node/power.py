"""Machines of a deployment that lost their power: from when to when, and that the wire shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from checks.engine.lateness import unclear
from checks.engine.obligations import Obligations
from checks.multi_node.traffic import FRAME_LATE_NS, port_owner
from evidence.coverage import clock_text
from evidence.events.maintenance import PowerSwitched
from evidence.events.run import HostLate
from evidence.moment import NS, Window
from evidence.scenario import Evidence


@dataclass(frozen=True)
class Outage:
    """The time in which a machine was surely off; to the scenario's end when it stayed so."""

    machine: str
    off: PowerSwitched
    during: Window
    back_ns: int
    """When it was surely on again; the scenario's end when it stayed off."""

    def __str__(self) -> str:
        return f"{self.machine} off from {clock_text(self.off.at_ns)}"


def outages(evidence: Evidence, machine: str) -> Iterator[Outage]:
    """Yield each outage of a machine, in the order of time."""
    switched = evidence.events(PowerSwitched, machine)
    for number, one in enumerate(switched):
        if not one.on:
            back = [later.moment for later in switched[number + 1 :] if later.on]
            end_ns = evidence.window.until_ns
            until_ns = min((at.earliest_ns for at in back), default=end_ns)
            back_ns = min((at.latest_ns for at in back), default=end_ns)
            yield Outage(machine, one, Window(one.moment.latest_ns, until_ns), back_ns)


def owe_silence(outage: Outage, evidence: Evidence, owed: Obligations) -> None:
    """Owe that the machine sent frames before its outage, and none in it but a late one."""
    silent = Window(outage.during.from_ns + FRAME_LATE_NS, outage.during.until_ns)
    before, during = 0, list[int]()
    for frame in evidence.frames():
        if port_owner(frame) == outage.machine:
            heard = frame.passed_to_all and frame.at_ns < outage.off.moment.earliest_ns
            before += heard
            during += [frame.at_ns] * silent.holds(frame.at_ns)
    one = owed.owe(f"{outage}: the wire carried nothing of it")
    if not before:
        one.doubt(f"{outage.machine} sent nothing before it was off", outage.off.place)
    elif during:
        why = f"{outage}, and it sent {len(during)} frames meanwhile"
        excess_s, span = (max(during) - silent.from_ns) / NS, (outage.during.from_ns, max(during))
        late, places = evidence.events(HostLate), (outage.off.place,)
        unclear(one, why, max(excess_s, 1 / NS), span, {"wire"}, late, *places)
    else:
        one.met(outage.off.place, evidence.capture_place)
