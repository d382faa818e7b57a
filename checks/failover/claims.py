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

from checks.engine.lateness import missed
from checks.engine.obligations import Obligations
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
        if packet is not None and packet.source == address and frame.passed:
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
    """A stretch in which one node held the role, by its advertisements that the pair believes."""

    who: str
    start_ns: int
    end_ns: int


def tenures(recorded: Recorded) -> list[Tenure]:
    """Cut the scenario's time by who advertised last; a tenure lasts to the next one's begin."""
    found: list[Tenure] = []
    for one in recorded.passed:
        if one.resigning:
            continue
        if not found or found[-1].who != one.sender:
            if found:
                found[-1] = Tenure(found[-1].who, found[-1].start_ns, one.at_ns)
            found.append(Tenure(one.sender, one.at_ns, one.at_ns))
    if found:
        found[-1] = Tenure(found[-1].who, found[-1].start_ns, recorded.window.until_ns)
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
    wrong: dict[tuple[str, How, str], list[tuple[Claim, Tenure]]] = {}
    for claim in claims(recorded):
        if any(start <= claim.at_ns <= end for start, end in excused):
            continue
        tenure = _during(held, claim.at_ns, slack_ns)
        if tenure is not None and claim.who != tenure.who:
            wrong.setdefault((claim.who, claim.how, tenure.who), []).append((claim, tenure))
    for (who, how, holder), those in wrong.items():
        (first, _), (last, tenure) = those[0], those[-1]
        why = (
            f"{who} {how} while {holder} is the active node: {len(those)} time(s) "
            f"over {(last.at_ns - first.at_ns) / NS:.1f} s"
        )
        if who in recorded.pair.nodes:
            excess_s = (last.at_ns - tenure.start_ns - slack_ns) / NS
            span, whose = (tenure.start_ns, last.at_ns), {who, holder, "wire"}
            missed(one, why, excess_s, span, whose, recorded.lateness, recorded.wire)
        else:
            one.broken(why, recorded.wire)
    if not held:
        one.doubt("nobody held the role for long enough to be told from an election")
    one.met(recorded.wire)


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
