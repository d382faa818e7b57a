"""Who holds the virtual IP: whoever claims it in any way that others believe.

By an advertisement, an ARP answer, a gratuitous ARP, an ARP packet that carries it as its sender,
or a packet that is sent from it: the port says who did (`senders` says why). And by having it, as
a node that was asked for its addresses said. One node is to hold it at all times; what the other
claims is judged against the role, outside of elections.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, zip_longest

from checks.engine.lateness import explain, lower_bound_s, missed
from checks.engine.obligations import Obligation, Obligations
from checks.failover.pair import Node
from checks.failover.recorded import Recorded
from checks.protocols import arp
from evidence import packets
from evidence.events.takeover import AddressesHeld
from evidence.moment import NS

CUT_OFF = ("link-cut", "carrier-loss")
"""Faults by which a node holds whatever it holds for itself alone: nobody can reach it."""
ANNOUNCED_BEFORE_S = 0.5
"""ucarp announces right before its first advertisement; seen within 0.1 s, the rest is slack."""


class How(enum.StrEnum):
    """A way to claim the virtual IP."""

    ADVERTISES = "advertises"
    ANSWERS = "answers ARP for it"
    ANNOUNCES = "announces it by gratuitous ARP"
    ASKS = "sends ARP from it"
    SERVES = "sends packets from it"
    HOLDS = "has it among its addresses"


@dataclass(frozen=True)
class Claim:
    """Somebody claimed the virtual IP at a moment of the wire's clock.

    service: IP protocol and port that a packet was sent from.
    """

    at_ns: int
    who: str
    how: How
    service: tuple[int | None, int | None] = (None, None)


@lru_cache(maxsize=2)
def claims(recorded: Recorded) -> Sequence[Claim]:
    """List every claim that the wire let pass, or a node told of, in the order of time."""
    found = [
        Claim(one.at_ns, one.sender, How.ADVERTISES) for one in recorded.passed if not one.resigning
    ]
    address = recorded.pair.virtual_ip
    for seen in recorded.arps:
        if seen.arp.sender == address:
            found.append(
                Claim(seen.at_ns, _who(recorded, seen.port, seen.frame_source), _how(seen))
            )
    for frame in recorded.frames:
        packet = packets.parse(frame.data)
        if packet is None or recorded.elsewhere(frame.interface, packet.vlan):
            continue
        if packet.source == address and frame.passed:
            who = _who(recorded, frame.interface, packet.source_mac)
            service = packet.protocol, packet.source_port
            found.append(Claim(frame.at_ns, who, How.SERVES, service))
    found += _held(recorded)
    return tuple(sorted(found, key=lambda claim: claim.at_ns))


def _held(recorded: Recorded) -> Iterator[Claim]:
    """Yield each reading that shows a node with the virtual IP, unless it was cut off then."""
    cut = [fault for fault in recorded.faults() if fault.name in CUT_OFF]
    for name in recorded.pair.nodes:
        for reading in recorded.evidence.events(AddressesHeld, name):
            alone = any(
                fault.victim.name == name
                and fault.at.earliest_ns <= reading.at_ns <= fault.until_ns
                for fault in cut
            )
            if recorded.pair.virtual_ip in reading.held and not alone:
                yield Claim(reading.at_ns, name, How.HOLDS)


def _how(seen: arp.ArpSighting) -> How:
    if seen.announces:
        return How.ANNOUNCES
    return How.ANSWERS if seen.arp.operation == arp.REPLY else How.ASKS


def _who(recorded: Recorded, port: str, mac: str) -> str:
    node = recorded.pair.node_at(port)
    return node.name if node else f"{mac} at {port}"


def announced(recorded: Recorded, by: Node) -> set[str]:
    """Return what a node announces by gratuitous ARP besides its own address: a virtual IP."""
    return {
        seen.arp.sender
        for seen in recorded.arps
        if seen.announces and recorded.pair.node_at(seen.port) == by
    } - {by.address}


@dataclass(frozen=True)
class Tenure:
    """A stretch in which one node held the role, by its advertisements that the pair believes.

    last_ns: when it advertised last. successor: who held the role next; empty when nobody did.
    """

    who: str
    start_ns: int
    end_ns: int
    last_ns: int
    successor: str = ""


def tenures(recorded: Recorded) -> list[Tenure]:
    """Cut the scenario's time by who advertised last; a tenure lasts to the next one's begin."""
    heard = [one for one in recorded.passed if not one.resigning]
    runs = [list(run) for _, run in groupby(heard, key=lambda one: one.sender)]
    found = []
    for run, later in zip_longest(runs, runs[1:]):
        end_ns = later[0].at_ns if later else recorded.window.until_ns
        successor = later[0].sender if later else ""
        found.append(Tenure(run[0].sender, run[0].at_ns, end_ns, run[-1].at_ns, successor))
    return found


def holder_at(recorded: Recorded, at_ns: int) -> str | None:
    """Name who held the role at a moment; None before anybody has advertised."""
    return next(
        (one.who for one in reversed(tenures(recorded)) if one.start_ns <= at_ns <= one.end_ns),
        None,
    )


def owe_one_holder(
    owed: Obligations, recorded: Recorded, excused: Sequence[tuple[int, int]] = ()
) -> None:
    """Owe that nobody claims the virtual IP while another node has held the role for a while.

    An election may last as long as the configured timers allow; `excused` are spans in which two
    holders are what must come (a filter on the wire, and the healing after it).
    """
    one = owed.owe("one holder of the virtual IP at a time, by every kind of claim")
    slack_ns = int(recorded.pair.healing_s * NS)
    held = _without_elections(tenures(recorded), slack_ns)
    wrong: dict[tuple[str, How, Tenure], list[Claim]] = {}
    for claim in claims(recorded):
        if any(start <= claim.at_ns <= end for start, end in excused):
            continue
        tenure = _during(held, claim.at_ns, slack_ns)
        if tenure is None or claim.who == tenure.who or _succeeds(recorded, claim, tenure):
            continue
        wrong.setdefault((claim.who, claim.how, tenure), []).append(claim)
    for (_, _, tenure), those in wrong.items():
        _settle_second(one, recorded, tenure, those, slack_ns)
    if not held:
        one.doubt("nobody held the role for long enough to be told from an election")
    one.met(recorded.wire)


def _succeeds(recorded: Recorded, claim: Claim, tenure: Tenure) -> bool:
    """Tell whether a node claims the role of one that was silent for its dead time already.

    ucarp's up script, which adds the virtual IP, is waited for before the first advertisement. The
    last one of the node before it may not have been heard.
    """
    node = recorded.pair.nodes.get(claim.who)
    if node is None:
        return False
    silent_s = lower_bound_s(node.engine.fault_to_takeover().minimum_s)
    return claim.at_ns > tenure.last_ns + int(silent_s * NS)


def _settle_second(
    one: Obligation, recorded: Recorded, tenure: Tenure, those: Sequence[Claim], slack_ns: int
) -> None:
    """Break an obligation by claims of one kind in another's tenure, unless a host was busy.

    It may have kept the node from letting go, or the one that is next from advertising.
    """
    first, last = those[0], those[-1]
    why = (
        f"{last.who} {last.how} while {tenure.who} is the active node: {len(those)} time(s) "
        f"over {(last.at_ns - first.at_ns) / NS:.1f} s"
    )
    if last.who not in recorded.pair.nodes:
        one.broken(why, recorded.wire)
        return
    if last.who == tenure.successor and first.at_ns > tenure.last_ns:
        early_s = (tenure.end_ns - first.at_ns) / NS - ANNOUNCED_BEFORE_S
        span, whose = (first.at_ns, tenure.end_ns), {last.who, "wire"}
        if excuse := explain(early_s, span, whose, recorded.lateness):
            one.late(f"{why}, but {excuse}", recorded.wire)
            return
    excess_s = (last.at_ns - tenure.start_ns - slack_ns) / NS
    span, whose = (tenure.start_ns, last.at_ns), {last.who, tenure.who, "wire"}
    missed(one, why, excess_s, span, whose, recorded.lateness, recorded.wire)


def _without_elections(found: Iterable[Tenure], slack_ns: int) -> list[Tenure]:
    """Leave out tenures that are no longer than an election: two masters take turns in one."""
    return [tenure for tenure in found if tenure.end_ns - tenure.start_ns > slack_ns]


def _during(held: Sequence[Tenure], at_ns: int, slack_ns: int) -> Tenure | None:
    """Find the tenure that a moment lies well within: after its election, before the next."""
    early_ns = int(ANNOUNCED_BEFORE_S * NS)
    return next(
        (
            tenure
            for tenure in held
            if tenure.start_ns + slack_ns < at_ns < tenure.end_ns - early_ns
        ),
        None,
    )
