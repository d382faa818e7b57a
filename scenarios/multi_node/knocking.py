"""Knocks at ports, many at once. It stands alone: it runs on the machine that knocks.

    knocking.py tcp|udp ADDRESS PORT...     a JSON list of {"port", "said"}
    knocking.py echo PORT...                answers datagrams to these ports until it is ended

A port is open when it lets in, or sends a datagram back; reset when the machine itself says that
nobody listens; prohibited when somebody on the way says so; else silent.
"""

from __future__ import annotations

import errno
import json
import selectors
import socket
import sys
import time

SECONDS = 3.0
"""How long an answer may take: one lost packet, and TCP's second try."""
SAID = {
    0: "open",
    errno.ECONNREFUSED: "reset",
    errno.EHOSTUNREACH: "prohibited",
    errno.ENETUNREACH: "prohibited",
    errno.EACCES: "prohibited",
    errno.EPERM: "prohibited",
}


def knock(
    transport: str, address: str, ports: list[int], seconds: float = SECONDS
) -> dict[int, str]:
    """Knock at every port at once; return what each said, in order."""
    begin = _begin_tcp if transport == "tcp" else _begin_udp
    wanted = selectors.EVENT_WRITE if transport == "tcp" else selectors.EVENT_READ
    said = dict.fromkeys(ports, "silent")
    with selectors.DefaultSelector() as waiting:
        for port in ports:
            one = socket.socket(
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM,
            )
            if failed := begin(one, address, port):
                said[port] = SAID.get(failed, "silent")
                one.close()
            else:
                waiting.register(one, wanted, port)
        until = time.monotonic() + seconds
        while waiting.get_map() and (left := until - time.monotonic()) > 0:
            for key, _ in waiting.select(left):
                answering = key.fileobj
                assert isinstance(answering, socket.socket)
                said[key.data] = _answer(transport, answering)
                waiting.unregister(answering)
                answering.close()
        for key in list(waiting.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
    return said


def _begin_tcp(one: socket.socket, address: str, port: int) -> int:
    """Begin to connect; return the error number when it cannot even begin, else 0."""
    one.setblocking(False)
    failed = one.connect_ex((address, port))
    return 0 if failed == errno.EINPROGRESS else failed


def _begin_udp(one: socket.socket, address: str, port: int) -> int:
    try:
        one.connect((address, port))
        one.setblocking(False)
        one.send(b"knock")
    except OSError as error:
        return error.errno or -1
    return 0


def _answer(transport: str, one: socket.socket) -> str:
    if transport == "tcp":
        said = SAID.get(one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), "silent")
        return said if said != "open" or _is_connected(one) else "silent"
    try:
        one.recv(100)
    except OSError as error:
        return SAID.get(error.errno or -1, "silent")
    return "open"


def _is_connected(one: socket.socket) -> bool:
    """Whether there is a peer. On a starved machine no error was told of one that was refused."""
    try:
        one.getpeername()
    except OSError:
        return False
    return True


def echo(ports: list[int]) -> None:
    """Send every datagram back, over IPv4 and IPv6, until the process is ended."""
    with selectors.DefaultSelector() as waiting:
        for port in ports:
            one = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            one.bind(("::", port))
            waiting.register(one, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                assert isinstance(key.fileobj, socket.socket)
                data, peer = key.fileobj.recvfrom(2000)
                key.fileobj.sendto(data, peer)


def main(words: list[str]) -> int:
    """Do what the command line says."""
    if words[0] == "echo":
        echo(list(map(int, words[1:])))
        return 0
    ports = list(map(int, words[2:]))
    said = knock(words[0], words[1], ports)
    json.dump([{"port": port, "said": said[port]} for port in ports], sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
