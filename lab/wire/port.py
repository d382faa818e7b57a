"""Switch ports: the value that describes one, and the sockets that are one.

A port and the NIC of a virtual machine send each other one Unix datagram a frame. Both have a
socket in the lab's own directory, which nobody else may enter: no number is chosen or lost, and no
stranger can send, listen, or take a name. The kernel drops nothing between them: a NIC whose port
has no room waits (QEMU keeps the frame, and the guest behind it), and frames for a NIC that takes
none wait here, in a queue with an end, as at any switch. A virtual port has no socket; a client of
the wire stands behind it.
"""

from __future__ import annotations

import os
import re
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from evidence.printable import visible
from lab.errors import WireError
from lab.wire.message import LONGEST_PATH

SOCKETS = "wire"
"""The directory of the sockets, in their lab's."""

MOST_WAITING = 1000
"""Frames that wait for a NIC before further ones are dropped: the usual length of a NIC's queue."""

BATCH = 64
"""Frames taken from one port before the others have their turn."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}/[a-z][a-z0-9]{0,14}")
_SEGMENT = re.compile(r"[a-z][a-z0-9-]{0,31}")
_SO_TIMESTAMPNS = 35  # Linux; Python has no name for it
_TIME = struct.Struct("@qq")
_TIME_ROOM = socket.CMSG_SPACE(_TIME.size)
_LONGEST_FRAME = 65536
_QUEUE = Path("/proc/sys/net/unix/max_dgram_qlen")

Receive: TypeAlias = Callable[["SwitchPort", bytes], None]


@dataclass(frozen=True)
class Port:
    """A port as its user describes it: its name, "machine/nic", and the network it is in.

    Raises WireError when either is none: names go into file names and captures.
    """

    name: str
    segment: str

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise WireError(
                f"{_shown(self.name)} is no name of a port",
                hint="write machine/nic: lower case, at most 32 and 15 characters",
            )
        if not isinstance(self.segment, str) or not _SEGMENT.fullmatch(self.segment):
            raise WireError(
                f"port {self.name}: {_shown(self.segment)} is no name of a segment",
                hint="write a network's name: lower case, at most 32 characters",
            )


@dataclass(frozen=True)
class Sockets:
    """The two ends of the cable between a port and its NIC.

    `port` is the path that the wire binds and takes frames at, `nic` that of the NIC (QEMU).
    """

    port: Path
    nic: Path

    @classmethod
    def of(cls, directory: Path, port: str) -> Sockets:
        """Return those of the port called `port` in the lab at `directory`."""
        stem = directory.absolute() / SOCKETS / port.replace("/", ".")
        return cls(Path(f"{stem}.port"), Path(f"{stem}.nic"))


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

    def empty(self) -> None:
        """Throw away what waits to leave."""

    def close(self) -> None:
        """Let go of what the port holds."""

    def counters(self) -> dict[str, int]:
        """Return frames received, sent and refused (cut, MAC filter, paused)."""
        return {"received": self.received, "sent": self.sent, "refused": self.refused}


class NicPort(SwitchPort):
    """A port with a NIC behind it, in the lab at `directory`.

    It takes frames at one socket and sends from another: when a NIC goes away, the kernel throws
    away what its partner holds, and that must not be what the NIC had sent.

    Only a few frames wait in the kernel (net.unix.max_dgram_qlen, 10 to 512). `held_ns` is the
    longest that a NIC may have been kept waiting with the next one since it was last set to 0:
    by so much the time of a frame may be later than when the guest sent it.

    on_full: called when frames begin to wait for the NIC; then call `flush` when `egress` is
    writable, until it returns True.
    """

    def __init__(self, port: Port, directory: Path) -> None:
        super().__init__(port.name, port.segment)
        self.absent = self.unsent = 0
        self.held_ns = 0
        self.on_full: Callable[[], object] = lambda: None
        self.sockets = Sockets.of(directory, port.name)
        self._at = os.fsencode(self.sockets.nic)
        self._waiting: deque[bytes] = deque()
        self._announced = False
        self._room = memoryview(bytearray(_LONGEST_FRAME))
        self._rooms = [self._room]
        self._time = b""
        self._full = int(_QUEUE.read_text()) + 1
        self._in_a_row = 0
        self.ingress = _bound(port.name, self.sockets.port)
        self.egress = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.egress.setblocking(False)

    def send(self, raw: bytes) -> None:
        """Send `raw` to the NIC, after those that wait; dropped and counted when it has no room."""
        if self._waiting:
            self._queue(raw)
            return
        try:
            self.egress.send(raw)
        except BlockingIOError:
            self._queue(raw)
            if not self._announced:
                self._announced = True
                self.on_full()
        except OSError:
            self._send_anew(raw)
        else:
            self.sent += 1

    def flush(self, _events: int = 0) -> bool:
        """Send what waits, as far as the NIC takes it; whether nothing waits any more."""
        while self._waiting:
            try:
                self.egress.send(self._waiting[0])
            except BlockingIOError:
                return False
            except OSError:  # the NIC is gone, and with it whoever was to have these
                self.absent += len(self._waiting)
                self._waiting.clear()
            else:
                self._waiting.popleft()
                self.sent += 1
        self._announced = False
        return True

    def drain(self, receive: Receive, most: int = BATCH) -> int:
        """Pass up to `most` waiting frames to `receive`, which may ask each when it arrived.

        Returns how many there were.
        """
        take, rooms, room = self.ingress.recvmsg_into, self._rooms, self._room
        for taken in range(most):
            try:
                size, told, _flags, _sender = take(rooms, _TIME_ROOM)
            except BlockingIOError:
                self._in_a_row = 0
                return taken
            self._time = told[0][2] if told else b""
            self._in_a_row += 1
            if self._in_a_row == self._full:  # this may have been the last that there was room for
                self._in_a_row = 0
                self.held_ns = max(self.held_ns, time.time_ns() - self.arrived_ns())
            receive(self, room[:size].tobytes())
        return most

    def arrived_ns(self) -> int:
        """Return when the kernel got the frame taken last (ns since 1970)."""
        if not self._time:  # sent before the port asked for times: none of ours is
            return time.time_ns()
        seconds, nanoseconds = _TIME.unpack(self._time)
        at_ns: int = seconds * 1_000_000_000 + nanoseconds
        return at_ns

    def empty(self) -> None:
        """Throw away what waits for the NIC."""
        self._waiting.clear()

    def close(self) -> None:
        """Close the sockets and take the port's name away."""
        self.ingress.close()
        self.egress.close()
        self.sockets.port.unlink(missing_ok=True)

    def counters(self) -> dict[str, int]:
        """Return the counters, with frames for a NIC that was absent, or had no room (unsent)."""
        return super().counters() | {"absent": self.absent, "unsent": self.unsent}

    def _queue(self, raw: bytes) -> None:
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(raw)
        else:
            self.unsent += 1

    def _send_anew(self, raw: bytes) -> None:
        """Send to whoever has the NIC's name now: it was switched on, or off and on again."""
        try:
            self.egress.connect(self._at)
            self.egress.send(raw)
        except OSError as error:
            if isinstance(error, FileNotFoundError | ConnectionRefusedError):
                self.absent += 1
            else:  # longer than a datagram may be: a switch drops and goes on
                self.unsent += 1
        else:
            self.sent += 1


def _bound(name: str, path: Path) -> socket.socket:
    """Return a socket bound to `path`, whose directory is the owner's only.

    A name that is left of a wire that died is taken over; WireError when one serves it.
    """
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise WireError(
            f"port {name}: {path} is too long for a Unix socket ({LONGEST_PATH} octets)",
            hint="set VPNPROOF_LABS to a directory with a shorter name",
        )
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        bound.setblocking(False)
        bound.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        if path.is_socket() and not _served(path):
            path.unlink()
        bound.bind(os.fsencode(path))
        path.chmod(0o600)
    except OSError as error:
        bound.close()
        raise WireError(
            f"port {name}: cannot bind {path}: {error.strerror}",
            hint="one lab, one directory: does another wire serve this one?",
        ) from None
    return bound


def _served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as trying:
        try:
            trying.connect(os.fsencode(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
    return True


def _shown(value: object) -> str:
    return visible(repr(value), most=60)
