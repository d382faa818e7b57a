"""Ethernet and IPv4 headers, taken apart by hand, for the decoders of heartbeats and ARP.

Only what those need: frames with any number of VLAN tags, IPv4 with or without options, whole
packets. Does not reassemble fragments, does not read IPv6, and judges nothing: a header that is
merely unusual (TTL 64, options) is returned as it is, for a check to name.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_ARP = 0x0806
ETHERTYPES_VLAN = (0x8100, 0x88A8)
"""Of a tag by IEEE 802.1Q, and of the outer one of two."""
BROADCAST = "ff:ff:ff:ff:ff:ff"

_ETHERNET_HEADER_BYTES = 14
_IPV4_HEADER_BYTES = 20


class MalformedFrame(ValueError):
    """Bytes that are not the frame they were taken for; the message says what is wrong."""


@dataclass(frozen=True)
class EthernetFrame:
    """One Ethernet frame; MAC addresses in lower case with colons, `vlan` of the outer tag."""

    destination: str
    source: str
    ethertype: int
    payload: bytes
    vlan: int | None = None


@dataclass(frozen=True)
class Ipv4Packet:
    """One IPv4 packet; `payload` is cut to the header's total length (Ethernet pads to 60)."""

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


def mac_text(octets: bytes) -> str:
    """Six bytes as `00:00:5e:00:00:5e`."""
    return octets.hex(":")


def parse_ethernet(frame: bytes) -> EthernetFrame:
    """Take the Ethernet header (and its VLAN tags) off a frame.

    Raises MalformedFrame when the frame is shorter than its header.
    """
    if len(frame) < _ETHERNET_HEADER_BYTES:
        raise MalformedFrame(f"Ethernet header needs 14 bytes, the frame has {len(frame)}")
    destination, source = mac_text(frame[:6]), mac_text(frame[6:12])
    (ethertype,), start, vlan = struct.unpack_from("!H", frame, 12), _ETHERNET_HEADER_BYTES, None
    while ethertype in ETHERTYPES_VLAN:
        if len(frame) < start + 4:
            raise MalformedFrame("802.1Q tag is cut short")
        tag, ethertype = struct.unpack_from("!HH", frame, start)
        vlan, start = tag & 0x0FFF if vlan is None else vlan, start + 4
    return EthernetFrame(destination, source, ethertype, frame[start:], vlan)


def parse_ipv4(packet: bytes) -> Ipv4Packet:
    """Take the IPv4 header off a packet (RFC 791); its own checksum is not verified.

    Raises MalformedFrame when lengths contradict each other.
    """
    if len(packet) < _IPV4_HEADER_BYTES:
        raise MalformedFrame(f"IPv4 header needs 20 bytes, the packet has {len(packet)}")
    first, tos, total, identifier, flags, ttl, protocol = struct.unpack_from("!BBHHHBB", packet)
    header_bytes = (first & 0x0F) * 4
    if first >> 4 != 4:
        raise MalformedFrame(f"IP version is {first >> 4}, expected 4")
    if not _IPV4_HEADER_BYTES <= header_bytes <= total <= len(packet):
        raise MalformedFrame(
            f"IPv4 lengths disagree: header {header_bytes}, total {total}, there are {len(packet)}"
        )
    return Ipv4Packet(
        source=socket.inet_ntoa(packet[12:16]),
        destination=socket.inet_ntoa(packet[16:20]),
        ttl=ttl,
        protocol=protocol,
        tos=tos,
        identifier=identifier,
        dont_fragment=bool(flags & 0x4000),
        fragment=bool(flags & 0x3FFF),
        header_bytes=header_bytes,
        payload=packet[header_bytes:total],
    )


def internet_checksum(octets: bytes) -> int:
    """Compute the checksum of RFC 1071; it is 0 over bytes that hold a right one."""
    if len(octets) % 2:
        octets += b"\0"
    total: int = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
