"""What a frame answers to a host that asks: who holds an address, and whether a service is there.

Frames come from guests, and may be anything: what is not whole, or is tagged for a VLAN, is None
here. Nothing raises.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address

from evidence.packets import (
    ETHERNET_HEADER,
    IPV4,
    TCP,
    Arp,
    parse,
    parse_arp,
    parse_headers,
)
from lab.wire import Frame

REQUEST, REPLY = 1, 2
SYN_ACK = 0x12
_FLAGS = 0x3F
_SEGMENT = struct.Struct("!HHIIBB")


@dataclass(frozen=True)
class Segment:
    """What is looked at of a TCP segment: both ends, what it acknowledges, and its flags."""

    sender: str
    target: str
    port: int
    target_port: int
    acknowledged: int
    flags: int


def arp_in(frame: Frame) -> Arp | None:
    """Return the ARP packet in a frame."""
    packet = parse(frame.raw)
    return parse_arp(packet) if packet is not None and packet.vlan is None else None


def arp_reply(frame: Frame, address: str) -> str | None:
    """Return the MAC that a frame says holds `address`, if it is a reply that does."""
    arp = arp_in(frame)
    if arp is None or (arp.operation, arp.sender) != (REPLY, address):
        return None
    return arp.sender_mac


def segment_in(frame: Frame) -> Segment | None:
    """Return the TCP segment in a frame, if its whole header is there."""
    packet = parse(frame.raw)
    if packet is None or (packet.ethertype, packet.protocol, packet.vlan) != (IPV4, TCP, None):
        return None
    if packet.source is None or packet.target is None or packet.source_port is None:
        return None
    at = ETHERNET_HEADER + (frame.raw[ETHERNET_HEADER] & 15) * 4
    port, target_port, _, acknowledged, _, flags = _SEGMENT.unpack_from(frame.raw, at)
    return Segment(packet.source, packet.target, port, target_port, acknowledged, flags & _FLAGS)


def sent_from(
    frame: Frame, address: str, protocol: int, port: int, number: int | None
) -> str | None:
    """Return the MAC of a frame that comes from a port of `address`, to our port if it is given."""
    headers = parse_headers(frame.raw)
    came = (headers.protocol, headers.source_ip, headers.source_port)
    if came != (protocol, IPv4Address(address).packed, port):
        return None
    if number is not None and headers.destination_port != number:
        return None
    return headers.source.hex(":")


def syn_ack(frame: Frame, address: str, port: int, number: int | None) -> str | None:
    """Return the MAC of a frame that accepts a connection to a port of `address`."""
    came = segment_in(frame)
    mac = sent_from(frame, address, TCP, port, number)
    return mac if came is not None and came.flags == SYN_ACK else None
