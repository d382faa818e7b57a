"""The one SSH connection to a machine, which threads share and a reboot cuts.

It is opened when a command wants it, and anew after it broke. What a broken one means is said here:
a deadline that passed, or a machine that is in trouble, with the end of its console.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import paramiko

from lab.errors import MachineError
from lab.ssh import Way, exchange
from lab.timing import Kind, spending
from lab.wait import Deadline

_SESSIONS = 8  # commands at once; OpenSSH's sshd refuses the eleventh (MaxSessions)
_LOGINS = 3  # tries: a guest that has much to do at once leaves a login stuck at times
_GRACE = 5  # seconds past its deadline after which a command's connection is given up


class Connection:
    """A connection to the machine `name`; `console` gives the end of what that has said."""

    def __init__(self, name: str, access: Way, console: Callable[[], str]) -> None:
        self._name = name
        self._access = access
        self._console = console
        self._client: paramiko.SSHClient | None = None
        self._connecting = threading.Lock()
        self._sessions = threading.BoundedSemaphore(_SESSIONS)

    def open(self, patience: float = 20) -> paramiko.Transport:
        """Return the connection, opened if there is none.

        `patience`: see `lab.ssh.connect`. Raises OSError, EOFError or SSHException.
        """
        with self._connecting:
            client = self._client
            if client is not None:
                transport = client.get_transport()
                if transport is not None and transport.is_active():
                    return transport
                client.close()
            client = self._client = self._access.connect(patience)
            transport = client.get_transport()
        if transport is None:
            raise EOFError("the connection closed at once")
        return transport

    def close(self) -> None:
        """Close it; the next command opens another."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def execute(
        self, command: str, stdin: bytes | None, deadline: Deadline
    ) -> tuple[int, bytes, bytes]:
        """Run a command as root; return its status, standard output and standard error.

        Raises DeadlinePassed, and MachineError when the connection broke before the deadline.
        """
        try:
            with spending(Kind.COMMAND), self._session(deadline) as channel:
                channel.exec_command(self._access.as_root(command))
                return exchange(channel, stdin, deadline)
        except (OSError, EOFError, paramiko.SSHException) as error:
            deadline.check(f"the machine does not answer: {error!r}")
            raise MachineError(
                f"{self._name}: the SSH connection broke during `{command}`: {error!r}",
                hint=f"its console ends with:\n{self._console()}",
            ) from error

    @contextlib.contextmanager
    def _session(self, deadline: Deadline) -> Iterator[paramiko.Channel]:
        """Open a channel; a connection that a reboot has cut is opened anew, once."""
        while not self._sessions.acquire(timeout=deadline.left):
            deadline.check(f"{_SESSIONS} other commands still run")
        try:
            transport = self._logged_in(deadline)
            try:
                channel = _open_session(transport, deadline)
            except paramiko.ChannelException:  # refused over a sound connection
                raise
            except (OSError, EOFError, paramiko.SSHException):
                transport.close()
                deadline.check("the machine does not answer")
                transport = self._logged_in(deadline)
                channel = _open_session(transport, deadline)
            with contextlib.closing(channel), _given_up(transport, deadline):
                yield channel
        finally:
            self._sessions.release()

    def _logged_in(self, deadline: Deadline) -> paramiko.Transport:
        """Return the connection; a login that gets stuck is given up and begun anew."""
        for left in reversed(range(_LOGINS)):
            try:
                return self.open()
            except (EOFError, TimeoutError, paramiko.SSHException) as error:
                hopeless = isinstance(error, paramiko.BadHostKeyException)
                if hopeless or not left or deadline.passed:
                    raise
        raise AssertionError("the last try has returned or raised")


def _open_session(transport: paramiko.Transport, deadline: Deadline) -> paramiko.Channel:
    return transport.open_session(timeout=min(30.0, max(0.1, deadline.left)))


@contextlib.contextmanager
def _given_up(transport: paramiko.Transport, deadline: Deadline) -> Iterator[None]:
    """Close the connection when the deadline lies well behind and the block has not ended.

    paramiko waits without end for a machine that is paused between two packets.
    """
    guard = threading.Timer(deadline.left + _GRACE, transport.close)
    guard.daemon = True
    guard.start()
    try:
        yield
    finally:
        guard.cancel()
