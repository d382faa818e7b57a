"""The controller's end of vpn-daemon's text protocol (1.0.x), over TLS or plain TCP.

TLS is used for every address but ``127.0.0.1``, with the client certificate the guide installs,
and asks for the peer name ``vpn-daemon``, whatever the node is called.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

DAEMON_PORT = 41194
LONGEST_LINE = 4096
"""Octets of an answer's line: a name and two addresses take some 150."""
MOST_CLIENTS = 65_536
"""Of one list; vpn-daemon tells of no more."""
_PEER_NAME = "vpn-daemon"
_CIPHERS = "ECDHE-RSA-AES256-GCM-SHA384"
_CONNECT_S, _TALK_S = 5.0, 60.0
"""To connect, handshake included; and for all of the conversation after it."""
_ROW = re.compile(r"(\S+) (\S+) (\S+)")


class DaemonError(Exception):
    """The daemon cannot be reached, is not the right one, or says something else."""


@dataclass(frozen=True)
class Client:
    """A connected client: its certificate's name and its tunnel addresses."""

    common_name: str
    ip4: str
    ip6: str


@dataclass(frozen=True)
class DaemonSession:
    """An open connection to one daemon."""

    stream: IO[bytes]
    hurry: Callable[[], None]
    """Called before each wait: lets it end with the conversation, and raises when that is over."""

    @classmethod
    @contextmanager
    def open(
        cls, address: str, credentials: Path, port: int = DAEMON_PORT
    ) -> Iterator[DaemonSession]:
        """Connect to the daemon at ``address``; every failure inside is a DaemonError."""
        try:
            with _connected(address, port) as plain:
                wire = plain if address == "127.0.0.1" else _tls(plain, credentials)
                with wire, wire.makefile("rwb") as stream:
                    yield cls(stream, _hurrying(wire))
        except (OSError, ValueError) as error:
            raise DaemonError(str(error)) from None

    def set_ports(self, ports: Sequence[int]) -> None:
        """Name the management ports that later requests are about."""
        self._ask("SET_PORTS", *map(str, ports))

    def disconnect(self, common_name: str) -> None:
        """End every connection of a client."""
        self._ask("DISCONNECT", common_name)

    def clients(self) -> list[Client]:
        """Return who is connected."""
        count = self._ask("LIST")
        if count > MOST_CLIENTS:
            raise DaemonError(f"it tells of {count} clients, which is more than {MOST_CLIENTS}")
        return [self._client() for _ in range(count)]

    def _client(self) -> Client:
        row = self._line()
        if (match := _ROW.fullmatch(row)) is None:
            raise DaemonError(f'"{row}" is no name with two addresses')
        return Client(*match.groups())

    def _ask(self, *words: str) -> int:
        self.hurry()
        self.stream.write(" ".join(words).encode("ascii") + b"\n")
        self.stream.flush()
        answer = self._line()
        if not answer.startswith("OK: "):
            raise DaemonError(f'unexpected answer "{answer}"')
        return int(answer[4:])

    def _line(self) -> str:
        self.hurry()
        line = self.stream.readline(LONGEST_LINE)
        if len(line) == LONGEST_LINE:
            raise DaemonError(f"it says a line of {LONGEST_LINE} octets or more")
        if not line.endswith(b"\n"):
            raise DaemonError("the daemon closed the connection")
        return line.decode("ascii").rstrip("\r\n")


def _hurrying(wire: socket.socket) -> Callable[[], None]:
    """Return what gives each wait on ``wire`` what is left of a conversation that begins now."""
    ends_at = time.monotonic() + _TALK_S

    def hurry() -> None:
        left = ends_at - time.monotonic()
        if left <= 0:
            raise DaemonError(f"it has talked for {_TALK_S:.0f} s")
        wire.settimeout(left)

    return hurry


def _connected(address: str, port: int) -> socket.socket:
    try:
        return socket.create_connection((address, port), timeout=_CONNECT_S)
    except OSError as error:
        there = f"{'tcp' if address == '127.0.0.1' else 'ssl'}://{address}:{port}"
        why = f"[{error.errno or 0}]: {error.strerror or error}"
        raise DaemonError(f'unable to open socket to "{there}": {why}') from None


def _tls(plain: socket.socket, credentials: Path) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=str(credentials / "ca.crt"))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.load_cert_chain(
        credentials / "vpn-daemon-client.crt", credentials / "vpn-daemon-client.key"
    )
    return context.wrap_socket(plain, server_hostname=_PEER_NAME)
