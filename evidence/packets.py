"""What lies in a frame: Ethernet with VLAN tags, ARP, IPv4, IPv6, UDP and TCP.

Three ways to look at it, and one place that knows where each header begins:

- `parse_headers` returns octets and numbers only: cheap enough for every frame on the wire.
- `parse` returns a `Packet`, with addresses as text, for checks. What is not understood has None
  in its field, never a guess.
- `parse_ethernet` and `parse_ipv4` raise MalformedFrame, for who decodes a protocol to its last
  octet and must say what is wrong.

The first two never raise, whatever they get. No fragment is reassembled, and nothing is refused for
its checksum: a header that is merely unusual (TTL 64, options), or does not sum up, is returned as
it is, for a check to name.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from typing import NamedTuple

IPV4, ARP, IPV6 = 0x0800, 0x0806, 0x86DD
TCP, UDP = 6, 17
BROADCAST = "ff:ff:ff:ff:ff:ff"
ETHERNET_HEADER = 14
"""Octets of destination, source and EtherType; anything shorter is not a frame."""

_VLAN_TAGS = (0x8100, 0x88A8)
_ARP_BYTES, _IPV4_BYTES, _IPV6_BYTES, _UDP_BYTES, _TCP_BYTES = 28, 20, 40, 8, 20
_FRAGMENT, _AUTHENTICATION = 44, 51
_EXTENSIONS = (0, 43, _FRAGMENT, _AUTHENTICATION, 60)
_MOST_EXTENSIONS = 8
_FIN_OR_RST = 0x05


class MalformedFrame(ValueError):
    """Bytes that are not the frame they were taken for; the message says what is wrong."""


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
class EthernetFrame:
    """One Ethernet frame; MAC addresses are lower-case and colon-separated.

    `vlan` is the number in its outermost tag, `ethertype` and `payload` what is behind all tags.
    """

    destination: str
    source: str
    ethertype: int
    payload: bytes
    vlan: int | None = None


@dataclass(frozen=True)
class Ipv4Packet:
    """One IPv4 packet; `payload` is cut to the header's total length (Ethernet pads to 60).

    `fragment` is whether it is only a part of what was sent, `header_sums_up` whether the header's
    checksum is right.
    """

    source: str
    destination: str
    ttl: int
    protocol: int
    tos: int
    identifier: int
    dont_fragment: bool
    fragment: bool
    header_bytes: int
    payload: bytes
    header_sums_up: bool = True


class Packet(NamedTuple):
    """What a frame says; addresses as text, `protocol` as IANA's number of the IP payload.

    `payload` is what is behind the last header that was understood.
    """

    source_mac: str
    target_mac: str
    ethertype: int
    source: str | None = None
    target: str | None = None
    protocol: int | None = None
    ttl: int | None = None
    source_port: int | None = None
    target_port: int | None = None
    payload: bytes = b""
    vlan: int | None = None
    ends: bool = False
    """Whether it is TCP and ends its connection: by FIN, or by RST."""


@dataclass(frozen=True)
class Arp:
    """An ARP packet (RFC 826) for IPv4 over Ethernet."""

    operation: int  # 1 request, 2 reply
    sender_mac: str
    sender: str
    target_mac: str
    target: str

    @property
    def gratuitous(self) -> bool:
        """Whether the sender announces its own address (RFC 5227)."""
        return self.sender == self.target


def mac_text(octets: bytes) -> str:
    """Six bytes as `00:00:5e:00:00:5e`."""
    return octets.hex(":")


def internet_checksum(octets: bytes) -> int:
    """Compute the checksum of RFC 1071; it is 0 over bytes that hold a right one."""
    if len(octets) % 2:
        octets += b"\0"
    total: int = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def parse_headers(raw: bytes) -> Headers:
    """Return the headers of the Ethernet frame `raw`, as far as they are there."""
    destination, source = raw[0:6], raw[6:12]
    ethertype, at = _behind_tags(raw)
    if ethertype == IPV4 and len(raw) >= at + _IPV4_BYTES:
        protocol = raw[at + 9]
        later_fragment = ((raw[at + 6] & 0x1F) << 8 | raw[at + 7]) != 0
        upper = at + (raw[at] & 0x0F) * 4
        addresses = raw[at + 12 : at + 16], raw[at + 16 : at + 20]
    elif ethertype == IPV6 and len(raw) >= at + _IPV6_BYTES:
        protocol, upper, later_fragment = _behind_extensions(raw, raw[at + 6], at + _IPV6_BYTES)
        addresses = raw[at + 8 : at + 24], raw[at + 24 : at + 40]
    elif ethertype == ARP and _is_arp(raw, at):
        sender, target = raw[at + 14 : at + 18], raw[at + 24 : at + 28]
        return Headers(destination, source, ethertype, None, sender, target)
    else:
        return Headers(destination, source, ethertype)
    if later_fragment or protocol not in (TCP, UDP) or len(raw) < upper + 4:
        return Headers(destination, source, ethertype, protocol, *addresses)
    ports = raw[upper] << 8 | raw[upper + 1], raw[upper + 2] << 8 | raw[upper + 3]
    return Headers(destination, source, ethertype, protocol, *addresses, *ports)


def parse(frame: bytes) -> Packet | None:
    """Read a frame; None when it is shorter than its Ethernet header."""
    ethertype, at = _behind_tags(frame)
    if len(frame) < ETHERNET_HEADER or ethertype is None:
        return None
    target_mac, source_mac = frame[0:6].hex(":"), frame[6:12].hex(":")
    vlan, body = _vlan(frame, at), frame[at:]
    if ethertype == IPV4 and not _ipv4_contradiction(body):
        protocol, ttl, later = body[9], body[8], ((body[6] & 0x1F) << 8 | body[7]) != 0
        source, target = socket.inet_ntoa(body[12:16]), socket.inet_ntoa(body[16:20])
        content = body[(body[0] & 0x0F) * 4 : body[2] << 8 | body[3]]
    elif ethertype == IPV6 and len(body) >= _IPV6_BYTES and body[0] >> 4 == 6:
        protocol, upper, later = _behind_extensions(body, body[6], _IPV6_BYTES)
        ttl = body[7]
        source = socket.inet_ntop(socket.AF_INET6, body[8:24])
        target = socket.inet_ntop(socket.AF_INET6, body[24:40])
        content = body[upper : _IPV6_BYTES + (body[4] << 8 | body[5])]
    else:
        return Packet(source_mac, target_mac, ethertype, payload=body, vlan=vlan)
    source_port = target_port = None
    ends = False
    if not later:
        ends = protocol == TCP and len(content) >= _TCP_BYTES and bool(content[13] & _FIN_OR_RST)
        source_port, target_port, content = _transport(protocol, content)
    return Packet(
        source_mac,
        target_mac,
        ethertype,
        source,
        target,
        protocol,
        ttl,
        source_port,
        target_port,
        content,
        vlan,
        ends,
    )


def parse_arp(packet: Packet) -> Arp | None:
    """Read the ARP packet that `packet` carries; None when it carries none."""
    body = packet.payload
    if packet.ethertype != ARP or body[:2] != b"\0\1" or not _is_arp(body, 0):
        return None
    return Arp(
        body[6] << 8 | body[7],
        mac_text(body[8:14]),
        socket.inet_ntoa(body[14:18]),
        mac_text(body[18:24]),
        socket.inet_ntoa(body[24:28]),
    )


def parse_ethernet(frame: bytes) -> EthernetFrame:
    """Take the Ethernet header and its VLAN tags (802.1Q, 802.1ad) off a frame.

    Raises MalformedFrame when the frame is shorter than its header.
    """
    if len(frame) < ETHERNET_HEADER:
        raise MalformedFrame(f"Ethernet header needs 14 bytes, the frame has {len(frame)}")
    ethertype, at = _behind_tags(frame)
    if ethertype is None:
        raise MalformedFrame("802.1Q tag is cut short")
    macs = mac_text(frame[:6]), mac_text(frame[6:12])
    return EthernetFrame(*macs, ethertype, frame[at:], _vlan(frame, at))


def parse_ipv4(packet: bytes) -> Ipv4Packet:
    """Take the IPv4 header off a packet (RFC 791), and say whether it sums up.

    Raises MalformedFrame when lengths contradict each other.
    """
    contradiction = _ipv4_contradiction(packet)
    if not contradiction and int.from_bytes(packet[2:4], "big") > len(packet):
        contradiction = "it is cut short"
    if contradiction:
        raise MalformedFrame(f"IPv4: {contradiction}")
    first, tos, total, identifier, flags, ttl, protocol = struct.unpack_from("!BBHHHBB", packet)
    header = (first & 0x0F) * 4
    return Ipv4Packet(
        source=socket.inet_ntoa(packet[12:16]),
        destination=socket.inet_ntoa(packet[16:20]),
        ttl=ttl,
        protocol=protocol,
        tos=tos,
        identifier=identifier,
        dont_fragment=bool(flags & 0x4000),
        fragment=bool(flags & 0x3FFF),
        header_bytes=header,
        payload=packet[header:total],
        header_sums_up=internet_checksum(packet[:header]) == 0,
    )


def _behind_tags(raw: bytes) -> tuple[int | None, int]:
    """Return the EtherType behind all VLAN tags, and where its payload begins."""
    at = 12
    while True:
        if len(raw) < at + 2:
            return None, at + 2
        ethertype = raw[at] << 8 | raw[at + 1]
        if ethertype not in _VLAN_TAGS:
            return ethertype, at + 2
        at += 4


def _vlan(frame: bytes, at: int) -> int | None:
    """Return the number in the outermost tag of a frame whose payload begins at `at`."""
    return (frame[14] & 0x0F) << 8 | frame[15] if at > ETHERNET_HEADER else None


def _is_arp(raw: bytes, at: int) -> bool:
    """Tell whether the ARP packet at `at` is whole, and one for IPv4 addresses and MACs."""
    return raw[at + 2 : at + 6] == b"\x08\x00\x06\x04" and len(raw) >= at + _ARP_BYTES


def _ipv4_contradiction(packet: bytes) -> str:
    """Say what is wrong with the lengths of an IPv4 packet; a packet may end early."""
    if len(packet) < _IPV4_BYTES:
        return f"a header needs 20 bytes, the packet has {len(packet)}"
    if packet[0] >> 4 != 4:
        return f"the version is {packet[0] >> 4}, expected 4"
    header, total = (packet[0] & 0x0F) * 4, packet[2] << 8 | packet[3]
    if not _IPV4_BYTES <= header <= min(total, len(packet)):
        return f"lengths disagree: header {header}, total {total}, there are {len(packet)}"
    return ""


def _behind_extensions(raw: bytes, protocol: int, at: int) -> tuple[int, int, bool]:
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


def _transport(protocol: int, content: bytes) -> tuple[int | None, int | None, bytes]:
    """Return both ports of UDP or TCP and what is behind; no ports, and all, of anything else."""
    if protocol == UDP and len(content) >= _UDP_BYTES:
        source, target, length = struct.unpack_from("!HHH", content)
        return source, target, content[_UDP_BYTES : max(_UDP_BYTES, length)]
    if protocol == TCP and len(content) >= _TCP_BYTES:
        source, target = struct.unpack_from("!HH", content)
        return source, target, content[max(_TCP_BYTES, (content[12] >> 4) * 4) :]
    return None, None, content
