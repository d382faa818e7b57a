"""What must never happen, from the first frame of a scenario to its last.

Two holders of the virtual IP longer than the protocol allows; a change of role that no fault
explains (a forced fail-back, a reboot loop that moves the pair). The wire's advertisements
become events, and the temporal predicates judge those. No requirement is registered here: the
checks of single requirements add these verdicts to theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

from checks.engine import temporal
from checks.engine.verdict import Verdict, passed
from checks.failover.pair import Recorded
from checks.protocols import heartbeat
from evidence.history import Event

DISTURBED = ("filter", "profile", "neighbours")
"""Spans in which the wire itself keeps the nodes from hearing each other, or may."""


@dataclass(frozen=True)
class WireEvent(Event):
    """An event that was not recorded as such but read off the capture."""

    @property
    def place(self) -> str:
        """Where it stands: in the lab's capture."""
        return str(self.data["capture"])


def disturbances(recorded: Recorded) -> list[tuple[int, int]]:
    """List when the wire kept the nodes apart, each with the time that healing may take."""
    healing_ns = int(healing_s(recorded) * heartbeat.NS)
    return [
        (begin.at_ns - begin.uncertainty_ns, end.at_ns + end.uncertainty_ns + healing_ns)
        for name in DISTURBED
        if recorded.evidence.events(f"{name}.begin")
        for begin, end in recorded.spans(name)
    ]


def thaws(recorded: Recorded) -> list[tuple[int, int]]:
    """List when the lab became another run of itself, from the last moment of the one before.

    Whoever was active when it was frozen is so again: no change of role, and nothing to heal.
    """
    return [
        (event.at_ns - event.uncertainty_ns, event.at_ns + event.uncertainty_ns)
        for event in recorded.evidence.events("lab.thawed")
    ]


def healing_s(recorded: Recorded) -> float:
    """Compute how long two masters may last that hear each other, by the configured timers."""
    return max(node.engine.healing().maximum_s for node in recorded.pair.nodes.values())


def role_events(recorded: Recorded) -> list[Event]:
    """Make a `wire.role` event of each change between two undisputed reigns.

    Explained is a change away from the victim of a fault or from a node whose role was handed
    over, or one across a disturbance or a thaw.
    """
    group = recorded.pair.vhid
    duals = heartbeat.dual_spans(recorded.aired, group)
    undisputed = heartbeat.Heartbeat(
        tuple(
            beat
            for beat in recorded.aired
            if not any(span.start_ns <= beat.at_ns <= span.end_ns for span in duals)
        )
    )
    return [
        _event(
            recorded,
            "wire.role",
            change.at_ns,
            before=change.before,
            after=change.after,
            explained=_explained(recorded, change, undisputed),
        )
        for change in heartbeat.role_changes(undisputed, group)
    ]


def _explained(
    recorded: Recorded, change: heartbeat.RoleChange, reigns: heartbeat.Heartbeat
) -> bool:
    last = reigns.before(change.at_ns)
    since = change.at_ns if last is None else last.at_ns
    spans = disturbances(recorded) + thaws(recorded)
    if recorded.evidence.events("fault.begin"):
        spans += [
            (fault.at.at_ns - fault.at.uncertainty_ns, fault.until_ns)
            for _, fault in recorded.faults()
            if fault.victim == change.before
        ]
    if recorded.evidence.events("handover.begin"):
        spans += [
            (begin.at_ns, end.at_ns)
            for begin, end in recorded.spans("handover")
            if recorded.pair.node(str(begin["node"])).address == change.before
        ]
    return any(start <= change.at_ns and since <= end for start, end in spans)


def dual_events(recorded: Recorded) -> list[Event]:
    """Make `wire.dual` events of when two nodes begin and cease to advertise at once.

    Stretches within a disturbance are left out: there, two masters are what must come.
    """
    excused = disturbances(recorded)
    events = []
    for span in heartbeat.dual_spans(recorded.aired, recorded.pair.vhid):
        if any(start <= span.start_ns and span.end_ns <= end for start, end in excused):
            continue
        both = " and ".join(span.senders)
        events += [
            _event(recorded, "wire.dual", span.start_ns, holders=both, dual=True),
            _event(recorded, "wire.dual", span.end_ns, holders=both, dual=False),
        ]
    return events


def _event(recorded: Recorded, kind: str, at_ns: int, **data: object) -> Event:
    data["capture"] = recorded.evidence.capture_place
    return WireEvent(at_ns, str(data.get("holders", data.get("after"))), kind, data)


def no_unexplained_role_change(recorded: Recorded) -> Verdict:
    """Judge that the pair changed roles only away from a node that something was done to."""
    unexplained = temporal.where("wire.role", explained=False)
    changes = role_events(recorded)
    verdict = temporal.never(
        temporal.Pattern("a change of role that nothing explains", unexplained.matches)
    ).judge(changes)
    recorded.heard_of_pair()
    return verdict


def no_two_holders(recorded: Recorded) -> Verdict:
    """Judge that two nodes never advertised at once for longer than an election takes."""
    recorded.heard_of_pair()
    events = dual_events(recorded)
    if not events:
        return passed("two holders never")
    return temporal.never_longer(
        healing_s(recorded),
        "two holders of the virtual IP",
        False,
        lambda _, event: bool(event.data["dual"]),
        bool,
    ).judge(events)
