"""One peer's conversation: requests in, answers out, in order, until it leaves or is too slow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

from vpn_daemon.log import say, shown
from vpn_daemon.management import AT_ONCE, Management
from vpn_daemon.requests import Disconnect, ListClients, Quit, Refused, Request, SetPorts, parse

IDLE_S = 120.0
"""For a whole line to come, and for an answer to be taken."""
REQUEST_S = 45.0
"""For one request; a port that was not asked by then has no clients. The controller waits 60 s."""
MOST_CLIENTS = 65_536
"""Of one list: a port may be named, and is asked, thousands of times."""


@dataclass
class Session:
    """What is known of a peer: which ports it asks about."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    management: Management
    heard: Callable[[], None]
    """Called for each request that came."""
    ports: tuple[int, ...] = field(default=(), init=False)

    async def converse(self) -> None:
        """Answer until the peer leaves, says nothing for long, or sends a line without end."""
        while (line := await self._line()) is not None:
            self.heard()
            say("DEBUG", shown(line))
            request = parse(line)
            self.writer.write(await self._answer(request))
            await asyncio.wait_for(self.writer.drain(), IDLE_S)
            if isinstance(request, Quit):
                return

    async def _line(self) -> bytes | None:
        """Return a line without its end; the last one may lack it. None: there is no more."""
        try:
            line = await asyncio.wait_for(self.reader.readuntil(b"\n"), IDLE_S)
        except asyncio.IncompleteReadError as rest:
            return rest.partial or None
        return line[:-1]

    async def _answer(self, request: Request) -> bytes:
        if isinstance(request, Refused):
            return f"ERR: {request.reason}\n".encode("ascii")
        if isinstance(request, SetPorts):
            self.ports = request.ports
        if isinstance(request, Disconnect):
            names = request.names
            await _all(self.management.kill(port, names) for port in self.ports)
        if isinstance(request, ListClients):
            return await self._list()
        return b"OK: 0\n"

    async def _list(self) -> bytes:
        rows: list[str] = []
        left_out = 0

        async def ask(port: int) -> None:
            nonlocal left_out
            told = [str(client) for client in await self.management.clients(port)]
            room = MOST_CLIENTS - len(rows)
            rows.extend(told[:room])
            left_out += len(told[room:])

        await _all(ask(port) for port in self.ports)
        if left_out:
            say("WARNING", f"a list has {MOST_CLIENTS} clients at most: {left_out} are left out")
        return "\n".join([f"OK: {len(rows)}", *rows, ""]).encode("ascii")


async def _all(asked: Iterator[Coroutine[Any, Any, Any]]) -> None:
    """Carry out what there is to ask, so many at once, as far as that goes in time."""

    async def some() -> None:
        for coroutine in asked:
            await coroutine

    workers = [asyncio.ensure_future(some()) for _ in range(AT_ONCE)]
    try:
        await asyncio.wait(workers, timeout=REQUEST_S)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
