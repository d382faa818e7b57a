"""OpenVPN's management interface on the loopback: who is connected, and "kill".

A port that nobody listens on, or that does not answer in time, is a warning in the log and has no
clients: the controller is told of the others. Whatever OpenVPN prints is read with limits.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from vpn_daemon.log import say

CONNECT_S = 10.0
CONVERSE_S = 3.0
"""For all that is said on one port, once it is connected."""
AT_ONCE = 64
"""Management ports that are asked side by side, for all peers together."""
LONGEST_LINE = 65_535
MOST_OCTETS = 4 * 1024 * 1024
"""Of one status; a client takes some 200."""

_WORD = re.compile(r"[a-zA-Z0-9.-]+")
_ADDRESS = re.compile(r"[0-9a-fA-F.:]{2,45}")


@dataclass(frozen=True)
class Client:
    """A connected client: its certificate's name, and its addresses in the tunnel."""

    common_name: str
    ip4: str
    ip6: str

    def __str__(self) -> str:
        return f"{self.common_name} {self.ip4} {self.ip6}"


@dataclass(frozen=True)
class Management:
    """The management ports of this machine; `at_once` is shared by all who ask."""

    at_once: asyncio.Semaphore

    async def clients(self, port: int) -> list[Client]:
        """Return who is connected to the OpenVPN process of a port: what came in time."""
        found: list[Client] = []
        async with self._conversation(port) as stream:
            if stream is not None:
                await _within(CONVERSE_S, _status(stream, found))
        return found

    async def kill(self, port: int, names: Sequence[str]) -> None:
        """End the connections of each of `names` at the OpenVPN process of a port."""
        async with self._conversation(port) as stream:
            if stream is not None:
                await _within(CONVERSE_S, _kill(stream, names))

    @asynccontextmanager
    async def _conversation(self, port: int) -> AsyncIterator[_Stream | None]:
        async with self.at_once:
            try:
                reader, writer = await asyncio.wait_for(
                    asyncio.open_connection("127.0.0.1", port, limit=LONGEST_LINE), CONNECT_S
                )
            except (OSError, asyncio.TimeoutError) as error:
                say("WARNING", f"dial tcp 127.0.0.1:{port}: {_reason(error)}")
                yield None
                return
            try:
                yield reader, writer
            finally:
                writer.transport.abort()


_Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def read_client(line: str) -> Client | None:
    """Read a row of `status 2`; None for one that is no connected client's.

    Who has no name or no address yet is left out. So is a row of which more than three words would
    come: it would be taken for something else.
    """
    fields = line.split(",")
    if fields[0] != "CLIENT_LIST" or len(fields) < 5 or fields[1] == "UNDEF":
        return None
    name, ip4, ip6 = fields[1], fields[3], fields[4]
    if not (_WORD.fullmatch(name) and _ADDRESS.fullmatch(ip4) and _ADDRESS.fullmatch(ip6)):
        return None
    return Client(name, ip4, ip6)


async def _status(stream: _Stream, found: list[Client]) -> None:
    reader, writer = stream
    writer.write(b"status 2\n")
    async for line in _lines(reader):
        if line.startswith("END"):
            return
        if (client := read_client(line)) is not None:
            found.append(client)


async def _kill(stream: _Stream, names: Sequence[str]) -> None:
    reader, writer = stream
    answers = _lines(reader)
    for name in names:
        writer.write(f"kill {name}\n".encode("ascii"))
        async for line in answers:
            if line.startswith(("SUCCESS", "ERROR")):
                break
        else:
            return  # it has gone


async def _lines(reader: asyncio.StreamReader) -> AsyncIterator[str]:
    octets = 0
    while line := await reader.readline():
        octets += len(line)
        if octets > MOST_OCTETS:
            raise ValueError("OpenVPN says more than can be true")
        yield line.decode("utf-8", "replace").rstrip("\r\n")


async def _within(seconds: float, conversation: Coroutine[Any, Any, None]) -> None:
    try:
        await asyncio.wait_for(conversation, seconds)
    except asyncio.TimeoutError:  # from Python 3.11 on an OSError, so it comes first
        say("WARNING", "management interface: i/o timeout")
    except (OSError, ValueError) as error:  # a line that is too long is a ValueError
        say("WARNING", f"management interface: {error}")


def _reason(error: BaseException) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connect: connection refused"
    return "i/o timeout" if isinstance(error, asyncio.TimeoutError) else f"connect: {error}"
