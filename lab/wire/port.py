"""Switch ports: the value that describes one, and the socket that is one.

A port is a UDP socket on 127.0.0.1: the NIC of a virtual machine sends each frame to it as one
datagram and takes frames at a port of its own. The socket is connected to that port: the kernel
refuses datagrams from anyone else, and has less to look up for each frame. A virtual port has no
socket; a client of the wire stands behind it.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from fcntl import ioctl
from typing import TypeAlias

from lab.errors import WireError

LOOPBACK = "127.0.0.1"

_SIOCGSTAMPNS = 0x8907  # Linux; Python has no name for these two
_SO_MEMINFO = 55
_RECEIVE_BUFFER = 4 * 1024 * 1024
_TIME = struct.Struct("@qq")
_NO_TIME = bytes(_TIME.size)
_MEMINFO = struct.Struct("@9I")  # the last one counts drops: sk_meminfo of linux/sock_diag.h
BATCH = 64
"""Frames taken from one port before the others have their turn."""

Receive: TypeAlias = Callable[["SwitchPort", bytes], None]


@dataclass(frozen=True)
class Port:
    """A port as its user describes it.

    `name` is "machine/nic", `segment` the network it is in, `switch_port` the UDP port the wire
    binds (0: the wire chooses), `nic_port` the UDP port the NIC binds and sends from.
    """

    name: str
    segment: str
    nic_port: int
    switch_port: int = 0


def free_udp_port() -> int:
    """Return a UDP port of 127.0.0.1 that is free now; nothing keeps it free."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((LOOPBACK, 0))
        number: int = probe.getsockname()[1]
        return number


class SwitchPort:
    """A port in service: where its frames go, what it lets in, and what it counted."""

    def __init__(self, name: str, segment: str) -> None:
        self.name = name
        self.segment = segment
        self.interface = 0
        self.cut = False
        self.accepted: frozenset[bytes] | None = None
        self.received = self.sent = self.refused = 0

    @property
    def guarded(self) -> bool:
        """Whether not everything may pass here."""
        return self.cut or self.accepted is not None

    def send(self, raw: bytes) -> None:  # noqa: ARG002 - a NIC's port needs it
        """Let `raw` leave here; a virtual port's frames are taken by subscription."""
        self.sent += 1

    def arrived_ns(self) -> int:
        """Return when the frame taken last came in (ns since 1970): here, where none waits, now."""
        return time.time_ns()

    def dropped(self) -> int:
        """Return how many frames the kernel dropped before they were taken."""
        return 0

    def close(self) -> None:
        """Let go of what the port holds."""

    def counters(self) -> dict[str, int]:
        """Return frames received, sent and refused (cut, MAC filter, paused)."""
        return {"received": self.received, "sent": self.sent, "refused": self.refused}


class NicPort(SwitchPort):
    """A port with a NIC behind it."""

    def __init__(self, port: Port) -> None:
        super().__init__(port.name, port.segment)
        self.unsent = 0
        self._buffer = memoryview(bytearray(65536))
        self.socket = _bound(port)
        try:
            self.nic_port = port.nic_port
        except BaseException:
            self.socket.close()
            raise
        self.switch_port: int = self.socket.getsockname()[1]

    @property
    def nic_port(self) -> int:
        """The UDP port of the NIC (1 to 65535); setting it makes another one the peer."""
        return self._nic_port

    @nic_port.setter
    def nic_port(self, number: int) -> None:
        if not 0 < number < 65536:
            raise WireError(f"port {self.name}: a NIC cannot have the UDP port {number}")
        self.socket.connect((LOOPBACK, number))
        self._nic_port = number
        while self.drain(lambda _port, _raw: None):  # what strangers, or the former peer, had sent
            pass

    def send(self, raw: bytes) -> None:
        """Send `raw` to the NIC; what the kernel refuses is counted, as a full wire drops."""
        try:
            try:
                self.socket.send(raw)
            except ConnectionRefusedError:  # of an earlier frame: nobody was there then
                self.socket.send(raw)
        except OSError:  # the buffer is full, or the frame too long: a switch drops and goes on
            self.unsent += 1
        else:
            self.sent += 1

    def drain(self, receive: Receive, most: int = BATCH) -> int:
        """Pass up to `most` waiting frames to `receive`, which may ask each when it arrived.

        Returns how many there were; a sign that a frame reached nobody counts as one.
        """
        take, buffer = self.socket.recv_into, self._buffer
        for taken in range(most):
            try:
                size = take(buffer)
            except BlockingIOError:
                return taken
            except ConnectionRefusedError:  # of a frame sent when the NIC was not there
                continue
            receive(self, buffer[:size].tobytes())
        return most

    def arrived_ns(self) -> int:
        """Return when the kernel got the frame taken last (ns since 1970).

        Asked for, not received with the frame: so the frame can be forwarded first.
        """
        seconds, nanoseconds = _TIME.unpack(ioctl(self.socket, _SIOCGSTAMPNS, _NO_TIME))
        at_ns: int = seconds * 1_000_000_000 + nanoseconds
        return at_ns

    def dropped(self) -> int:
        """Return the drops of the socket: what SO_RXQ_OVFL tells beside a frame, asked for."""
        memory = self.socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
        count: int = _MEMINFO.unpack(memory)[-1]
        return count

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def counters(self) -> dict[str, int]:
        """Return the counters, with frames the kernel dropped and those it would not send."""
        return super().counters() | {"overflowed": self.dropped(), "unsent": self.unsent}


def _bound(port: Port) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        bound.setblocking(False)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        with suppress(FileNotFoundError):  # no frame yet; from the first question on they are timed
            ioctl(bound, _SIOCGSTAMPNS, _NO_TIME)
        bound.bind((LOOPBACK, port.switch_port))
    except OSError as error:
        bound.close()
        raise WireError(
            f"port {port.name}: cannot bind UDP {LOOPBACK}:{port.switch_port}: {error.strerror}",
            hint="give switch_port 0 to let the wire choose, or end what holds it (ss -ulnp)",
        ) from None
    return bound
