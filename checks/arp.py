"""ARP on the wire: who says that it holds the virtual IP, and how a takeover announces itself.

Reads requests and replies for IPv4 over Ethernet (RFC 826). ucarp announces with a *request*
whose sender and target are both the virtual IP, from the real NIC's MAC, to the Ethernet
broadcast; two of them, 2 s apart. keepalived sends the same kind, more of them.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from checks.ethernet import BROADCAST, ETHERTYPE_ARP, MalformedFrame, mac_text, parse_ethernet

REQUEST = 1
REPLY = 2


@dataclass(frozen=True)
class ArpPacket:
    """One ARP packet; `at_ns` is the wire's time stamp."""

    at_ns: int
    ethernet_source: str
    ethernet_destination: str
    operation: int
    sender_mac: str
    sender_ip: str
    target_mac: str
    target_ip: str

    @property
    def gratuitous(self) -> bool:
        """Whether this announces an address to everybody: sender and target are the same."""
        return self.sender_ip == self.target_ip and self.ethernet_destination == BROADCAST


def read(at_ns: int, frame: bytes) -> ArpPacket | None:
    """The ARP packet in a frame, or None when it carries no (whole) IPv4 ARP packet."""
    try:
        ethernet = parse_ethernet(frame)
    except MalformedFrame:
        return None
    body = ethernet.payload
    if ethernet.ethertype != ETHERTYPE_ARP or len(body) < 28:
        return None
    if struct.unpack_from("!HHBB", body) != (1, 0x0800, 6, 4):
        return None
    (operation,) = struct.unpack_from("!H", body, 6)
    return ArpPacket(
        at_ns=at_ns,
        ethernet_source=ethernet.source,
        ethernet_destination=ethernet.destination,
        operation=operation,
        sender_mac=mac_text(body[8:14]),
        sender_ip=socket.inet_ntoa(body[14:18]),
        target_mac=mac_text(body[18:24]),
        target_ip=socket.inet_ntoa(body[24:28]),
    )


def packets(frames: Iterable[tuple[int, bytes]]) -> list[ArpPacket]:
    """Every ARP packet among (time in ns, frame bytes), in the order given."""
    return [packet for at_ns, frame in frames if (packet := read(at_ns, frame)) is not None]


def announcements(arps: Iterable[ArpPacket], address: str) -> list[ArpPacket]:
    """The gratuitous ARP packets that claim `address`."""
    return [arp for arp in arps if arp.gratuitous and arp.sender_ip == address]


def replies(arps: Iterable[ArpPacket], address: str) -> list[ArpPacket]:
    """The replies that say who holds `address`."""
    return [
        arp
        for arp in arps
        if arp.operation == REPLY and arp.sender_ip == address and not arp.gratuitous
    ]


def questions(arps: Iterable[ArpPacket], address: str) -> list[ArpPacket]:
    """The requests that ask who holds `address` (duplicate address detection included)."""
    return [
        arp
        for arp in arps
        if arp.operation == REQUEST and arp.target_ip == address and not arp.gratuitous
    ]
