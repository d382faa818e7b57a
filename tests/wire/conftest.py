"""A running wire with NICs that the test plays, over real loopback sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from evidence.capture import Capture, Frame
from lab.wire import Port, Wire

BROADCAST = b"\xff" * 6
_PATIENCE = 5.0


class Nic:
    """What QEMU is to the wire: sends from one UDP port, takes frames at the same."""

    def __init__(self, number: int) -> None:
        self.mac = bytes((0x52, 0x54, 0, 0, 0, number))
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(_PATIENCE)
        self.number = self.socket.getsockname()[1]
        self.switch_port = 0

    def frame(
        self, payload: bytes = b"", *, to: bytes = BROADCAST, ethertype: int = 0x88B5
    ) -> bytes:
        return to + self.mac + ethertype.to_bytes(2, "big") + payload.ljust(46, b".")

    def send(self, raw: bytes) -> None:
        self.socket.sendto(raw, ("127.0.0.1", self.switch_port))

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
        self.a, self.b, self.c, self.d = nics = [Nic(number) for number in range(1, 5)]
        segments = ("lan", "lan", "lan", "outside")
        ports = [
            Port(f"{name}/wire0", segment, nic.number)
            for name, segment, nic in zip("abcd", segments, nics, strict=True)
        ]
        for nic in nics:
            held.callback(nic.socket.close)
        self.wire = held.enter_context(Wire.start(directory, ports, capture=self.capture, seed=7))
        for nic, port in zip(nics, self.wire.ports().values(), strict=True):
            nic.switch_port = port.switch_port

    def recorded(self) -> list[Frame]:
        self.wire.flush()
        return list(Capture(self.capture))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with ExitStack() as held:
        yield Bench(tmp_path, held)
