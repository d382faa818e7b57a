"""One machine of a lab, as seen over its management connection.

One paramiko connection a machine, over a forwarded loopback port that stays up when the wire is
cut. The host key is pinned through the seed: nothing is trusted on first use. Power lies with the
hypervisor; a machine finds its way back after a reboot.
"""

from __future__ import annotations

import base64
import contextlib
import select
import shlex
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko
from testinfra.backend.base import BaseBackend
from testinfra.host import Host

from lab.errors import CommandFailed, MachineError, ScenarioError
from lab.hypervisor import Hypervisor
from lab.wait import Deadline, until

_ABSENT = 44  # our own status for "no such file", apart from what `cat` may end with
_CHUNK = 65536


@dataclass(frozen=True)
class CommandResult:
    """What a command said: text decoded as UTF-8, `seconds` of wall time on this host."""

    command: str
    status: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def output(self) -> str:
        """Standard output and standard error, one after the other."""
        return self.stdout + self.stderr


@dataclass(frozen=True)
class Access:
    """How to reach a machine: a port on 127.0.0.1, the key that opens, the key that answers."""

    port: int
    key: Path
    host_key: str
    """The machine's public host key, as in known_hosts: "ssh-ed25519 AAAA..."."""

    def ssh_command(self, known_hosts: Path) -> str:
        """Return the line a person types to look around in the machine."""
        return (
            f"ssh -i {shlex.quote(str(self.key))} -p {self.port} "
            f"-o UserKnownHostsFile={shlex.quote(str(known_hosts))} root@127.0.0.1"
        )


class Machine:
    """A running machine: run commands, put and get files, and its testinfra host."""

    def __init__(
        self,
        name: str,
        access: Access,
        *,
        hypervisor: Hypervisor | None = None,
        domain: str = "",
        console: Callable[[], str] = lambda: "",
    ) -> None:
        self.name = name
        self.access = access
        self._hypervisor = hypervisor
        self._domain = domain
        self._console = console
        self._client: paramiko.SSHClient | None = None
        self._connecting = threading.Lock()

    def __repr__(self) -> str:
        return f"<Machine {self.name} at 127.0.0.1:{self.access.port}>"

    @property
    def host(self) -> Host:
        """The machine as a testinfra host, over the same connection."""
        return Host(_TestinfraBackend(self))

    @property
    def is_on(self) -> bool:
        """Whether the machine has power (running or paused)."""
        return self._power.is_on(self._domain)

    def power_on(self) -> None:
        """Start a machine that is off; `wait_until_up` waits until it answers."""
        self._power.power_on(self._domain)

    def shut_down(self) -> None:
        """Ask the operating system to power off, and wait until it has."""
        self._power.shut_down(self._domain)
        self.disconnect()

    def kill(self) -> None:
        """Cut the power, as a broken power supply does."""
        self._power.kill(self._domain)
        self.disconnect()

    def reboot(self) -> None:
        """Press the reset button: no clean shutdown, the machine starts again at once."""
        self._power.reboot(self._domain)
        self.disconnect()

    def pause(self) -> None:
        """Stop the processors where they are; nothing in the machine notices."""
        self._power.pause(self._domain)

    def resume(self) -> None:
        """Let a paused machine go on."""
        self._power.resume(self._domain)

    def wait_until_up(self, seconds: float = 120) -> None:
        """Wait until the machine answers on SSH; DeadlinePassed shows the end of its console."""

        def answers() -> bool:
            self.disconnect()
            try:
                self._connected()
            except (OSError, paramiko.SSHException, EOFError):
                return False
            return True

        until(
            answers,
            seconds,
            f"{self.name} to answer on SSH (127.0.0.1:{self.access.port})",
            every=0.3,
            detail=lambda: f"its console ends with:\n{self._console()}",
        )

    def disconnect(self) -> None:
        """Close the connection; the next command opens another."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def run(
        self,
        command: str,
        *,
        stdin: str | bytes | None = None,
        timeout: float = 60,
        check: bool = True,
    ) -> CommandResult:
        """Run `command` as root by `sh -c` and return what it said.

        `timeout` is in seconds and scales with the lab's pace; when it passes, MachineError holds
        the output so far. With `check`, another status than 0 raises CommandFailed.
        """
        started = time.monotonic()
        status, out, err = self._execute(command, _as_bytes(stdin), timeout)
        result = CommandResult(
            command,
            status,
            out.decode(errors="replace"),
            err.decode(errors="replace"),
            time.monotonic() - started,
        )
        if check and status != 0:
            raise CommandFailed(self.name, command, status, result.output)
        return result

    def put(
        self,
        content: str | bytes,
        path: str,
        *,
        mode: int = 0o644,
        owner: str = "root",
        group: str = "root",
    ) -> None:
        """Write a file whole: a reader sees the old content or the new one, nothing between."""
        target, fresh = shlex.quote(path), shlex.quote(f"{path}.vpnproof-new")
        self.run(
            f"umask 077 && mkdir -p $(dirname {target}) && cat > {fresh} && "
            f"chmod {mode:o} {fresh} && chown {shlex.quote(f'{owner}:{group}')} {fresh} && "
            f"mv -f {fresh} {target}",
            stdin=_as_bytes(content) or b"",
        )

    def get(self, path: str) -> bytes:
        """Return the content of a file; FileNotFoundError when there is none."""
        quoted = shlex.quote(path)
        command = f"[ -e {quoted} ] || exit {_ABSENT}; cat {quoted}"
        status, out, err = self._execute(command, None, 60)
        if status == _ABSENT:
            raise FileNotFoundError(f"{self.name}:{path}")
        if status != 0:
            raise CommandFailed(self.name, command, status, err.decode(errors="replace"))
        return out

    @property
    def _power(self) -> Hypervisor:
        if self._hypervisor is None:
            raise ScenarioError(f"{self.name} was reached without its hypervisor: no power switch")
        return self._hypervisor

    def _connected(self) -> paramiko.Transport:
        with self._connecting:
            if self._client is not None:
                transport = self._client.get_transport()
                if transport is not None and transport.is_active():
                    return transport
                self._client.close()
            self._client = _connect(self.access)
            transport = self._client.get_transport()
        if transport is None:
            raise MachineError(f"{self.name}: the SSH connection closed at once")
        return transport

    def _execute(
        self, command: str, stdin: bytes | None, timeout: float
    ) -> tuple[int, bytes, bytes]:
        deadline = Deadline(timeout, f"`{command}` on {self.name}")
        try:
            with self._session() as channel:
                channel.exec_command(command)
                return _exchange(channel, stdin, deadline)
        except (OSError, EOFError, paramiko.SSHException) as error:
            self.disconnect()
            raise MachineError(
                f"{self.name}: the SSH connection broke during `{command}`: {error!r}",
                hint=f"its console ends with:\n{self._console()}",
            ) from error

    @contextlib.contextmanager
    def _session(self) -> Iterator[paramiko.Channel]:
        """Open a channel; a connection that a reboot has cut is opened anew, once."""
        try:
            channel = self._connected().open_session(timeout=30)
        except (OSError, EOFError, paramiko.SSHException):
            self.disconnect()
            channel = self._connected().open_session(timeout=30)
        with contextlib.closing(channel):
            yield channel


def _connect(access: Access) -> paramiko.SSHClient:
    """Open an SSH connection as root that accepts only the pinned host key."""
    client = paramiko.SSHClient()
    kind, _, encoded = access.host_key.partition(" ")
    pinned = paramiko.PKey.from_type_string(kind, base64.b64decode(encoded.split()[0]))
    client.get_host_keys().add(f"[127.0.0.1]:{access.port}", kind, pinned)
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    connection = socket.create_connection(("127.0.0.1", access.port), timeout=10)
    try:
        client.connect(
            "127.0.0.1",
            port=access.port,
            username="root",
            key_filename=str(access.key),
            sock=connection,
            look_for_keys=False,
            allow_agent=False,
            banner_timeout=30,
            auth_timeout=60,
        )
    except BaseException:
        client.close()
        connection.close()
        raise
    return client


def _exchange(
    channel: paramiko.Channel, stdin: bytes | None, deadline: Deadline
) -> tuple[int, bytes, bytes]:
    """Feed `stdin` to a channel's command and collect what it says until it ends.

    A command that leaves something in the background never reaches end of file: once its status
    is known, what it still says is waited for only a moment.
    """
    out, err = bytearray(), bytearray()
    pending = stdin or b""
    open_for_input = True
    ended: Deadline | None = None
    while True:
        while pending and channel.send_ready():
            pending = pending[channel.send(pending[:_CHUNK]) :]
        if not pending and open_for_input:
            channel.shutdown_write()
            open_for_input = False
        while channel.recv_ready():
            out += channel.recv(_CHUNK)
        while channel.recv_stderr_ready():
            err += channel.recv_stderr(_CHUNK)
        if channel.exit_status_ready():
            ended = ended or Deadline(0.3, "the last words of a command")
            if (channel.eof_received or ended.passed) and not _unread(channel):
                return channel.recv_exit_status(), bytes(out), bytes(err)
        if deadline.passed:
            said = (out + err).decode(errors="replace")
            deadline.check(f"its output so far:\n{said}" if said else "it said nothing so far")
        if not _unread(channel) and not channel.eof_received:
            select.select([channel], [], [], min(0.1, deadline.left))
        elif channel.eof_received and not channel.exit_status_ready():
            channel.status_event.wait(min(0.1, deadline.left))


def _unread(channel: paramiko.Channel) -> bool:
    return channel.recv_ready() or channel.recv_stderr_ready()


def _as_bytes(content: str | bytes | None) -> bytes | None:
    return content.encode() if isinstance(content, str) else content


class _TestinfraBackend(BaseBackend):  # type: ignore[misc]  # testinfra ships no types
    """Lets testinfra ask its questions over the machine's own connection."""

    NAME = "vpnproof"

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine.name)
        self._machine = machine

    def run(self, command: str, *args: str, **_: Any) -> Any:  # noqa: ANN401 - testinfra's result
        asked = self.get_command(command, *args)
        result = self._machine.run(asked, check=False)
        return self.result(result.status, self.encode(asked), result.stdout, result.stderr)

    @property
    def encoding(self) -> str:
        return "utf-8"
