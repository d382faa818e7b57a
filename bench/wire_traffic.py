"""The traffic of `bench/wire.py`: a process that plays two NICs and times what it sees.

Reads its task from stdin (ports and amounts), writes what it sent and saw to stdout, both JSON.
It judges nothing.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.errors import LabError
from lab.wire import Sockets

NUMBER = struct.Struct("!Q")
NUMBER_AT = 14
"""Where a frame carries its number: behind the Ethernet header."""

_PAYLOAD = b"\0" * 42
_EXPERIMENT = b"\x88\xb5"  # IEEE 802 local experimental EtherType 1
_MACS = (b"\x52\x54\0\0\0\x01", b"\x52\x54\0\0\0\x02")
_WINDOW = 64
_NO_FRAME = b"\0" * 64
_APART_NS = 150_000
_LOST_AFTER = 2.0


@dataclass(frozen=True)
class Sent:
    """What was sent and seen: times in ns, seconds for `frames`, and the flood's numbers.

    `direct_ns` from socket to socket, `through_ns` through the wire, `relayed_ns` by the relay.
    """

    direct_ns: list[int]
    through_ns: list[int]
    relayed_ns: list[int]
    frames: int
    frames_seconds: float
    flood: tuple[int, int]


class _Nics:
    """Two NICs on the wire: the first sends to the second."""

    def __init__(self, sending: socket.socket, receiving: socket.socket, wire: Path) -> None:
        self.sending = sending
        self.receiving = receiving
        self.wire = str(wire)
        self.number = 0

    def frame(self) -> bytes:
        """Return the next frame, numbered."""
        number = NUMBER.pack(self.number)
        self.number += 1
        return b"".join((_MACS[1], _MACS[0], _EXPERIMENT, number, _PAYLOAD))

    def time_one(self, to: str, raw: bytes) -> int:
        """Send `raw` and return the ns until it is received, polling."""
        receive = self.receiving.recv
        began = time.perf_counter_ns()
        self.sending.sendto(raw, to)
        while True:
            try:
                receive(2048)
            except BlockingIOError:
                if time.perf_counter_ns() - began > _LOST_AFTER * 1e9:
                    raise LabError("a frame was lost", hint="is the wire alive?") from None
            else:
                return time.perf_counter_ns() - began


def _latencies(nics: _Nics, relay: str, pings: int) -> tuple[list[int], list[int], list[int]]:
    """Return the times of datagrams that go straight, through the wire, and by the relay."""
    direct: list[int] = []
    through: list[int] = []
    relayed: list[int] = []
    for _ in range(pings):
        direct.append(nics.time_one(nics.receiving.getsockname(), _NO_FRAME))
        _stay_awake()
        through.append(nics.time_one(nics.wire, nics.frame()))
        _stay_awake()
        relayed.append(nics.time_one(relay, _NO_FRAME))
        _stay_awake()
    return direct, through, relayed


def _stay_awake() -> None:
    """Let some time pass without sleeping: waking up is not what is measured."""
    until = time.perf_counter_ns() + _APART_NS
    while time.perf_counter_ns() < until:
        pass


@contextmanager
def _relay(own: Path, to: Path) -> Iterator[str]:
    """Yield the name of the socket of a relay to `to` that runs meanwhile."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ingress:
        ingress.bind(str(own))
        descriptor = ingress.fileno()
        command = [sys.executable, "-m", "bench.wire_relay", str(descriptor), str(to)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[descriptor]) as running:
            yield str(own)
            running.communicate()  # its stdin ends, and with it the relay


def _rate(nics: _Nics, frames: int) -> float:
    send, receive, to = nics.sending.sendto, nics.receiving.recv, nics.wire
    arrived = select.poll()
    arrived.register(nics.receiving, select.POLLIN)
    in_flight = sent = received = 0
    raw = nics.frame()
    began = time.perf_counter()
    while received < frames:
        try:
            while in_flight < _WINDOW and sent < frames:
                send(raw, to)
                raw = nics.frame() if sent + 1 < frames else b""
                sent += 1
                in_flight += 1
        except BlockingIOError:  # the wire has no room just now; this frame goes next
            pass
        if not arrived.poll(_LOST_AFTER * 1000):
            raise LabError(f"{in_flight} frames were lost", hint="is the wire alive?")
        try:
            while in_flight:
                receive(2048)
                in_flight -= 1
                received += 1
        except BlockingIOError:
            continue
    return time.perf_counter() - began


def _flood(nics: _Nics, frames: int) -> tuple[int, int]:
    first = nics.number
    send, to = nics.sending.sendto, nics.wire
    nics.sending.setblocking(True)
    for _ in range(frames):
        send(nics.frame(), to)
    quiet = select.poll()
    quiet.register(nics.receiving, select.POLLIN)
    while quiet.poll(500):
        nics.receiving.recv(2048)
    return first, nics.number


def main() -> None:
    """Do the task of stdin."""
    task = json.load(sys.stdin)
    cables = [Sockets.of(Path(task["directory"]), port) for port in task["ports"]]
    with ExitStack() as held:
        sockets = []
        for cable in cables:
            nic = held.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            nic.bind(str(cable.nic))
            nic.setblocking(False)
            sockets.append(nic)
        nics = _Nics(sockets[0], sockets[1], cables[0].port)
        with _relay(cables[1].nic.with_suffix(".relay"), cables[1].nic) as relay:
            direct_ns, through_ns, relayed_ns = _latencies(nics, relay, task["pings"])
        seconds = _rate(nics, task["frames"])
        flood = _flood(nics, task["flood"])
    sent = Sent(direct_ns, through_ns, relayed_ns, task["frames"], seconds, flood)
    json.dump(asdict(sent), sys.stdout)


if __name__ == "__main__":
    main()
