"""Knocks at ports, and how they are answered, as the wire carries them.

A knock is a TCP SYN or a UDP datagram. It got through to the machine when that answers for itself,
to the port that the knock came from: by SYN and ACK, by a datagram, or by a refusal of its own
(RST; for UDP, port unreachable), which says that nobody listens and no firewall minded. A firewall
of the guide says "prohibited" by ICMP, or nothing: Linux sends one ICMP error a second to each
address. Port unreachable for TCP is a firewall's, too (iptables' REJECT): a machine would reset.

A knock counts when the wire carried it, an answer also when the wire did not: it was given.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from evidence.capture import Frame
from evidence.event import NS_BOUND
from evidence.events.run import HostLate
from evidence.moment import Window
from evidence.packets import ETHERNET_HEADER, IPV4, TCP, UDP, Packet, parse

What = Literal["knock", "let in", "closed", "prohibited"]

_SYN, _RST, _ACK = 0x02, 0x04, 0x10
_ICMP, _ICMPV6 = 1, 58
_IPV6_BYTES, _ICMP_BYTES = 40, 8
_TRANSPORT = {TCP: "tcp", UDP: "udp"}
_SAYS: Mapping[tuple[int, ...], What] = {
    (_ICMP, 3, 3): "closed",
    (_ICMP, 3, 9): "prohibited",
    (_ICMP, 3, 10): "prohibited",
    (_ICMP, 3, 13): "prohibited",
    (_ICMPV6, 1, 1): "prohibited",
    (_ICMPV6, 1, 4): "closed",
}


Way = tuple[str, str, str, int]
"""Who knocks, at whose address, by which protocol, at which port."""


@dataclass(frozen=True)
class Sighting:
    """A knock or an answer to one; `port_owner` is the machine at whose port it came in.

    from_port: the TCP or UDP port that the knock came from.
    """

    at_ns: int
    what: What
    port_owner: str
    from_port: int


@dataclass(frozen=True)
class Knocks:
    """What the wire carried of knocks and answers, way by way; `place` is the capture's.

    late: when the host kept processes from running meanwhile. until_ns: the capture's end.
    """

    place: str
    sightings: Mapping[Way, Sequence[Sighting]]
    late: Sequence[HostLate] = ()
    until_ns: int = NS_BOUND

    def between(
        self, machine: str, owner: str, way: Way, during: Window, answers_until_ns: int = 0
    ) -> frozenset[What]:
        """Return what was seen of one way: knocks of `machine`, answers of `owner` to them.

        By the ports where they came in; what came in elsewhere was somebody else's. Answers are
        looked for until the window ends, or until `answers_until_ns` if that is later.
        """
        answers = Window(during.from_ns, max(during.until_ns, answers_until_ns))
        seen = [one for one in self.sightings.get(way, ()) if answers.holds(one.at_ns)]
        asked = [
            one
            for one in seen
            if one.what == "knock" and one.port_owner == machine and during.holds(one.at_ns)
        ]
        ports = {one.from_port for one in asked}
        answered = (
            one
            for one in seen
            if one.what != "knock" and one.port_owner == owner and one.from_port in ports
        )
        return frozenset(one.what for one in (*asked, *answered))


def knocks(
    frames: Iterable[Frame],
    place: str,
    late: Sequence[HostLate] = (),
    until_ns: int = NS_BOUND,
) -> Knocks:
    """Gather what frames show of knocks that the wire carried, and of answers."""
    found: dict[Way, list[Sighting]] = {}
    for frame in frames:
        for way, one in _read(frame):
            if frame.passed_to_all or one.what != "knock":
                found.setdefault(way, []).append(one)
    return Knocks(place, found, late, until_ns)


def _read(frame: Frame) -> Iterator[tuple[Way, Sighting]]:
    packet = parse(frame.data)
    if packet is None or packet.source is None or packet.target is None:
        return
    owner = frame.interface.partition("/")[0]
    if packet.protocol in (_ICMP, _ICMPV6):
        kind = packet.protocol, *packet.payload[:2]
        quoted = _quoted(packet.payload[_ICMP_BYTES:])
        if quoted is not None and (said := _SAYS.get(kind)) is not None:
            way, from_port = quoted
            what: What = "prohibited" if way[2] == "tcp" else said
            yield way, Sighting(frame.at_ns, what, owner, from_port)
        return
    if packet.source_port is None or packet.target_port is None:
        return
    transport = _TRANSPORT[packet.protocol or 0]
    for what, is_answer in _transport(frame, packet):
        ends = (packet.source, packet.source_port), (packet.target, packet.target_port)
        (source, from_port), (target, port) = reversed(ends) if is_answer else ends
        yield (source, target, transport, port), Sighting(frame.at_ns, what, owner, from_port)


def _transport(frame: Frame, packet: Packet) -> Iterator[tuple[What, bool]]:
    """Yield what a segment or datagram may be, and whether it is that as an answer."""
    if packet.protocol == UDP:
        yield "knock", False
        yield "let in", True
        return
    flags = _tcp_flags(frame.data, packet)
    if flags & (_SYN | _ACK) == _SYN:
        yield "knock", False
    elif flags & (_SYN | _ACK) == _SYN | _ACK:
        yield "let in", True
    if flags & _RST:
        yield "closed", True


def _tcp_flags(data: bytes, packet: Packet) -> int:
    at = ETHERNET_HEADER + (4 if packet.vlan is not None else 0)
    at += (data[at] & 0x0F) * 4 if packet.ethertype == IPV4 else _IPV6_BYTES
    return data[at + 13] if len(data) > at + 13 else 0


def _quoted(inner: bytes) -> tuple[Way, int] | None:
    """Return whose knock an ICMP error quotes, and the port that it came from."""
    if not inner:
        return None
    if inner[0] >> 4 == 4:
        header, protocol, addresses = (inner[0] & 0x0F) * 4, inner[9:10], inner[12:20]
    else:
        header, protocol, addresses = _IPV6_BYTES, inner[6:7], inner[8:40]
    transport = _TRANSPORT.get(protocol[0] if protocol else 0)
    if transport is None or len(inner) < header + 4:
        return None
    half = len(addresses) // 2
    source, target = (ipaddress.ip_address(one) for one in (addresses[:half], addresses[half:]))
    from_port, port = (int.from_bytes(inner[header + at : header + at + 2], "big") for at in (0, 2))
    return (str(source), str(target), transport, port), from_port
