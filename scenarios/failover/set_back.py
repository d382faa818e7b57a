"""Runs in a standby: sets its clock back once its peer has been silent for so long.

    python3 set_back.py INTERFACE PEER SILENCE_S BACK_S

A timer that each of the peer's advertisements winds up anew. So it goes off at a time that is known
from the silence itself, however late whoever silences the peer may be. Standard library only.

Prints "armed" at the peer's first advertisement, and "set NS TOOK_NS" when the clock was set: what
it said before, and how long it took to set it, by the clock that nobody sets.
"""

import select
import socket
import sys
import time

_IPV4, _HEARTBEAT = 0x0800, 112
_LONGEST = 65535
_NS = 1_000_000_000


def hears(wire: socket.socket, peer: str, seconds: float) -> bool:
    """Whether the peer advertises within so many seconds.

    What has come by then counts, too, however late this machine looks.
    """
    until = time.monotonic() + seconds
    while select.select([wire], [], [], max(0.0, until - time.monotonic()))[0]:
        packet = wire.recv(_LONGEST)
        if packet[9:10] == bytes([_HEARTBEAT]) and packet[12:16] == socket.inet_aton(peer):
            return True
    return False


def main(wire: socket.socket, peer: str, *, silence_s: float, back_s: int) -> None:
    """Wait for the peer, then for its silence; set the clock back, and say when."""
    while not hears(wire, peer, 60):
        pass
    print("armed", flush=True)  # noqa: T201 - a program of its own: it is read by who started it
    while hears(wire, peer, silence_s):
        pass
    began_ns, at_ns = time.monotonic_ns(), time.time_ns()
    time.clock_settime_ns(time.CLOCK_REALTIME, time.time_ns() - back_s * _NS)
    took_ns = time.monotonic_ns() - began_ns
    print(f"set {at_ns} {took_ns}", flush=True)  # noqa: T201


if __name__ == "__main__":
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_IPV4)) as nic:
        nic.bind((sys.argv[1], _IPV4))
        main(nic, sys.argv[2], silence_s=float(sys.argv[3]), back_s=int(sys.argv[4]))
