"""A management interface as OpenVPN serves it: one client at a time, on the loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

BANNER = b">INFO:OpenVPN Management Interface Version 5 -- type 'help' for more info\r\n"
NAME = "0123456789abcdef" * 2


def row(name: str = NAME, ip4: str = "10.1.0.2", ip6: str = "fd00:1:1:1::2") -> str:
    """Return a client as `status 2` prints it."""
    return (
        f"CLIENT_LIST,{name},[AF_INET6]2001:db8::1:40000,{ip4},{ip6},3000,4000,"
        "2020-04-10 12:00:00,1586520000,UNDEF,0,0,AES-256-GCM"
    )


def status(rows: Sequence[str]) -> bytes:
    """Return the answer to `status 2`."""
    head = ["TITLE,OpenVPN 2.4.7", "TIME,2020-04-10 12:00:00,1586520000", "HEADER,CLIENT_LIST,CN"]
    table = ["HEADER,ROUTING_TABLE,Virtual Address", f"ROUTING_TABLE,10.1.0.2,{NAME},x,y,1"]
    return "\r\n".join([*head, *rows, *table, "GLOBAL_STATS,Max bcast/mcast", "END", ""]).encode()


@dataclass
class Management:
    """A process' management port, and what it was told to kill."""

    port: int
    killed: list[str] = field(default_factory=list)


@contextmanager
def serving(
    rows: Sequence[str] = (), answer: Callable[[str], bytes | None] = lambda _line: None
) -> Iterator[Management]:
    """Serve `rows`; `answer` may say something else to a line. None: as OpenVPN does."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    one = Management(listener.getsockname()[1])
    over = threading.Event()

    def respond(line: str) -> bytes:
        if (other := answer(line)) is not None:
            return other
        if line == "status 2":
            return status(rows)
        if line.startswith("kill "):
            name = line.removeprefix("kill ")
            one.killed.append(name)
            known = any(f",{name}," in entry for entry in rows)
            return b"SUCCESS: killed\r\n" if known else b"ERROR: not found\r\n"
        return b"ERROR: unknown command\r\n"

    def serve() -> None:
        while not over.is_set():
            try:
                peer, _ = listener.accept()
            except TimeoutError:
                continue
            with peer, peer.makefile("rb") as lines:
                peer.settimeout(10)
                try:
                    peer.sendall(BANNER)
                    for line in lines:
                        peer.sendall(respond(line.decode().rstrip()))
                except OSError:
                    continue

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield one
    finally:
        over.set()
        thread.join()
        listener.close()
