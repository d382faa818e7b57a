"""CARP advertisements as ucarp sends them: decoded by hand, and every defect of one named.

The layout (frame of 70 bytes: Ethernet 14, IPv4 20, CARP 36), the digest and what a receiver
rejects were read in ucarp 1.5.2 and seen on its wire. The digest is HMAC-SHA1 with the password
as key over `02 01 VHID virtual-IP counter`; it does not cover advskew, advbase, authlen, pad,
the IP source or the TTL, so a digest that verifies does not make an advertisement honest.

Scapy's own CARP layer is not used: importing it unbinds VRRP for the whole process, and its
digest rejects genuine advertisements. One frame is judged at a time here; what follows from
many (interval, continuity of the counter) is in `checks.protocols.heartbeat`.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import ipaddress
import struct
from dataclasses import dataclass

from evidence.packets import (
    IPV4,
    Ipv4Packet,
    MalformedFrame,
    internet_checksum,
    parse_ethernet,
    parse_ipv4,
)

PROTOCOL = 112
"""IP protocol number, shared with VRRP."""
GROUP = "224.0.0.18"
GROUP_MAC = "01:00:5e:00:00:12"
MESSAGE_BYTES = 36
AUTHLEN = 7
"""Counter and digest in 32-bit words."""
PASSWORD_BYTES = 19
"""The longest password ucarp takes: 20 are refused with "Password too long"."""

_TOS = 0x10


class Defect(enum.StrEnum):
    """What can be wrong with one advertisement."""

    LAYOUT = "layout"
    VERSION = "version"
    TTL = "ttl"
    CHECKSUM = "checksum"
    DIGEST = "digest"
    SOURCE_MAC = "source MAC"
    DESTINATION = "destination"
    VHID = "VHID"


@dataclass(frozen=True)
class Finding:
    """One defect with what was seen and what was expected."""

    defect: Defect
    detail: str

    def __str__(self) -> str:
        return f"{self.defect}: {self.detail}"


@dataclass(frozen=True)
class Advertisement:
    """One CARP advertisement with the headers it came in. `advskew` is in 1/256 s."""

    source_mac: str
    destination_mac: str
    packet: Ipv4Packet
    version: int
    kind: int
    vhid: int
    advskew: int
    authlen: int
    pad: int
    advbase: int
    checksum: int
    counter: int
    digest: bytes

    @property
    def source(self) -> str:
        """The sender's own IPv4 address."""
        return self.packet.source

    @property
    def period_s(self) -> float:
        """Seconds between two advertisements of this sender: advbase + advskew/256."""
        return self.advbase + self.advskew / 256

    @property
    def virtual_mac(self) -> str:
        """The source MAC that ucarp uses for this VHID (its fifth byte is 00; VRRP's is 01)."""
        return f"00:00:5e:00:00:{self.vhid:02x}"


@dataclass(frozen=True)
class Secret:
    """What a pair shares: its password, its one virtual IP and its VHID."""

    password: str
    virtual_ip: str
    vhid: int

    def __post_init__(self) -> None:
        if not 1 <= self.vhid <= 255:
            raise ValueError(f"VHID must be 1 to 255, not {self.vhid}")
        if not 1 <= len(self.password.encode()) <= PASSWORD_BYTES:
            raise ValueError(f"a ucarp password has 1 to {PASSWORD_BYTES} bytes")
        ipaddress.IPv4Address(self.virtual_ip)


def decode(frame: bytes) -> Advertisement:
    """Decode an Ethernet frame that carries a CARP message, however wrong its fields.

    Raises MalformedFrame when it is not IPv4 protocol 112 or has not CARP's 36 bytes.
    """
    ethernet = parse_ethernet(frame)
    if ethernet.ethertype != IPV4:
        raise MalformedFrame(f"ethertype 0x{ethernet.ethertype:04x} is not IPv4")
    packet = parse_ipv4(ethernet.payload)
    if packet.protocol != PROTOCOL or packet.fragment:
        raise MalformedFrame(f"IP protocol {packet.protocol} is not a whole CARP packet")
    return from_packet(packet, ethernet.source, ethernet.destination)


def from_packet(packet: Ipv4Packet, source_mac: str, destination_mac: str) -> Advertisement:
    """Decode the CARP message of an IPv4 packet; raises MalformedFrame unless it has 36 bytes."""
    message = packet.payload
    if len(message) != MESSAGE_BYTES:
        raise MalformedFrame(f"a CARP message has {MESSAGE_BYTES} bytes, not {len(message)}")
    first, vhid, advskew, authlen, pad, advbase, checksum, counter = struct.unpack_from(
        "!BBBBBBHQ", message
    )
    return Advertisement(
        source_mac=source_mac,
        destination_mac=destination_mac,
        packet=packet,
        version=first >> 4,
        kind=first & 0x0F,
        vhid=vhid,
        advskew=advskew,
        authlen=authlen,
        pad=pad,
        advbase=advbase,
        checksum=checksum,
        counter=counter,
        digest=message[16:36],
    )


def digest(secret: Secret, vhid: int, counter: int) -> bytes:
    """Compute the 20 bytes of HMAC-SHA1 that an advertisement must carry."""
    address = ipaddress.IPv4Address(secret.virtual_ip).packed
    message = struct.pack("!BBB4sQ", 2, 1, vhid, address, counter)
    return hmac.new(secret.password.encode(), message, hashlib.sha1).digest()


def findings(advert: Advertisement, secret: Secret | None = None) -> tuple[Finding, ...]:
    """Everything wrong with one advertisement; empty when it is as ucarp sends it.

    Without `secret` neither digest nor VHID is judged.
    """
    found = [*_header_findings(advert), *_message_findings(advert)]
    if secret is not None:
        found += _secret_findings(advert, secret)
    return tuple(found)


def _header_findings(advert: Advertisement) -> list[Finding]:
    packet = advert.packet
    found = []
    if advert.source_mac != advert.virtual_mac:
        found.append(
            Finding(Defect.SOURCE_MAC, f"{advert.source_mac}, expected {advert.virtual_mac}")
        )
    # ucarp --nomcast sends to the broadcast MAC; the IP destination stays the group.
    if advert.destination_mac not in (GROUP_MAC, "ff:ff:ff:ff:ff:ff"):
        found.append(Finding(Defect.DESTINATION, f"frame sent to {advert.destination_mac}"))
    if packet.destination != GROUP:
        found.append(Finding(Defect.DESTINATION, f"sent to {packet.destination}, expected {GROUP}"))
    if packet.ttl != 255:
        found.append(Finding(Defect.TTL, f"TTL {packet.ttl}, expected 255"))
    if packet.header_bytes != 20 or packet.tos != _TOS or not packet.dont_fragment:
        found.append(
            Finding(
                Defect.LAYOUT,
                f"IPv4 header of {packet.header_bytes} bytes, TOS 0x{packet.tos:02x}, "
                f"DF {packet.dont_fragment}; expected 20, 0x10, True",
            )
        )
    if not packet.header_sums_up:
        found.append(Finding(Defect.CHECKSUM, "the IPv4 header does not sum up"))
    return found


def _message_findings(advert: Advertisement) -> list[Finding]:
    found = []
    if advert.version != 2:
        found.append(Finding(Defect.VERSION, f"version {advert.version}, expected 2"))
    shape = (advert.kind, advert.authlen, advert.pad)
    if shape != (1, AUTHLEN, 0):
        found.append(Finding(Defect.LAYOUT, f"type, authlen, pad are {shape}, expected (1, 7, 0)"))
    if advert.advbase < 1:
        # ucarp accepts 0 with a skew, and then flaps.
        found.append(Finding(Defect.LAYOUT, "advbase 0, expected at least 1"))
    if internet_checksum(advert.packet.payload) != 0:
        found.append(Finding(Defect.CHECKSUM, f"0x{advert.checksum:04x} does not sum up"))
    return found


def _secret_findings(advert: Advertisement, secret: Secret) -> list[Finding]:
    found = []
    if advert.vhid != secret.vhid:
        found.append(Finding(Defect.VHID, f"VHID {advert.vhid}, expected {secret.vhid}"))
    if not hmac.compare_digest(advert.digest, digest(secret, advert.vhid, advert.counter)):
        found.append(
            Finding(
                Defect.DIGEST,
                f"from {advert.source}, counter {advert.counter}: made with another password, "
                f"or for another virtual IP than {secret.virtual_ip}",
            )
        )
    return found
