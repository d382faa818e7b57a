"""Advertisements of a pair that is not there: a neighbour on the LAN with a VHID of its own.

A pair's standby is silent, so one sender is all that a pair's neighbours ever see of it. Frames are
as ucarp sends them.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from evidence.packets import internet_checksum
from lab.probe import Probe

_GROUP_MAC, _GROUP = bytes.fromhex("01005e000012"), "224.0.0.18"
_PERIOD_S = 1.0


@dataclass(frozen=True)
class Advertiser:
    """The active node of a foreign pair, as its neighbours see it."""

    address: str
    virtual_ip: str
    vhid: int
    password: str

    def frame(self, counter: int) -> bytes:
        """Return one advertisement, with a digest that its own pair accepts."""
        counted = struct.pack("!Q", counter)
        meant = bytes([2, 1, self.vhid]) + socket.inet_aton(self.virtual_ip) + counted
        tail = counted + hmac.new(self.password.encode(), meant, hashlib.sha1).digest()
        head = bytes([0x21, self.vhid, 0, 7, 0, 1])
        message = head + struct.pack("!H", internet_checksum(head + b"\0\0" + tail)) + tail
        ip = struct.pack("!BBHHHBBH", 0x45, 0x10, 56, counter & 0xFFFF, 0x4000, 255, 112, 0)
        ip += socket.inet_aton(self.address) + socket.inet_aton(_GROUP)
        ip = ip[:10] + struct.pack("!H", internet_checksum(ip)) + ip[12:]
        virtual_mac = bytes([0, 0, 0x5E, 0, 0, self.vhid])
        return _GROUP_MAC + virtual_mac + b"\x08\x00" + ip + message


@contextmanager
def advertising(probe: Probe, pair: Advertiser) -> Iterator[None]:
    """Send one advertisement a second from the probe's port, until the block ends."""
    over = threading.Event()
    first = secrets.randbits(48)

    def advertise() -> None:
        counter = first
        while not over.is_set():
            probe.send(pair.frame(counter))
            counter += 1
            over.wait(_PERIOD_S)

    thread = threading.Thread(target=advertise, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
