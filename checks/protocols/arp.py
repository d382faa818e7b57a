"""ARP on the wire: who says that it holds the virtual IP, and how a takeover announces itself.

ucarp announces with a *request* whose sender and target are both the virtual IP, from the real
NIC's MAC, to the Ethernet broadcast; two of them, 2 s apart. keepalived sends the same kind,
more of them. Reads what `evidence.packets` decodes and adds the time; decides nothing about roles.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from evidence import packets
from evidence.capture import Frame
from evidence.packets import BROADCAST

REQUEST = 1
REPLY = 2


@dataclass(frozen=True)
class ArpSighting:
    """One ARP packet at a moment of the wire's clock, the MACs of the frame around it, its port.

    vlan: of an 802.1Q tag, if it had one.
    """

    at_ns: int
    frame_source: str
    frame_target: str
    arp: packets.Arp
    port: str = ""
    vlan: int | None = None

    @property
    def announces(self) -> bool:
        """Whether it tells everybody of an address: sender and target are one, to broadcast."""
        return self.arp.gratuitous and self.frame_target == BROADCAST


def sightings(frames: Iterable[Frame]) -> list[ArpSighting]:
    """Pick every ARP packet out of frames."""
    found = []
    for frame in frames:
        packet = packets.parse(frame.data)
        arp = packets.parse_arp(packet) if packet is not None else None
        if packet is not None and arp is not None:
            macs, port = (packet.source_mac, packet.target_mac), frame.interface
            found.append(ArpSighting(frame.at_ns, *macs, arp, port, packet.vlan))
    return found


def announcements(arps: Iterable[ArpSighting], address: str) -> list[ArpSighting]:
    """Select the gratuitous ARP packets that claim `address`."""
    return [seen for seen in arps if seen.announces and seen.arp.sender == address]


def replies(arps: Iterable[ArpSighting], address: str) -> list[ArpSighting]:
    """Select the replies that say who holds `address`."""
    return [
        seen
        for seen in arps
        if seen.arp.operation == REPLY and seen.arp.sender == address and not seen.announces
    ]


def questions(arps: Iterable[ArpSighting], address: str) -> list[ArpSighting]:
    """Select the requests that ask who holds `address` (duplicate address detection included)."""
    return [
        seen
        for seen in arps
        if seen.arp.operation == REQUEST and seen.arp.target == address and not seen.arp.gratuitous
    ]
