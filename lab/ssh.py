"""SSH as the lab speaks it: one pinned connection, and one command's conversation over it.

`Way` is how a machine is reached, whichever machine; `Access` that of a lab's own. Knows neither
machines nor power; what a broken connection means is for `lab.connection` to say.
"""

from __future__ import annotations

import base64
import logging
import os
import shlex
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import paramiko

from lab.errors import OutputTooLong, end_of
from lab.limits import OUTPUT
from lab.roundtrip import answers
from lab.timing import Kind, spending
from lab.wait import Deadline

_CHUNK = 32768  # bytes; no SSH packet carries more
_MOST_BEFORE_LOGIN = 256 * 1024  # octets: banner, keys, and being let in take some 5 KiB
_LAST_WORDS = 0.3  # seconds without output after which a command that has ended is done

# paramiko logs the trace of every connection a booting guest refuses; who waits says it better.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)


class Way(Protocol):
    """How to reach a machine."""

    @property
    def lab(self) -> Path:
        """The directory of what the machine belongs to."""

    def connect(self, patience: float) -> paramiko.SSHClient:
        """Open a connection that accepts only the pinned host key; see `connect`."""

    def as_root(self, command: str) -> str:
        """Return what is to be run over the connection for `command` to be run as root."""


@dataclass(frozen=True)
class Access:
    """How to reach a machine of a lab: a port on 127.0.0.1, the key that opens, the host's key."""

    port: int
    key: Path
    host_key: str
    """The machine's public host key, as in known_hosts: "ssh-ed25519 AAAA..."."""

    @property
    def lab(self) -> Path:
        """The directory of the machine's lab, which has the key to it."""
        return self.key.parent.parent

    def connect(self, patience: float) -> paramiko.SSHClient:
        """Open a connection as root."""
        return connect(self, patience=patience)

    def as_root(self, command: str) -> str:
        """Return the command as it is: the connection is root's."""
        return command

    def __str__(self) -> str:
        return f"127.0.0.1:{self.port}"

    def ssh_command(self, known_hosts: Path) -> str:
        """Return the line a person types to look around in the machine."""
        return (
            f"ssh -i {shlex.quote(str(self.key))} -p {self.port} "
            f"-o UserKnownHostsFile={shlex.quote(str(known_hosts))} root@127.0.0.1"
        )


def connect(access: Access, *, patience: float = 20) -> paramiko.SSHClient:
    """Open a connection as root that accepts only the pinned host key.

    `patience` is how many seconds a port that is open may stay silent: QEMU opens the port long
    before the guest listens. Twice that may pass until it lets us in. Raises OSError, EOFError or
    SSHException.
    """
    with spending(Kind.LOGIN):
        return _connect(access, patience)


def _connect(access: Access, patience: float) -> paramiko.SSHClient:
    client = paramiko.SSHClient()
    kind, _, encoded = access.host_key.partition(" ")
    pinned = paramiko.PKey.from_type_string(kind, base64.b64decode(encoded.split()[0]))
    client.get_host_keys().add(f"[127.0.0.1]:{access.port}", kind, pinned)
    connection = socket.create_connection(("127.0.0.1", access.port), timeout=30)
    log_in(client, connection, ("127.0.0.1", access.port), "root", access.key, patience)
    return client


def log_in(
    client: paramiko.SSHClient,
    connection: socket.socket | paramiko.Channel,
    there: tuple[str, int],
    user: str,
    key: Path | None,
    patience: float,
) -> None:
    """Log in over a connection; only a host key that `client` knows for `there` is accepted.

    Without a `key` those of the user's agent are tried; one that has a passphrase is used by the
    agent, if that holds it. What was opened is closed if that fails.
    """
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    first = _Login(connection)
    try:
        try:
            client.connect(
                *there,
                username=user,
                key_filename=None if key is None else str(key),
                sock=cast(socket.socket, first),
                look_for_keys=False,
                allow_agent=key is None,
                banner_timeout=patience,
                auth_timeout=2 * patience,
            )
        except paramiko.PasswordRequiredException:
            if key is None or not _let_in_by_agent(client, user, key):
                raise
    except BaseException:
        client.close()
        connection.close()
        raise
    first.left = None


def _let_in_by_agent(client: paramiko.SSHClient, user: str, key: Path) -> bool:
    """Log in with a key that cannot be read, by the agent; whether the agent holds it.

    Which key that is, its public half beside it says, as ssh-keygen leaves it.
    """
    public, where = key.with_name(f"{key.name}.pub"), os.environ.get("SSH_AUTH_SOCK", "")
    transport = client.get_transport()
    if transport is None or not public.is_file() or not _listens(where):
        return False
    words = public.read_text(errors="replace").split()
    agent = paramiko.Agent()
    try:
        held = next((one for one in agent.get_keys() if one.get_base64() in words[1:2]), None)
        if held is not None:
            transport.auth_publickey(user, held)
        return held is not None
    finally:
        agent.close()


def _listens(path: str) -> bool:
    """Whether there is an agent still; paramiko leaves a socket open where there is none."""
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(5)
        try:
            one.connect(path)
        except OSError:
            return False
    return True


class _Login:
    """A connection on which little may come until we are let in.

    Whoever answers is not known yet, and paramiko reads a first line without end.
    """

    def __init__(self, connection: socket.socket | paramiko.Channel) -> None:
        self.left: int | None = _MOST_BEFORE_LOGIN
        self._connection = connection

    def recv(self, octets: int) -> bytes:
        """Return what has come, up to so many octets; OSError when it is too much."""
        came = self._connection.recv(octets)
        if self.left is not None:
            self.left -= len(came)
            if self.left < 0:
                raise OSError(f"it said more than {_MOST_BEFORE_LOGIN} octets before any login")
        return came

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a socket has
        return getattr(self._connection, name)


def exchange(
    channel: paramiko.Channel, stdin: bytes | None, deadline: Deadline
) -> tuple[int, bytes, bytes]:
    """Feed `stdin` to a channel's command, and return its status and what it said.

    The status is -1 when a signal ended the command. One that leaves something in the background
    never reaches end of file: once its status is known, it has fallen silent, and its machine has
    answered twice with no more of it before the answers, it is done. (A status may come before the
    last words, and words may lie in a socket for as long as a host stands still.)
    Raises DeadlinePassed with the output so far, EOFError when the connection ends first, and
    OutputTooLong when it says more than this host takes: who closes the channel ends the command.
    """
    out, err = bytearray(), bytearray()
    most = OUTPUT.octets
    pending = memoryview(stdin or b"")
    quiet: Deadline | None = None
    # No `select`: paramiko closes its pipe for that while its own thread may be about to write to
    # it, and then the connection is lost, with all commands on it.
    news = threading.Event()
    for buffer in (channel.in_buffer, channel.in_stderr_buffer):
        buffer.set_event(news)
    while True:
        pending = _feed(channel, pending)
        heard = _listen(channel, out, err, most)
        if len(out) + len(err) > most:
            raise OutputTooLong(
                f"{deadline.what} said more than {OUTPUT}",
                hint=f"ask for less of it, or set {OUTPUT.name} to more",
            )
        if channel.exit_status_ready():
            if _ended(channel):
                if not _unread(channel):
                    return _status(channel), bytes(out), bytes(err)
            elif quiet is None or heard:
                if quiet is not None:
                    _check(deadline, bytes(out + err))
                quiet = Deadline(_LAST_WORDS, "the last words of a command")
            elif quiet.passed:
                answered = _answers_twice(channel, max(deadline.left, quiet.seconds))
                if not (_unread(channel) or _ended(channel)):
                    if answered:
                        return _status(channel), bytes(out), bytes(err)
                    _check(deadline, bytes(out + err))
        else:
            _check(deadline, bytes(out + err))
        # A window that opens for more input wakes nobody, so that wait is a short one.
        _rest(channel, news, min(0.01 if pending else 0.1, (quiet or deadline).left))


def _check(deadline: Deadline, output: bytes) -> None:
    """Raise DeadlinePassed with the end of the output so far, if the deadline has passed."""
    if deadline.passed:
        said = end_of(output.decode(errors="replace"))
        deadline.check(f"its output so far:\n{said}" if said else "it said nothing so far")


def _answers_twice(channel: paramiko.Channel, seconds: float) -> bool:
    """Whether the machine answers twice, within `seconds` each.

    Twice: sshd tells of the end of a command, and may look for its last words in its next turn.
    """
    return all(answers(channel.get_transport(), seconds) for _ in range(2))


def _feed(channel: paramiko.Channel, pending: memoryview) -> memoryview:
    """Send what the other side has room for, and return the rest; then end of file."""
    try:
        while pending and not channel.closed and channel.send_ready():
            pending = pending[channel.send(bytes(pending[:_CHUNK])) :]
    except OSError:
        if not channel.closed:
            raise
    if channel.closed:  # like a pipe: a command need not read all it is given
        return pending[:0]
    if not pending:
        channel.shutdown_write()
    return pending


def _listen(channel: paramiko.Channel, out: bytearray, err: bytearray, most: int) -> bool:
    """Take what has come, until there is more than `most`; whether anything had."""
    before = len(out) + len(err)
    while channel.recv_ready() and len(out) + len(err) <= most:
        out += channel.recv(_CHUNK)
    while channel.recv_stderr_ready() and len(out) + len(err) <= most:
        err += channel.recv_stderr(_CHUNK)
    return len(out) + len(err) > before


def _rest(channel: paramiko.Channel, news: threading.Event, seconds: float) -> None:
    """Wait until the channel has something to say, for at most `seconds`.

    Who empties one of its two buffers clears `news` of both: so what has come is looked for anew.
    """
    news.clear()
    if channel.eof_received or channel.closed:
        channel.status_event.wait(seconds)
    elif not _unread(channel):
        news.wait(seconds)


def _ended(channel: paramiko.Channel) -> bool:
    """Whether nothing more can come than what is here."""
    return bool(channel.eof_received or channel.closed)


def _unread(channel: paramiko.Channel) -> bool:
    return channel.recv_ready() or channel.recv_stderr_ready()


def _status(channel: paramiko.Channel) -> int:
    """Return the command's status; paramiko says -1 for a signal and for a lost connection."""
    status = channel.recv_exit_status()
    if status == -1 and not (channel.eof_received and channel.get_transport().is_active()):
        raise EOFError("the connection ended before the command did")
    return status
