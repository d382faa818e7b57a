"""A running wire with NICs that the test plays, over real sockets."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from evidence.capture import Capture, Frame
from lab.wire import Port, Sockets, Wire

BROADCAST = b"\xff" * 6
_PATIENCE = 5.0


class Nic:
    """What QEMU is to the wire: takes frames at the socket it binds, and sends from it."""

    def __init__(self, number: int, directory: Path, port: str) -> None:
        self.mac = bytes((0x52, 0x54, 0, 0, 0, number))
        self.sockets = Sockets.of(directory, port)
        self.plug()

    def plug(self) -> None:
        """Bind the NIC's socket, as QEMU does at its start: whoever had the name loses it."""
        self.sockets.nic.parent.mkdir(mode=0o700, exist_ok=True)
        self.sockets.nic.unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.sockets.nic))
        self.socket.settimeout(_PATIENCE)

    def frame(
        self, payload: bytes = b"", *, to: bytes = BROADCAST, ethertype: int = 0x88B5
    ) -> bytes:
        return to + self.mac + ethertype.to_bytes(2, "big") + payload.ljust(46, b".")

    def send(self, raw: bytes) -> None:
        self.socket.sendto(raw, str(self.sockets.port))

    def fill(self) -> list[bytes]:
        """Send numbered frames until the wire has no room for another; return those it took."""
        self.socket.setblocking(False)
        sent: list[bytes] = []
        try:
            while True:
                raw = self.frame(str(len(sent)).encode())
                self.send(raw)
                sent.append(raw)
        except BlockingIOError:
            return sent
        finally:
            self.socket.settimeout(_PATIENCE)

    def take(self) -> bytes:
        return self.socket.recv(65536)

    def waiting(self) -> list[bytes]:
        """Return what has arrived by now (after a flush of the wire: all of it)."""
        self.socket.setblocking(False)
        frames = []
        try:
            while True:
                frames.append(self.socket.recv(65536))
        except BlockingIOError:
            return frames
        finally:
            self.socket.settimeout(_PATIENCE)


class Bench:
    """A wire with NICs a, b, c in segment "lan" and d in segment "outside"."""

    def __init__(self, directory: Path, held: ExitStack, capture: Path | None = None) -> None:
        self.directory = directory
        self.capture = capture or directory / "wire.pcapng"
        segments = dict(zip("abcd", ("lan", "lan", "lan", "outside"), strict=True))
        ports = [Port(f"{name}/wire0", segment) for name, segment in segments.items()]
        self.a, self.b, self.c, self.d = nics = [
            Nic(number, directory, port.name) for number, port in enumerate(ports, start=1)
        ]
        for nic in nics:
            held.callback(lambda nic=nic: nic.socket.close())
        self.wire = held.enter_context(Wire.start(directory, ports, capture=self.capture, seed=7))

    def recorded(self) -> list[Frame]:
        self.wire.flush()
        return list(Capture(self.capture))


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """Make a directory whose name leaves room for the names of sockets (107 bytes)."""
    directory = Path(tempfile.mkdtemp(prefix="vp", dir="/tmp"))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def bench(short_directory: Path) -> Iterator[Bench]:
    with ExitStack() as held:
        yield Bench(short_directory, held)
