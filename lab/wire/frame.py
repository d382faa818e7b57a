"""Ethernet frames: what a rule can ask of one, and what a subscriber gets.

Parsing never fails: a truncated or odd frame simply has fewer headers. Nothing here judges
checksums or lengths beyond what is needed to find the next header.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

IPV4 = 0x0800
ARP = 0x0806
IPV6 = 0x86DD
ETHERNET_HEADER = 14
"""Octets of destination, source and EtherType; anything shorter is not a frame."""

_VLAN_TAGS = (0x8100, 0x88A8)
_TCP, _UDP = 6, 17
_FRAGMENT, _AUTHENTICATION = 44, 51
_EXTENSIONS = (0, 43, _FRAGMENT, _AUTHENTICATION, 60)
_MOST_EXTENSIONS = 8


class Headers(NamedTuple):
    """The fields rules look at; None (or no octets) where a frame has no such header.

    `ethertype` is the one behind VLAN tags. For ARP the addresses are those of sender and
    target. Ports are those of TCP and UDP, absent in all but the first fragment.
    """

    destination: bytes
    source: bytes
    ethertype: int | None = None
    protocol: int | None = None
    source_ip: bytes = b""
    destination_ip: bytes = b""
    source_port: int | None = None
    destination_port: int | None = None


@dataclass(frozen=True)
class Frame:
    """One frame as the wire saw it.

    `at_ns` is the kernel's receive time (ns since 1970, the wire's clock), `port` and `segment`
    where it came in (or, for a subscription by `to_ports`, where it went out), `verdict` what
    the wire did with it: "forwarded", or the comment that its recording carries. `generation`
    counts the runs of a lab that was frozen and thawed on this wire.
    """

    at_ns: int
    port: str
    segment: str
    raw: bytes
    verdict: str
    generation: int = 1


def parse(raw: bytes) -> Headers:
    """Return the headers of the Ethernet frame `raw`, as far as they are there."""
    destination, source = raw[0:6], raw[6:12]
    at = 12
    ethertype = _u16(raw, at)
    while ethertype in _VLAN_TAGS:
        at += 4
        ethertype = _u16(raw, at)
    at += 2
    if ethertype == IPV4:
        return _ipv4(raw, at, destination, source)
    if ethertype == IPV6:
        return _ipv6(raw, at, destination, source)
    if ethertype == ARP and raw[at + 2 : at + 6] == b"\x08\x00\x06\x04" and len(raw) >= at + 28:
        sender, target = raw[at + 14 : at + 18], raw[at + 24 : at + 28]
        return Headers(destination, source, ethertype, None, sender, target)
    return Headers(destination, source, ethertype)


def _u16(raw: bytes, at: int) -> int | None:
    if len(raw) < at + 2:
        return None
    return raw[at] << 8 | raw[at + 1]


def _ipv4(raw: bytes, at: int, destination: bytes, source: bytes) -> Headers:
    if len(raw) < at + 20:
        return Headers(destination, source, IPV4)
    protocol = raw[at + 9]
    later_fragment = ((raw[at + 6] & 0x1F) << 8 | raw[at + 7]) != 0
    ports = (None, None) if later_fragment else _ports(raw, at + (raw[at] & 0x0F) * 4, protocol)
    addresses = raw[at + 12 : at + 16], raw[at + 16 : at + 20]
    return Headers(destination, source, IPV4, protocol, *addresses, *ports)


def _ipv6(raw: bytes, at: int, destination: bytes, source: bytes) -> Headers:
    if len(raw) < at + 40:
        return Headers(destination, source, IPV6)
    addresses = raw[at + 8 : at + 24], raw[at + 24 : at + 40]
    protocol, upper, later_fragment = _skip_extensions(raw, raw[at + 6], at + 40)
    ports = (None, None) if later_fragment else _ports(raw, upper, protocol)
    return Headers(destination, source, IPV6, protocol, *addresses, *ports)


def _skip_extensions(raw: bytes, protocol: int, at: int) -> tuple[int, int, bool]:
    """Walk IPv6's extension headers (RFC 8200, 4).

    Returns the protocol behind them, where it begins, and whether this is a later fragment.
    """
    for _ in range(_MOST_EXTENSIONS):
        if protocol not in _EXTENSIONS or len(raw) < at + 8:
            break
        if protocol == _FRAGMENT:
            length = 8
            if (raw[at + 2] << 8 | raw[at + 3]) >> 3:
                return raw[at], at + 8, True
        elif protocol == _AUTHENTICATION:
            length = (raw[at + 1] + 2) * 4
        else:
            length = (raw[at + 1] + 1) * 8
        protocol, at = raw[at], at + length
    return protocol, at, False


def _ports(raw: bytes, at: int, protocol: int) -> tuple[int | None, int | None]:
    if protocol not in (_TCP, _UDP) or len(raw) < at + 4:
        return None, None
    return _u16(raw, at), _u16(raw, at + 2)
