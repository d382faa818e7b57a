"""Two nodes kept apart by the wire: both masters meanwhile, and one again after it.

What FO-42 to 45 and 48 share. A filter that hit no frame proves nothing, whatever the nodes did;
nor does one that found anything but one master when it began. Two masters are the two nodes, each
known by its port. Judges, and registers no check.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import combinations

from checks.engine.lateness import missed
from checks.engine.obligations import Obligation, Obligations
from checks.failover.claims import claims
from checks.failover.hearing import unheard
from checks.failover.keeping import settle_kept
from checks.failover.recorded import Recorded
from checks.failover.whole_run import undisturbed_until
from checks.protocols import heartbeat
from checks.protocols.heartbeat import Heartbeat, SplitBrain
from evidence.events.pair import FilterBegan, FilterEnded, ProfileBegan, ProfileEnded
from evidence.moment import NS, Moment

SPLIT_S = 5.0
HEALED_S = 3.0
ALONE_S = 3.0
"""So long there is one master before the nodes are parted, and after they are healed, at least."""
STILL_PERIODS = 1.5
"""Who has not advertised for so long before the end may be master no more."""


@dataclass(frozen=True)
class Apart:
    """A stretch in which something on the wire keeps the nodes apart, or is said to."""

    name: str
    begin: Moment
    end: Moment
    hits: int
    places: tuple[str, ...]


def filters(recorded: Recorded) -> list[Apart]:
    """Read every filter; raise Missing without one."""
    return [
        Apart(begin.filter, begin.moment, end.moment, end.hits, (begin.place, end.place))
        for begin, end in recorded.spans(FilterBegan, FilterEnded)
    ]


def profiles(recorded: Recorded) -> list[Apart]:
    """Read every profile of the wire; raise Missing without one."""
    return [
        Apart(begin.profile, begin.moment, end.moment, end.hits, (begin.place, end.place))
        for begin, end in recorded.spans(ProfileBegan, ProfileEnded)
    ]


def owe_effective(owed: Obligations, found: Iterable[Apart], *names: str) -> list[Apart]:
    """Owe that what has one of these names hit frames, and return those that did."""
    named = [apart for apart in found if apart.name in names]
    for apart in named:
        if not apart.hits:
            owed.open(f"the filter {apart.name} hit no frame", *apart.places)
    return [apart for apart in named if apart.hits]


def owe_filtered(owed: Obligations, recorded: Recorded, *names: str) -> list[Apart]:
    """Owe that one of these filters was on, and that each of them hit frames."""
    found = filters(recorded)
    named = [apart for apart in found if apart.name in names]
    places = [place for apart in named for place in apart.places]
    owed.at_least(1, named, f"filter(s) named {' or '.join(names)}", *places)
    return owe_effective(owed, named, *names)


def holders(recorded: Recorded, start_ns: int, end_ns: int) -> dict[str, int]:
    """Name who held the virtual IP by any kind of claim in a stretch, each with its last one.

    An advertisement that the wire dropped is one: its sender believes that it is the master.
    """
    return {who: at_ns for at_ns, who in _held(recorded, start_ns, end_ns)}


def _held(recorded: Recorded, start_ns: int, end_ns: int) -> list[tuple[int, str]]:
    """List each such claim in a stretch, and whose it is, in the order of time."""
    sent = recorded.sent.in_group(recorded.pair.vhid).between(start_ns, end_ns)
    held = [(one.at_ns, one.sender) for one in sent if not one.resigning]
    held += [(one.at_ns, one.who) for one in claims(recorded) if start_ns <= one.at_ns < end_ns]
    return sorted(held)


def second_late(recorded: Recorded, start_ns: int, end_ns: int) -> str | None:
    """Say what a busy host did, where it is why both nodes held the virtual IP in a stretch.

    None where it does not explain each time that one of them began to hold it after the other, or
    where they held it together for longer than an election takes.
    """
    held, nodes = _held(recorded, start_ns, end_ns), set(recorded.pair.nodes)
    if {who for _, who in held} != nodes:
        return None
    times = {name: [at_ns for at_ns, who in held if who == name] for name in nodes}
    dead_ns, healing_ns = (int(s * NS) for s in (recorded.pair.dead_s, recorded.pair.healing_s))
    tenures = sorted(one for name in nodes for one in _without_a_break(times[name], dead_ns))
    pairs = combinations(tenures, 2)
    if any(min(one[1], two[1]) - max(one[0], two[0]) > healing_ns for one, two in pairs):
        return None
    excuses = [unheard(recorded, began_ns) for began_ns, _ in tenures[1:]]
    return excuses[0] if all(excuses) else None


def _without_a_break(times_ns: Iterable[int], break_ns: int) -> list[tuple[int, int]]:
    """Gather moments between which there is no break of more than a time."""
    found: list[tuple[int, int]] = []
    for at_ns in times_ns:
        if found and at_ns - found[-1][1] <= break_ns:
            found[-1] = found[-1][0], at_ns
        else:
            found.append((at_ns, at_ns))
    return found


def owe_split(owed: Obligations, recorded: Recorded, apart: Apart) -> None:
    """Owe one master before the nodes are parted, and two from 5 s after it on, to its end."""
    one = owed.owe(f"{apart.name}: one master before it")
    begin_ns = apart.begin.earliest_ns
    before = holders(recorded, begin_ns - _alone_ns(recorded), begin_ns)
    if len(before) != 1:
        why = f"{len(before)} holder(s) of the virtual IP before {apart.name}, so it shows nothing"
        excuse = unheard(recorded, begin_ns)
        one.late(f"{why}, but {excuse}") if excuse else one.doubt(why)
    one.met(recorded.wire)
    two = owed.owe(f"{apart.name}: two masters at once, within {SPLIT_S:.0f} s and to its end")
    limit_ns = apart.begin.latest_ns + int(SPLIT_S * NS)
    if apart.end.at_ns < limit_ns + _still_ns(recorded):
        two.doubt(f"{apart.name} was on for too short a time", *apart.places)
        return
    split, why = last_split(recorded, apart), f"{apart.name}: not two masters at once"
    to_the_end = f"{why} from {SPLIT_S:.0f} s after its begin to its end"
    if split is None:
        span = _due_ns(recorded, apart), apart.end.at_ns
        whose = {*(recorded.pair.nodes.keys() - _sent(recorded, apart).senders()), "wire"}
        excess_s = (apart.end.at_ns - limit_ns) / NS
        missed(two, to_the_end, excess_s, span, whose, recorded.lateness, recorded.wire)
    elif cut_short := ended_early(recorded, apart, split):
        missed(two, to_the_end, *cut_short, recorded.lateness, recorded.wire)
    if split is not None and split.start_ns > limit_ns:
        late_s = (split.start_ns - limit_ns) / NS
        why += f" {SPLIT_S:.0f} s after its begin, {late_s:.1f} s later"
        span, whose = (_due_ns(recorded, apart), split.start_ns), {*recorded.pair.nodes, "wire"}
        missed(two, why, late_s, span, whose, recorded.lateness, recorded.wire)
    two.met(recorded.wire, *apart.places)


def last_split(recorded: Recorded, apart: Apart) -> SplitBrain | None:
    """Find when both nodes were masters at once without a break, for the last time."""
    splits, nodes = heartbeat.split_brains(_sent(recorded, apart)), set(recorded.pair.nodes)
    return next((one for one in reversed(splits) if nodes <= {*one.senders}), None)


def ended_early(
    recorded: Recorded, apart: Apart, split: SplitBrain
) -> tuple[float, tuple[int, int], Collection[str]] | None:
    """Say by how much (s) two masters were too few before the end, in what span, by whose silence.

    None where both went on advertising to the end, as far as their period tells.
    """
    until_ns = apart.end.at_ns - _still_ns(recorded)
    if split.end_ns >= until_ns:
        return None
    nodes, sent = recorded.pair.nodes, _sent(recorded, apart)
    silent = {name for name in nodes if not len(sent.of(name).between(until_ns, apart.end.at_ns))}
    due_ns = split.end_ns + int(recorded.pair.slowest_period_s * NS)
    return (until_ns - split.end_ns) / NS, (due_ns, apart.end.at_ns), {*silent, "wire"}


def _sent(recorded: Recorded, apart: Apart) -> Heartbeat:
    """Select what was advertised while the nodes were apart, dropped or not."""
    group = recorded.sent.in_group(recorded.pair.vhid)
    return group.between(apart.begin.at_ns, apart.end.at_ns)


def owe_healed(owed: Obligations, recorded: Recorded, apart: Apart) -> str | None:
    """Owe one master soon after a filter's end, until the window ends; return who it is."""
    limit_s = max(HEALED_S, recorded.pair.healing_s)
    one = owed.owe(f"one master {limit_s:.1f} s after the end of {apart.name}, and no other")
    healed_ns = apart.end.latest_ns + int(limit_s * NS)
    until_ns = undisturbed_until(recorded, apart.end.at_ns)
    if until_ns < healed_ns + _alone_ns(recorded):
        one.doubt("recorded for too short a time after the filter's end", recorded.wire)
        return None
    found = holders(recorded, healed_ns, until_ns)
    if len(found) == 1:
        (survivor,) = found
        settle_alone(one, recorded, survivor, (healed_ns, until_ns), apart)
        return survivor
    who = ", ".join(sorted(found)) or "nobody"
    why = f"{len(found)} masters {limit_s:.1f} s after the filter's end: {who}"
    if late := second_late(recorded, healed_ns, until_ns):
        one.late(f"{why}, but {late}", recorded.wire)
    elif found:
        yielded_ns = sorted(found.values())[-2]  # the last one goes on
        span, whose = (apart.end.latest_ns, yielded_ns), {*recorded.pair.nodes, "wire"}
        late_s = max(1, yielded_ns - healed_ns) / NS
        missed(one, why, late_s, span, whose, recorded.lateness, recorded.wire)
    else:
        one.broken(why, recorded.wire)
    return None


def settle_alone(
    one: Obligation, recorded: Recorded, survivor: str, span: tuple[int, int], apart: Apart
) -> None:
    """Discharge `one` where a node alone advertises all the time, so that the other hears it."""
    if survivor in recorded.pair.nodes:
        kept = recorded.passed.of(survivor).between(*span)
        node, limit_s = recorded.pair.node(survivor), recorded.pair.dead_s
        settle_kept(one, recorded, node, kept, span, limit_s, places=apart.places)
    else:
        one.broken(f"{survivor} holds the virtual IP, and neither node", recorded.wire)


def _due_ns(recorded: Recorded, apart: Apart) -> int:
    """Return when a standby that hears nothing any more may act at the earliest."""
    nodes = recorded.pair.nodes.values()
    return apart.begin.at_ns + int(
        min(node.engine.fault_to_takeover().minimum_s for node in nodes) * NS
    )


def _still_ns(recorded: Recorded) -> int:
    return int(STILL_PERIODS * recorded.pair.slowest_period_s * NS)


def _alone_ns(recorded: Recorded) -> int:
    return max(int(ALONE_S * NS), _still_ns(recorded))
