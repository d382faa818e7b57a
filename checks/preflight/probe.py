#!/usr/bin/env python3
# ruff: noqa: T201 - a program of its own: the record goes to standard output
"""Does this network carry a failover heartbeat? Run as root on both hosts-to-be, before deploying.

    probe.py listen --interface eth0 --seconds 60 > b.json      # first, on one host
    probe.py send --interface eth0 --to 192.168.70.2 > a.json   # meanwhile, on the other

then the other way round, and `python -m checks preflight a.json b.json ...` names the cause where
something is missing. This file stands alone (Python 3.9, nothing to install): copy it there.

It sends what ucarp sends, marked in the counter, and the same with one thing changed at a time. The
digest is made up: a pair with the same VHID warns once an advertisement, and ignores it. Frames are
read as ucarp reads them: below the host's own firewall, in promiscuous mode.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import secrets
import select
import socket
import struct
import sys
import time
from collections.abc import Sequence
from typing import Any

FORMAT = 1
GROUP = "224.0.0.18"
GROUP_MAC = b"\x01\x00\x5e\x00\x00\x12"
BROADCAST = b"\xff" * 6
MARK = b"VPF"  # in the counter, after four octets that tell one run from another
KINDS = ("adverts", "adverts_own_mac", "adverts_broadcast", "multicast", "unicast", "arp_broadcast")
MOST_RUNS = 64  # that are told apart, and MACs of one: more is somebody who floods
PORT = 5112  # of the plain multicast and unicast datagrams
ROUNDS = 20
PERIOD_S = 0.5

_SIOCGIFADDR, _SIOCGIFNETMASK, _SIOCGIFHWADDR = 0x8915, 0x891B, 0x8927
_SOL_PACKET, _ADD_MEMBERSHIP, _PROMISCUOUS, _OUTGOING = 263, 1, 1, 4
_ALL, _IPV4, _ARP = 0x0003, 0x0800, 0x0806
_CARP, _UDP = 112, 17


def checksum(octets: bytes) -> int:
    """Compute the Internet checksum (RFC 1071) of an even number of octets."""
    total: int = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(source: str, target: str, protocol: int, payload: bytes) -> bytes:
    """Put an IPv4 header before `payload`, with ucarp's TTL of 255."""
    head = struct.pack("!BBHHHBBH", 0x45, 0x10, 20 + len(payload), 0, 0x4000, 255, protocol, 0)
    head += socket.inet_aton(source) + socket.inet_aton(target)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def counter(token: str, kind: str) -> bytes:
    """Make the eight octets that mark a frame of ours: run, mark, kind."""
    return bytes.fromhex(token) + MARK + bytes([KINDS.index(kind)])


def advert(vhid: int, token: str, kind: str) -> bytes:
    """Make a CARP message of 36 octets whose digest nobody can verify."""
    tail = counter(token, kind) + bytes(20)
    head = bytes([0x21, vhid, 0, 7, 0, 1])
    return head + struct.pack("!H", checksum(head + b"\0\0" + tail)) + tail


def datagram(token: str, kind: str) -> bytes:
    """Make a UDP datagram that carries the mark; no checksum, as IPv4 allows."""
    mark = counter(token, kind)
    return struct.pack("!HHHH", PORT, PORT, 8 + len(mark), 0) + mark


def frames(mac: bytes, address: str, peer: str, vhid: int, token: str) -> dict[str, bytes]:
    """Make one frame of each kind but unicast, which the kernel addresses: {kind: frame}."""
    virtual = bytes([0, 0, 0x5E, 0, 0, vhid])

    def carp(target_mac: bytes, source_mac: bytes, kind: str) -> bytes:
        packet = ipv4(address, GROUP, _CARP, advert(vhid, token, kind))
        return target_mac + source_mac + struct.pack("!H", _IPV4) + packet

    multicast = ipv4(address, GROUP, _UDP, datagram(token, "multicast"))
    # the marked hardware address stands where an ARP request says nothing
    asked = struct.pack("!HHBBH", 1, _IPV4, 6, 4, 1) + mac + socket.inet_aton(address)
    asked += bytes.fromhex(token) + MARK[:2] + socket.inet_aton(peer)
    return {
        "adverts": carp(GROUP_MAC, virtual, "adverts"),
        "adverts_own_mac": carp(GROUP_MAC, mac, "adverts_own_mac"),
        "adverts_broadcast": carp(BROADCAST, virtual, "adverts_broadcast"),
        "multicast": GROUP_MAC + mac + struct.pack("!H", _IPV4) + multicast,
        "arp_broadcast": BROADCAST + mac + struct.pack("!H", _ARP) + asked,
    }


def recognise(frame: bytes) -> tuple[str, str | int] | None:
    """Name a frame: (token, kind) of one of ours, ("", vhid) of a foreign advertisement, or None.

    Also for frames that are cut short: those are nothing.
    """
    ethertype = frame[12:14]
    if (
        ethertype == struct.pack("!H", _ARP)
        and frame[36:38] == MARK[:2]
        and frame[20:22] == b"\0\1"
    ):
        return frame[32:36].hex(), "arp_broadcast"
    if ethertype != struct.pack("!H", _IPV4) or len(frame) < 34:
        return None
    start = 14 + (frame[14] & 15) * 4
    if frame[23] == _CARP and len(frame) >= start + 8:
        mark = frame[start + 8 : start + 16]
        return _marked(mark) or ("", frame[start + 1])
    if frame[23] == _UDP and frame[start + 2 : start + 4] == struct.pack("!H", PORT):
        return _marked(frame[start + 8 : start + 16])
    return None


def _marked(mark: bytes) -> tuple[str, str | int] | None:
    if len(mark) < 8 or mark[4:7] != MARK or mark[7] >= len(KINDS):
        return None
    return mark[:4].hex(), KINDS[mark[7]]


class Interface:
    """One network interface: its MAC, its address with prefix, and raw frames from and to it."""

    def __init__(self, name: str) -> None:
        self.name = name
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:

            def ask(request: int) -> bytes:
                packed = struct.pack("256s", name.encode()[:15])
                return fcntl.ioctl(asked.fileno(), request, packed)

            self.mac = ask(_SIOCGIFHWADDR)[18:24]
            self.address = socket.inet_ntoa(ask(_SIOCGIFADDR)[20:24])
            mask = struct.unpack("!I", ask(_SIOCGIFNETMASK)[20:24])[0]
        self.with_prefix = f"{self.address}/{bin(mask).count('1')}"

    def open(self) -> socket.socket:
        """Open a raw socket on it, promiscuous, as pcap opens one for ucarp."""
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
        raw.bind((self.name, _ALL))
        index = socket.if_nametoindex(self.name)
        wanted = struct.pack("iHH8s", index, _PROMISCUOUS, 0, b"")
        raw.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, wanted)
        return raw


def send(interface: Interface, peer: str, vhid: int, rounds: int, pause: float) -> dict[str, Any]:
    """Send `rounds` of every kind; return what was sent, as a record."""
    token = secrets.token_hex(4)
    sent = dict.fromkeys(KINDS, 0)
    made = frames(interface.mac, interface.address, peer, vhid, token)
    with interface.open() as raw, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        plain.bind((interface.address, 0))
        for _ in range(rounds):
            for kind, frame in made.items():
                raw.send(frame)
                sent[kind] += 1
            with contextlib.suppress(OSError):  # nobody is there: that is what is asked
                plain.sendto(counter(token, "unicast"), (peer, PORT))
            sent["unicast"] += 1
            select.select([], [], [], pause)
    return {**about(interface, "send"), "peer": peer, "vhid": vhid, "token": token, "sent": sent}


def listen(interface: Interface, seconds: float) -> dict[str, Any]:
    """Count frames of ours, by run, and note foreign VHIDs, for `seconds`; return a record."""
    heard: dict[str, dict[str, Any]] = {}
    foreign: set[int] = set()
    end = time.monotonic() + seconds
    with interface.open() as raw:
        print(f"listening on {interface.name} for {seconds} s", file=sys.stderr, flush=True)
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([raw], [], [], left)[0]:
                break
            frame, origin = raw.recvfrom(2048)
            if origin[2] != _OUTGOING:
                note(heard, foreign, frame)
    return {**about(interface, "listen"), "heard": heard, "foreign_vhids": sorted(foreign)}


def note(heard: dict[str, dict[str, Any]], foreign: set[int], frame: bytes) -> None:
    """Count one frame."""
    known = recognise(frame)
    if known is None:
        return
    token, kind = known
    if isinstance(kind, int):
        if kind:  # there is no VHID 0
            foreign.add(kind)
        return
    if token not in heard and len(heard) >= MOST_RUNS:  # no network has so many: somebody floods
        return
    run = heard.setdefault(token, {"seen": dict.fromkeys(KINDS, 0), "source_macs": []})
    run["seen"][kind] += 1
    source = frame[6:12].hex()
    mac = ":".join(source[at : at + 2] for at in range(0, 12, 2))
    macs = run["source_macs"]
    if kind == "adverts" and mac not in macs and len(macs) < MOST_RUNS:
        macs.append(mac)


def about(interface: Interface, role: str) -> dict[str, Any]:
    """Return what both records begin with."""
    return {"format": FORMAT, "role": role, "address": interface.with_prefix}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one side; the record goes to standard output, everything else to standard error."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(dest="role")
    hearing = commands.add_parser("listen", help="count what arrives")
    saying = commands.add_parser("send", help="send what ucarp would send, and controls")
    for one in (hearing, saying):
        one.add_argument("--interface", required=True)
    hearing.add_argument("--seconds", type=float, default=60)
    saying.add_argument("--to", required=True, help="IPv4 address of the host that listens")
    saying.add_argument("--vhid", type=int, default=94, help="1 to 255 (default: %(default)s)")
    saying.add_argument("--rounds", type=int, default=ROUNDS)
    saying.add_argument("--pause", type=float, default=PERIOD_S, help="seconds between two rounds")
    chosen = parser.parse_args(arguments)
    if chosen.role is None:
        parser.error("say listen or send")
    if chosen.role == "send" and not 1 <= chosen.vhid <= 255:
        parser.error(f"--vhid {chosen.vhid}: a VHID is a number from 1 to 255")
    try:
        interface = Interface(chosen.interface)
        if chosen.role == "send":
            record = send(interface, chosen.to, chosen.vhid, chosen.rounds, chosen.pause)
        else:
            record = listen(interface, chosen.seconds)
    except OSError as error:
        why = f"{chosen.interface}: {error}"
        if os.geteuid() != 0:
            why += " (this must be run as root)"
        print(f"probe.py: {why}", file=sys.stderr)
        return 1
    print(json.dumps(record))
    return 0


if __name__ == "__main__":
    sys.exit(main())
