"""The listening socket, and how many peers there may be.

Peers come from the controller alone, by the node's firewall; still whoever comes may be slow, half
open, or many. Nobody holds a place for good: when all are taken, who has been silent for longest
makes room, those first who never asked anything. So a controller that asks is let in, and stays,
whatever others hold open.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from dataclasses import dataclass, field

from vpn_daemon.log import say
from vpn_daemon.management import AT_ONCE, Management
from vpn_daemon.requests import LONGEST_LINE
from vpn_daemon.session import Session

MOST_PEERS = 256
HANDSHAKE_S = 10.0
GOODBYE_S = 5.0
_BACKLOG = 512


@dataclass
class Peer:
    """Who is connected, or about to be: since when, and whether it has asked anything."""

    asked: bool = False
    silent_since: float = field(default_factory=time.monotonic)

    def heard(self) -> None:
        """Note that a request came."""
        self.asked, self.silent_since = True, time.monotonic()


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; no host is every address of both families. OSError: it cannot."""
    if host:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    if not socket.has_dualstack_ipv6():
        return socket.create_server(("", port), backlog=_BACKLOG)
    return socket.create_server(
        ("", port), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True
    )


async def serve(
    listener: socket.socket, tls: ssl.SSLContext | None, most_peers: int = MOST_PEERS
) -> None:
    """Serve until cancelled."""
    loop = asyncio.get_running_loop()
    management = Management(asyncio.Semaphore(AT_ONCE))
    peers: dict[asyncio.Task[None], Peer] = {}
    listener.setblocking(False)
    try:
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError as error:
                say("ERROR", str(error))
                await asyncio.sleep(0.1)  # no sockets left, say: they come back as peers leave
                continue
            while len(peers) >= most_peers:
                await _make_room(peers)
            peer = Peer()
            task = loop.create_task(_receive(connection, tls, management, peer))
            peers[task] = peer
            task.add_done_callback(peers.pop)
    finally:
        for task in list(peers):
            task.cancel()
        await asyncio.gather(*peers, return_exceptions=True)


async def _make_room(peers: dict[asyncio.Task[None], Peer]) -> None:
    silent = min(peers, key=lambda task: (peers[task].asked, peers[task].silent_since))
    say("WARNING", f"{len(peers)} peers are connected: the one silent for longest has to go")
    silent.cancel()
    await asyncio.wait([silent])


async def _receive(
    connection: socket.socket,
    tls: ssl.SSLContext | None,
    management: Management,
    peer: Peer,
) -> None:
    """Shake hands with a peer and talk with it. What goes wrong is its own loss, and logged."""
    reader = asyncio.StreamReader(limit=LONGEST_LINE)
    loop = asyncio.get_running_loop()
    try:
        transport, protocol = await loop.connect_accepted_socket(
            lambda: asyncio.StreamReaderProtocol(reader),
            connection,
            ssl=tls,
            ssl_handshake_timeout=HANDSHAKE_S if tls else None,
        )
    except OSError:  # no certificate, another CA's, no TLS at all: as the genuine one, in silence
        return
    writer = asyncio.StreamWriter(transport, protocol, reader, loop)
    try:
        await Session(reader, writer, management, peer.heard).converse()
        writer.close()
        await asyncio.wait_for(writer.wait_closed(), GOODBYE_S)
    except (OSError, asyncio.LimitOverrunError, asyncio.TimeoutError) as error:
        say("WARNING", f"a peer is dropped: {error or type(error).__name__}")
    finally:
        transport.abort()
