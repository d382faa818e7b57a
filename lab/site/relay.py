"""Runs on a machine that lends its NIC to a virtual host: sends its frames, tells what comes to it.

`python3 -c SOURCE INTERFACE`; 3.6 or later, standard library only. Each line of standard input is a
frame in base64, sent as it is; where it says to come from is the host's address from then on. Each
frame for that, or for all, becomes a line of standard output: the kernel's time in ns since 1970,
and base64.
"""

import base64
import fcntl
import os
import select
import socket
import struct
import sys

_ALL = 0x0003
_MEMBERSHIP, _PROMISCUOUS = 1, 1
_SOL_PACKET, _STAMPS = 263, 35
_LONGEST = 1 << 17


def main(interface: str) -> None:
    """Serve until nobody listens any more."""
    own = b""
    nic = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
    nic.bind((interface, 0))
    request = struct.pack("IHH8s", socket.if_nametoindex(interface), _PROMISCUOUS, 0, b"")
    nic.setsockopt(_SOL_PACKET, _MEMBERSHIP, request)
    nic.setsockopt(socket.SOL_SOCKET, _STAMPS, 1)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_NONBLOCK)
    begun = b""
    while True:
        ready = select.select([0, nic.fileno()], [], [])[0]
        if 0 in ready:
            came = os.read(0, 65536)
            if not came:
                return
            *lines, begun = (begun + came).split(b"\n")
            for line in lines:
                raw = base64.b64decode(line)
                own = raw[6:12]
                nic.send(raw)
        if nic.fileno() in ready:
            hear(nic, own)


def hear(nic: socket.socket, own: bytes) -> None:
    """Tell of one frame, if it is for the virtual host."""
    raw, told = nic.recvmsg(_LONGEST, 64)[:2]
    if raw[:6] not in (own, b"\xff" * 6) or raw[6:12] == own:
        return
    seconds, nanoseconds = struct.unpack("qq", told[0][2][:16])
    at_ns = seconds * 10**9 + nanoseconds
    sys.stdout.write(f"{at_ns} {base64.b64encode(raw).decode()}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
