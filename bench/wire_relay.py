"""The floor of `bench/wire.py`: a process that passes datagrams on and does nothing else.

It waits as the wire does (epoll), and then takes and sends one datagram: no time stamp, no switch,
no recording. What it adds to a datagram's way is what the kernel takes to wake a process, and two
calls of Python. A wire in Python that sleeps until a frame comes cannot add less.

    python -m bench.wire_relay FD TO       # a bound socket, and a name to send to; ends with stdin
"""

from __future__ import annotations

import select
import socket
import sys


def main(descriptor: str, to: str) -> None:
    """Pass on to `to` what comes in at the socket until stdin ends."""
    loop = select.epoll()
    with (
        socket.socket(fileno=int(descriptor)) as ingress,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as egress,
    ):
        egress.connect(to)
        loop.register(ingress, select.EPOLLIN)
        loop.register(sys.stdin, select.EPOLLIN)
        take, send, wait, datagrams = ingress.recv, egress.send, loop.poll, ingress.fileno()
        while all(ready == datagrams for ready, _ in wait()):
            send(take(2048))


if __name__ == "__main__":
    main(*sys.argv[1:])
