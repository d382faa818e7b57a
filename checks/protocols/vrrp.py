"""VRRPv2 and VRRPv3 advertisements for IPv4, and how to tell them from CARP.

All three share IP protocol 112 and the group 224.0.0.18, and CARP and VRRPv2 even the first
byte 0x21; `read` tells them apart by length and byte 3. Sources: RFC 3768 (v2), RFC 5798 and
RFC 9568 (v3), and what keepalived 2.2.7 was seen to send. VRRP for IPv6 is not read, and the
authentication of v2 (a password in clear) is decoded but proves nothing.
"""

from __future__ import annotations

import enum
import ipaddress
import struct
from dataclasses import dataclass

from checks.protocols import carp
from evidence.packets import (
    IPV4,
    Ipv4Packet,
    MalformedFrame,
    internet_checksum,
    parse_ethernet,
    parse_ipv4,
)

_AUTHENTICATION_BYTES = 8


class Checksum(enum.StrEnum):
    """Over what the checksum of an advertisement adds up.

    RFC 3768 and 9568 say the message alone; RFC 5798 can be read either way, and keepalived
    includes the pseudo-header in v3 unless told `v3_checksum_as_v2`.
    """

    MESSAGE = "message"
    PSEUDO_HEADER = "message and pseudo-header"
    WRONG = "wrong"


class Defect(enum.StrEnum):
    """What can be wrong with one VRRP advertisement."""

    TTL = "ttl"
    CHECKSUM = "checksum"
    SOURCE_MAC = "source MAC"
    DESTINATION = "destination"
    KIND = "type"
    VRID = "VRID"


@dataclass(frozen=True)
class Advertisement:
    """One VRRP advertisement; priority 0 means "I resign", 255 the owner of the address."""

    source_mac: str
    destination_mac: str
    packet: Ipv4Packet
    version: int
    kind: int
    vrid: int
    priority: int
    interval_s: float
    addresses: tuple[str, ...]
    checksum: Checksum
    auth_type: int = 0
    authentication: bytes = b""

    @property
    def source(self) -> str:
        """The sender's own IPv4 address."""
        return self.packet.source

    @property
    def period_s(self) -> float:
        """Seconds between two advertisements of this sender."""
        return self.interval_s

    @property
    def virtual_mac(self) -> str:
        """The MAC that the RFCs give this VRID; keepalived uses it only with `use_vmac`."""
        return f"00:00:5e:00:01:{self.vrid:02x}"


def read(frame: bytes) -> carp.Advertisement | Advertisement | None:
    """Read the heartbeat that a frame carries, or None when it carries none.

    The rule: high nibble 3 is VRRPv3; 36 bytes whose byte 3 does not fit a VRRPv2 of five
    addresses is CARP (a genuine one has byte 3 == 7; another value there is a defective CARP, for
    `carp.findings` to name); everything else is VRRPv2. Raises MalformedFrame when a packet of
    protocol 112 is none of them, is cut short, or is a fragment.
    """
    try:
        ethernet = parse_ethernet(frame)
    except MalformedFrame:
        return None  # no frame at all: nothing was claimed to be a heartbeat
    if ethernet.ethertype != IPV4 or ethernet.payload[9:10] != bytes([carp.PROTOCOL]):
        return None
    packet = parse_ipv4(ethernet.payload)
    if packet.fragment:
        raise MalformedFrame("a fragment of a heartbeat")
    message = packet.payload
    if len(message) < 8:
        raise MalformedFrame(f"a heartbeat of {len(message)} bytes is neither VRRP nor CARP")
    if message[0] >> 4 == 3:
        return _version_3(packet, ethernet.source, ethernet.destination)
    if len(message) == carp.MESSAGE_BYTES and message[3] != 5:
        return carp.from_packet(packet, ethernet.source, ethernet.destination)
    return _version_2(packet, ethernet.source, ethernet.destination)


def findings(
    advert: Advertisement, *, vrid: int | None = None, virtual_mac: bool = False
) -> tuple[tuple[Defect, str], ...]:
    """Everything wrong with one advertisement, as (defect, what was seen) pairs.

    virtual_mac: whether the sender was configured to use the virtual router's MAC.
    """
    found = []
    if advert.packet.ttl != 255:
        found.append((Defect.TTL, f"TTL {advert.packet.ttl}, expected 255"))
    if advert.packet.destination != carp.GROUP:
        found.append((Defect.DESTINATION, f"sent to {advert.packet.destination}"))
    if advert.kind != 1:
        found.append((Defect.KIND, f"type {advert.kind}, expected 1"))
    if not advert.packet.header_sums_up:
        found.append((Defect.CHECKSUM, "the IPv4 header does not sum up"))
    if not _checksum_fits(advert):
        found.append((Defect.CHECKSUM, f"VRRPv{advert.version} checksum is {advert.checksum}"))
    if virtual_mac and advert.source_mac != advert.virtual_mac:
        found.append(
            (Defect.SOURCE_MAC, f"{advert.source_mac}, expected {advert.virtual_mac}"),
        )
    if vrid is not None and advert.vrid != vrid:
        found.append((Defect.VRID, f"VRID {advert.vrid}, expected {vrid}"))
    return tuple(found)


def _checksum_fits(advert: Advertisement) -> bool:
    if advert.version == 2:
        return advert.checksum is Checksum.MESSAGE
    return advert.checksum is not Checksum.WRONG


def _version_2(packet: Ipv4Packet, source_mac: str, destination_mac: str) -> Advertisement:
    message = packet.payload
    first, vrid, priority, count, auth_type, interval = struct.unpack_from("!BBBBBB", message)
    end = 8 + 4 * count
    if first >> 4 != 2 or len(message) != end + _AUTHENTICATION_BYTES:
        raise MalformedFrame(
            f"version {first >> 4} with {count} addresses in {len(message)} bytes is no VRRPv2"
        )
    return Advertisement(
        source_mac=source_mac,
        destination_mac=destination_mac,
        packet=packet,
        version=2,
        kind=first & 0x0F,
        vrid=vrid,
        priority=priority,
        interval_s=float(interval),
        addresses=_addresses(message[8:end]),
        checksum=_checksum(packet),
        auth_type=auth_type,
        authentication=message[end:],
    )


def _version_3(packet: Ipv4Packet, source_mac: str, destination_mac: str) -> Advertisement:
    message = packet.payload
    first, vrid, priority, count, interval = struct.unpack_from("!BBBBH", message)
    if len(message) != 8 + 4 * count:
        raise MalformedFrame(f"VRRPv3 with {count} addresses in {len(message)} bytes")
    return Advertisement(
        source_mac=source_mac,
        destination_mac=destination_mac,
        packet=packet,
        version=3,
        kind=first & 0x0F,
        vrid=vrid,
        priority=priority,
        interval_s=(interval & 0x0FFF) / 100,
        addresses=_addresses(message[8:]),
        checksum=_checksum(packet),
    )


def _addresses(octets: bytes) -> tuple[str, ...]:
    return tuple(str(ipaddress.IPv4Address(octets[i : i + 4])) for i in range(0, len(octets), 4))


def _checksum(packet: Ipv4Packet) -> Checksum:
    message = packet.payload
    if internet_checksum(message) == 0:
        return Checksum.MESSAGE
    pseudo_header = (
        ipaddress.IPv4Address(packet.source).packed
        + ipaddress.IPv4Address(packet.destination).packed
        + struct.pack("!BBH", 0, packet.protocol, len(message))
    )
    if internet_checksum(pseudo_header + message) == 0:
        return Checksum.PSEUDO_HEADER
    return Checksum.WRONG
