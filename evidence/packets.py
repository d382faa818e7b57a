"""A light look inside a frame: who sent what to whom, as far as checks need it.

Ethernet (with VLAN tags), ARP, IPv4, IPv6 (without extension headers but fragments told apart),
UDP and TCP ports. No checksum is verified and no fragment reassembled: what is not
understood has None in its field, never a guess.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

from evidence.ethernet import ETHERTYPES_VLAN

ETHERTYPE_IPV4, ETHERTYPE_ARP, ETHERTYPE_IPV6 = 0x0800, 0x0806, 0x86DD
TCP, UDP = 6, 17


@dataclass(frozen=True)
class Packet:
    """What a frame says; addresses as text, `protocol` as IANA's number of the IP payload."""

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


def mac_text(raw: bytes) -> str:
    """Return six bytes as `00:00:5e:00:01:2a`."""
    return raw.hex(":")


def parse(frame: bytes) -> Packet | None:
    """Read a frame; None when it is shorter than an Ethernet header."""
    if len(frame) < 14:
        return None
    target_mac, source_mac = mac_text(frame[0:6]), mac_text(frame[6:12])
    (ethertype,), start = struct.unpack_from("!H", frame, 12), 14
    while ethertype in ETHERTYPES_VLAN and len(frame) >= start + 4:
        (ethertype,), start = struct.unpack_from("!H", frame, start + 2), start + 4
    body = frame[start:]
    link = Packet(source_mac, target_mac, ethertype, payload=body)
    if ethertype == ETHERTYPE_IPV4:
        return _ipv4(link, body)
    if ethertype == ETHERTYPE_IPV6:
        return _ipv6(link, body)
    return link


def parse_arp(packet: Packet) -> Arp | None:
    """Read the ARP packet that `packet` carries; None when it carries none."""
    body = packet.payload
    if packet.ethertype != ETHERTYPE_ARP or len(body) < 28:
        return None
    hardware, protocol, hlen, plen, operation = struct.unpack_from("!HHBBH", body)
    if (hardware, protocol, hlen, plen) != (1, ETHERTYPE_IPV4, 6, 4):
        return None
    return Arp(
        operation,
        mac_text(body[8:14]),
        str(ipaddress.IPv4Address(body[14:18])),
        mac_text(body[18:24]),
        str(ipaddress.IPv4Address(body[24:28])),
    )


def _ipv4(link: Packet, body: bytes) -> Packet:
    if len(body) < 20 or body[0] >> 4 != 4:
        return link
    header = (body[0] & 0x0F) * 4
    total, _, fragment = struct.unpack_from("!HHH", body, 2)
    if header < 20 or total < header or len(body) < header:
        return link
    return _transport(
        link,
        source=str(ipaddress.IPv4Address(body[12:16])),
        target=str(ipaddress.IPv4Address(body[16:20])),
        protocol=body[9],
        ttl=body[8],
        content=body[header:total],
        first_fragment=not fragment & 0x1FFF,
    )


def _ipv6(link: Packet, body: bytes) -> Packet:
    if len(body) < 40 or body[0] >> 4 != 6:
        return link
    (length,) = struct.unpack_from("!H", body, 4)
    return _transport(
        link,
        source=str(ipaddress.IPv6Address(body[8:24])),
        target=str(ipaddress.IPv6Address(body[24:40])),
        protocol=body[6],
        ttl=body[7],
        content=body[40 : 40 + length],
        first_fragment=True,
    )


def _transport(
    link: Packet,
    *,
    source: str,
    target: str,
    protocol: int,
    ttl: int,
    content: bytes,
    first_fragment: bool,
) -> Packet:
    source_port = target_port = None
    payload = content
    if first_fragment and protocol == UDP and len(content) >= 8:
        source_port, target_port, length = struct.unpack_from("!HHH", content)
        payload = content[8 : max(8, length)]
    elif first_fragment and protocol == TCP and len(content) >= 20:
        source_port, target_port = struct.unpack_from("!HH", content)
        payload = content[(content[12] >> 4) * 4 :]
    return Packet(
        link.source_mac,
        link.target_mac,
        link.ethertype,
        source,
        target,
        protocol,
        ttl,
        source_port,
        target_port,
        payload,
    )
