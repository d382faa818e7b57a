"""The way to a machine that is already there: SSH with pinned host keys, by jump hosts if need be.

Who is not root there becomes root by `sudo -n`: nobody is asked for a password.
"""

from __future__ import annotations

import shlex
import socket
from dataclasses import dataclass
from pathlib import Path

import paramiko

from lab.ssh import log_in
from lab.timing import Kind, spending

_PORT = 22
_OPENS_WITHIN_S = 10.0


@dataclass(frozen=True)
class Hop:
    """One host on the way; key: the private key's file, None for what an agent holds."""

    address: str
    port: int
    user: str
    key: Path | None

    @property
    def known_as(self) -> str:
        """What known_hosts calls it."""
        return self.address if self.port == _PORT else f"[{self.address}]:{self.port}"


class _Through(paramiko.SSHClient):
    """A connection that ends those it goes through, too."""

    def __init__(self, before: paramiko.SSHClient | None) -> None:
        super().__init__()
        self._before = before

    def close(self) -> None:
        super().close()
        if self._before is not None:
            self._before.close()


@dataclass(frozen=True)
class SiteAccess:
    """The hops to a machine, itself the last; the host keys that are known; its folder."""

    hops: tuple[Hop, ...]
    known: paramiko.HostKeys
    lab: Path

    def __str__(self) -> str:
        *jumps, there = self.hops
        through = f" by way of {', '.join(one.address for one in jumps)}" if jumps else ""
        return f"{there.user}@{there.address}:{there.port}{through}"

    def as_root(self, command: str) -> str:
        """Return a command that root carries out, whoever logs in."""
        return command if self.hops[-1].user == "root" else f"sudo -n sh -c {shlex.quote(command)}"

    def connect(self, patience: float) -> paramiko.SSHClient:
        """Open a connection, hop by hop. Raises OSError, EOFError or SSHException."""
        with spending(Kind.LOGIN):
            client: paramiko.SSHClient | None = None
            try:
                for hop in self.hops:
                    client = self._next(client, hop, patience)
            except BaseException:
                if client is not None:
                    client.close()
                raise
        if client is None:
            raise AssertionError("a way has at least one hop")
        return client

    def _next(
        self, before: paramiko.SSHClient | None, hop: Hop, patience: float
    ) -> paramiko.SSHClient:
        client = _Through(before)
        for kind, key in (self.known.lookup(hop.known_as) or {}).items():
            client.get_host_keys().add(hop.known_as, kind, key)
        there = hop.address, hop.port
        connection: socket.socket | paramiko.Channel
        if before is None:
            connection = socket.create_connection(there, timeout=_OPENS_WITHIN_S)
        else:
            transport = before.get_transport()
            if transport is None:
                raise EOFError(f"{hop.address}: the jump host closed the connection")
            connection = transport.open_channel(
                "direct-tcpip", there, ("127.0.0.1", 0), timeout=_OPENS_WITHIN_S
            )
        log_in(client, connection, there, hop.user, hop.key, patience)
        return client


@dataclass(frozen=True)
class AsItself(SiteAccess):
    """The same way, for what only the user who logs in sees: sudo leaves out what sshd has set."""

    def as_root(self, command: str) -> str:
        """Return the command as it is."""
        return command
