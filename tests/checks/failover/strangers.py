"""What else may advertise on the pair's LAN: it neither passes nor fails the pair."""

from __future__ import annotations

import socket
from collections.abc import Callable

from tests.checks.failover.recording import CLIENT, CLIENT_MAC, MAC, Run
from tests.checks.protocols import encoder

PORT = "elsewhere/wire0"
OTHER = "192.168.70.11"


def a_vrrp_router(run: Run, vrid: int = 51, every: float = 1.0, at: float = 0.33) -> Run:
    """Let a router beside the pair advertise its VRID."""
    raw = encoder.vrrp("192.168.70.254", vrid=vrid, mac="00:00:5e:00:01:33", virtual_ip=OTHER)
    return _every(run, lambda _: raw, every, at)


def a_carp_pair(run: Run, vhid: int = 95, at: float = 0.44) -> Run:
    """Let another pair advertise, with an address and a password of its own."""

    def advert(second: int) -> bytes:
        return encoder.carp(
            OTHER, counter=5000 + second, vhid=vhid, password="theirs", virtual_ip="192.168.70.99"
        )

    return _every(run, advert, 1.0, at)


def a_clone_in_a_vlan(run: Run) -> Run:
    """Let the pair's like advertise and answer ARP in a VLAN: its VHID, password, virtual IP."""
    reply = encoder.arp(2, "02:00:00:00:00:11", encoder.VIRTUAL_IP, CLIENT, to=CLIENT_MAC)
    _every(run, lambda _: tagged(reply), 3.0, 0.66)
    return _every(run, lambda second: tagged(encoder.carp(OTHER, counter=second)), 1.0, 0.55)


def a_broken_packet(run: Run) -> Run:
    """Let another host send 12 bytes of what begins as VRRPv2 now and then."""
    message = bytes([0x21, 51, 100, 1]) + bytes(8)
    return _every(run, lambda _: encoder.vrrp("192.168.70.254", message=message), 7.0, 0.77)


def _every(run: Run, raw: Callable[[int], bytes], seconds: float, at: float) -> Run:
    number = 0
    while at < run.seconds:
        run.frame(at, PORT, raw(number))
        at, number = at + seconds, number + 1
    return run


STRANGERS: dict[str, Callable[[Run], Run]] = {
    "a VRRP router, VRID 51": a_vrrp_router,
    "a VRRP router, VRID 51, each 5 s": lambda run: a_vrrp_router(run, every=5.0),
    "a VRRP router, VRID 94": lambda run: a_vrrp_router(run, vrid=94),
    "a CARP pair, VHID 95": a_carp_pair,
    "a CARP pair, VHID 94, another password": lambda run: a_carp_pair(run, vhid=94),
    "a CARP pair in VLAN 7, the same VHID and password": a_clone_in_a_vlan,
    "a broken packet of 12 bytes": a_broken_packet,
}


def tagged(raw: bytes, vlan: int = 7, kind: bytes = b"\x81\x00") -> bytes:
    """Put a VLAN tag into a frame."""
    return raw[:12] + kind + vlan.to_bytes(2, "big") + raw[12:]


def tagged_twice(raw: bytes) -> bytes:
    """Put two tags into a frame, as a provider's bridge does."""
    return tagged(tagged(raw), 8, b"\x88\xa8")


def from_address(raw: bytes, address: str) -> bytes:
    """Give a frame's IP header another source."""
    header = raw[14:24] + b"\0\0" + socket.inet_aton(address) + raw[30:34]
    return (
        raw[:14]
        + header[:10]
        + encoder.checksum(header).to_bytes(2, "big")
        + header[12:]
        + raw[34:]
    )


def asks_from(node: str, sender: str, target: str) -> bytes:
    """Let a node ask who has an address, with another as its own."""
    return encoder.arp(1, MAC[node], sender, target)
