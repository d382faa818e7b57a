"""What must never happen, from the first frame of a scenario to its last.

Two masters for longer than an election takes; a holder of the virtual IP beside the active node; a
change of role that no fault explains (a forced fail-back, a reboot loop that moves the pair). No
requirement is registered here: the checks of single requirements owe these things with theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from checks.engine.lateness import missed
from checks.engine.obligations import Obligations
from checks.failover.claims import owe_one_holder
from checks.failover.hearing import unheard
from checks.failover.recorded import Recorded, Steady, kind_of
from checks.failover.regained import change_was_late
from checks.protocols import heartbeat
from checks.protocols.heartbeat import Heartbeat, RoleChange, SplitBrain
from evidence.errors import Imprecise
from evidence.event import Event
from evidence.events.pair import (
    FilterBegan,
    FilterEnded,
    HandoverBegan,
    HandoverEnded,
    NeighboursBegan,
    NeighboursEnded,
    ProfileBegan,
    ProfileEnded,
)
from evidence.events.run import LabBooted, LabThawed
from evidence.events.setup import CommitDone
from evidence.events.takeover import FaultInjected, NodeReturned
from evidence.moment import NS, Moment

_DISTURBED = (
    (FilterBegan, FilterEnded),
    (ProfileBegan, ProfileEnded),
    (NeighboursBegan, NeighboursEnded),
)
"""Spans in which the wire itself keeps the nodes from hearing each other, or may."""
_DONE: tuple[type[Event], ...] = (
    FaultInjected,
    HandoverBegan,
    FilterBegan,
    ProfileBegan,
    CommitDone,
    LabThawed,
)
"""What is done to a pair on purpose: what follows is due to that."""

Stretch = tuple[int, int]


def disturbances(recorded: Recorded) -> list[Stretch]:
    """List when the wire kept the nodes apart, each with the time that healing may take."""
    healing_ns = int(recorded.pair.healing_s * NS)
    found: list[Stretch] = []
    for began, ended in _DISTURBED:
        for begin, end in recorded.any_spans(began, ended):
            start_ns = exact(recorded, begin).earliest_ns
            found.append((start_ns, exact(recorded, end).latest_ns + healing_ns))
    return found


def exact(recorded: Recorded, event: Event) -> Moment:
    """Return when something was; raise Imprecise when that is vaguer than an election is long."""
    unsure_s = event.uncertainty_ns / NS
    if unsure_s > recorded.pair.healing_s:
        why = f"when {kind_of(event)} was is known to {unsure_s:.1f} s only"
        raise Imprecise(f"{event.place}: {why}")
    return event.moment


def repairs(recorded: Recorded) -> list[Stretch]:
    """List when the pair is given back what a fault took, after it was watched and before it heals.

    Until the lab is thawed anew, or a healing time has passed, two may hold the virtual IP.
    """
    anew = {start_ns for start_ns, _ in thaws(recorded)}
    faults = recorded.faults()
    nexts = [later.at.earliest_ns for later in faults[1:]] + [recorded.window.until_ns]
    healing_ns = int((recorded.pair.dead_s + recorded.pair.healing_s) * NS)
    return [
        (fault.until_ns, min(following, fault.until_ns + healing_ns))
        for fault, following in zip(faults, nexts, strict=False)  # without a fault: nothing
        if fault.until_ns not in anew
    ]


def thaws(recorded: Recorded) -> list[Stretch]:
    """List when the lab became another run of itself, from the last moment of the one before.

    Whoever was active when it was frozen is so again: no change of role, and nothing to heal.
    """
    moments = [exact(recorded, event) for event in recorded.evidence.events(LabThawed)]
    return [(moment.earliest_ns, moment.latest_ns) for moment in moments]


def undisturbed_until(
    recorded: Recorded, since_ns: int, *, by: Sequence[type[Event]] = _DONE
) -> int:
    """Return until when (ns) nothing else is done to the pair after a moment, or is recorded."""
    begins = [
        event.moment.earliest_ns
        for kind in by
        for event in recorded.evidence.events(kind)
        if event.at_ns > since_ns
    ]
    return min([*begins, recorded.window.until_ns])


def handovers(recorded: Recorded) -> list[tuple[str, Stretch]]:
    """List when the role was moved by hand, and away from whom."""
    return [
        (begin.node, (begin.at_ns, end.at_ns))
        for begin, end in recorded.any_spans(HandoverBegan, HandoverEnded)
    ]


def owe_active(owed: Obligations, recorded: Recorded, steady: Steady) -> None:
    """Owe that the node which a steady span names as the active one advertises in it."""
    name = steady.active.name
    one = owed.owe(f"{name} is the active node: it advertises")
    if len(recorded.passed.of(name).between(steady.start_ns, steady.end_ns)):
        one.met(*steady.places)
    else:
        one.doubt(f"nothing shows that {name} was active: it sent no advertisement")


def owe_no_split_brain(owed: Obligations, recorded: Recorded) -> None:
    """Owe that two nodes never advertised at once for longer than an election takes.

    Again and again with nothing done meanwhile is one stretch: they have not agreed.
    """
    recorded.heard_of_pair()
    healing_s = recorded.pair.healing_s
    one = owed.owe(f"two masters never for more than {healing_s:.2f} s")
    for those in _disagreements(recorded, split_brains(recorded)):
        who, span = those[0].senders, (those[0].start_ns, those[-1].end_ns)
        lasted_s = (span[1] - span[0]) / NS
        if lasted_s > healing_s:
            why = f"{' and '.join(who)} were masters at once"
            if len(those) > 1:
                why += f" {len(those)} times in {lasted_s:.2f} s, and nothing was done meanwhile"
            else:
                why += f" for {lasted_s:.2f} s"
            excess_s, whose = lasted_s - healing_s, {*who, "wire"}
            missed(one, why, excess_s, span, whose, recorded.lateness, recorded.wire)
    one.met(recorded.wire)


def _disagreements(recorded: Recorded, splits: Iterable[SplitBrain]) -> list[list[SplitBrain]]:
    """Gather splits of the same nodes between which nothing was done that explains the next."""
    causes = _causes(recorded)
    found: list[list[SplitBrain]] = []
    for split in splits:
        before = found[-1][-1] if found else None
        if (
            before is None
            or before.senders != split.senders
            or any(start <= split.start_ns and before.start_ns <= end for start, end in causes)
            or unheard(recorded, split.start_ns)
        ):
            found.append([])
        found[-1].append(split)
    return found


def _causes(recorded: Recorded) -> list[Stretch]:
    """List when something was done after which two nodes may have to agree anew."""
    found = disturbances(recorded) + thaws(recorded)
    found += [stretch for _, stretch in handovers(recorded)]
    for fault in recorded.faults():
        found += [(fault.at.earliest_ns, fault.at.latest_ns), (fault.until_ns, fault.until_ns)]
    for kind in (LabBooted, NodeReturned):
        moments = [event.moment for event in recorded.evidence.events(kind)]
        found += [(moment.earliest_ns, moment.latest_ns) for moment in moments]
    return found


def split_brains(recorded: Recorded) -> list[SplitBrain]:
    """Find when two nodes were masters, outside of what excuses it, and within one thaw."""
    excused = disturbances(recorded)
    return [
        split
        for stretch in within_thaws(recorded, recorded.aired)
        for split in heartbeat.split_brains(stretch)
        if not any(start <= split.start_ns and split.end_ns <= end for start, end in excused)
    ]


def within_thaws(recorded: Recorded, whole: Heartbeat) -> list[Heartbeat]:
    """Cut a heartbeat at each thaw: a thawed node goes on from where it was frozen.

    What came while it was not certain whether the wire ran again belongs to neither side.
    """
    stretches, since_ns = [], recorded.window.from_ns
    for start_ns, end_ns in thaws(recorded):
        stretches.append(whole.between(since_ns, start_ns))
        since_ns = end_ns
    return [*stretches, whole.between(since_ns, recorded.window.until_ns + 1)]


def owe_one_master(owed: Obligations, recorded: Recorded) -> None:
    """Owe one holder of the virtual IP from the first frame to the last, by every kind of claim."""
    owe_no_split_brain(owed, recorded)
    owe_one_holder(owed, recorded, excuses(recorded))


def excuses(recorded: Recorded) -> list[Stretch]:
    """List when two may hold the virtual IP for what was done to the pair."""
    found = disturbances(recorded) + thaws(recorded) + repairs(recorded)
    found += [stretch for _, stretch in handovers(recorded)]
    return found


def tell_strangers(owed: Obligations, recorded: Recorded) -> None:
    """Tell who else uses the pair's VHID on the LAN: it neither passes nor fails the pair."""
    said = {one.what for one in recorded.strangers if one.group == recorded.pair.vhid}
    owed.tell(*sorted(said))


@dataclass(frozen=True)
class _Change:
    """A change of role between two undisputed holders, and since when the one before is silent."""

    change: RoleChange
    since_ns: int


def _changes(recorded: Recorded) -> list[_Change]:
    splits = heartbeat.split_brains(recorded.aired)
    undisputed = Heartbeat(
        tuple(
            one
            for one in recorded.aired
            if not any(split.start_ns <= one.at_ns <= split.end_ns for split in splits)
        )
    )
    found = []
    for change in heartbeat.role_changes(undisputed):
        last = undisputed.before(change.at_ns)
        found.append(_Change(change, change.at_ns if last is None else last.at_ns))
    return found


def owe_no_unexplained_role_change(owed: Obligations, recorded: Recorded) -> None:
    """Owe that the role moved only away from a node that something was done to."""
    recorded.heard_of_pair()
    one = owed.owe("the role moves only when something is done to its holder")
    for found in _changes(recorded):
        if _explained(recorded, found):
            continue
        change = found.change
        if late := change_was_late(recorded, change):
            one.late(late, recorded.wire)
        else:
            one.broken(
                f"the role moved from {change.before} to {change.after}, and nothing that was done "
                f"explains it (at {change.at_ns / NS:.3f})",
                recorded.wire,
            )
    one.met(recorded.wire)


def _explained(recorded: Recorded, found: _Change) -> bool:
    spans = disturbances(recorded) + thaws(recorded)
    spans += [
        (fault.at.earliest_ns, fault.until_ns)
        for fault in recorded.faults()
        if fault.victim.name == found.change.before and fault.event.expects_takeover
    ]
    spans += [stretch for node, stretch in handovers(recorded) if node == found.change.before]
    return any(start <= found.change.at_ns and found.since_ns <= end for start, end in spans)
