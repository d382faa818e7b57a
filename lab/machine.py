"""One machine of a lab, as seen over its management connection.

That is over a forwarded loopback port, which stays up when the wire is cut. The host key is pinned
through the seed: nothing is trusted on first use. Power lies with the hypervisor; a machine finds
its way back after a reboot.
"""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import paramiko
from testinfra.backend.base import BaseBackend
from testinfra.host import Host

from lab import agent
from lab.agent import Agent, read_answer
from lab.boot import Boot
from lab.clock import ClockOffset
from lab.connection import Connection
from lab.errors import CommandFailed, DeadlinePassed, MachineError, ScenarioError
from lab.hypervisor import Hypervisor
from lab.quiet import busy
from lab.ssh import Way
from lab.timing import Kind, spending
from lab.wait import Deadline, until

_ABSENT = 44  # our own status for "no such file", apart from what `cat` may end with
_AGENT_ANSWERS_S = 2.0  # one that has answered since the thaw; later it is taken for gone


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


class Machine:
    """A running machine: run commands, put and get files, and its testinfra host."""

    def __init__(
        self,
        name: str,
        access: Way,
        *,
        hypervisor: Hypervisor | None = None,
        domain: str = "",
        definition: Callable[[], str] | None = None,
        console: Callable[[], str] = lambda: "",
        given_up: threading.Event | None = None,
    ) -> None:
        self.name = name
        self.access = access
        self._hypervisor = hypervisor
        self._domain = domain
        self._definition = definition
        self._console = console
        self.channel: Path | None = None
        """The socket of the agent that is known to run in the machine; None without one."""
        self._connection = Connection(name, access, console)
        self._given_up = given_up or threading.Event()

    def __repr__(self) -> str:
        return f"<Machine {self.name} at {self.access}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.disconnect()

    @property
    def host(self) -> Host:
        """The machine as a testinfra host, over the same connection."""
        return Host(_TestinfraBackend(self))

    def reached_by(self, access: Way) -> Machine:
        """Return the same machine by another way, without its power; given up, both are."""
        return Machine(self.name, access, console=self._console, given_up=self._given_up)

    @property
    def given_up(self) -> bool:
        """Whether `give_up` was called: every wait for this machine ends."""
        return self._given_up.is_set()

    @property
    def is_on(self) -> bool:
        """Whether the machine has power (running or paused)."""
        return self._power.is_on(self._domain)

    def power_on(self) -> None:
        """Start a machine that is off, by the lab's time; `wait_until_up` waits for its answer."""
        with spending(Kind.POWER):
            if self._definition is not None:
                self._power.define(self._definition())
            self._power.power_on(self._domain)

    def shut_down(self) -> None:
        """Ask the operating system to power off, and wait until it has."""
        with spending(Kind.POWER):
            self._power.shut_down(self._domain)
            self._lose()

    def kill(self) -> None:
        """Cut the power, as a broken power supply does."""
        with spending(Kind.POWER):
            self._power.kill(self._domain)
            self._lose()

    def reboot(self) -> None:
        """Press the reset button: no clean shutdown, the machine starts again at once."""
        with spending(Kind.POWER):
            self._power.reboot(self._domain)
            self._lose()

    def pause(self) -> None:
        """Stop the processors where they are; nothing in the machine notices."""
        self._power.pause(self._domain)

    def resume(self) -> None:
        """Let a paused machine go on."""
        self._power.resume(self._domain)

    def need_power_switch(self, what: str) -> None:
        """Do nothing, where the hypervisor can switch the machine on after `what` was done to it.

        ScenarioError where there is none; a machine that is already there refuses by NotHere.
        """
        _ = self._power, what

    def wait_until_up(self, seconds: float = 120) -> None:
        """Wait until the machine answers on SSH; DeadlinePassed shows the end of its console.

        MachineHung when its kernel has stopped before anything else ran: under emulation, on a
        busy host, that was seen once in some twenty boots.
        """
        refusal = "it was never tried"
        boot = Boot(self.name, self._console)

        def answers() -> bool:
            nonlocal refusal
            if self.given_up:
                raise MachineError(f"{self.name} was given up")
            self.disconnect()
            try:
                self._connection.open(patience=10)
            except (OSError, paramiko.SSHException, EOFError) as error:
                refusal = repr(error)
                boot.look()
                return False
            return True

        with busy(self._lab), spending(Kind.POWER):
            until(
                answers,
                seconds,
                f"{self.name} to answer on SSH ({self.access})",
                every=0.3,
                detail=lambda: f"{refusal}; its console ends with:\n{self._console()}",
            )

    def disconnect(self) -> None:
        """Close the connection; the next command opens another."""
        self._connection.close()

    def clock(self) -> ClockOffset:
        """Measure how far the machine's clock is behind this host's: by its agent, or a command.

        An agent that has gone, by a reboot from inside say, costs two seconds once.
        """
        if self.channel is not None:
            try:
                with self.agent(self.channel, _AGENT_ANSWERS_S) as conversation:
                    return conversation.clock()
            except MachineError:
                self.channel = None
        with busy(
            self._lab
        ):  # to wait for another lab's quiet in between would look like an offset
            self.run("true")  # the time it takes to log in is no part of the uncertainty
            asked_ns = time.time_ns()
            said = self.run("date +%s%N").stdout
            answered_ns = time.time_ns()
        try:
            return ClockOffset.measured(asked_ns, read_answer(said.encode()), answered_ns)
        except ValueError as error:
            raise MachineError(f"{self.name}: its clock cannot be read: {error}") from error

    def agent(self, channel: Path, seconds: float = agent.ANSWERS_S) -> Agent:
        """Open a conversation with the machine's agent; MachineError when nobody listens."""
        return Agent(self.name, channel, seconds=seconds, given_up=lambda: self.given_up)

    def start_agent(self, channel: Path) -> bool:
        """See to it that the machine's agent runs; say whether it does.

        A guest without Python, or too busy, goes without it.
        """
        try:
            started = self.run(agent.START, stdin=agent.SOURCE, check=False, timeout=15)
            self.channel = channel if started.status == 0 else None
        except (MachineError, DeadlinePassed):
            self.channel = None
        return self.channel is not None

    def give_up(self) -> None:
        """Make every wait for this machine end soon, in whichever thread it is."""
        self._given_up.set()
        self.disconnect()

    def run(
        self,
        command: str,
        *,
        stdin: str | bytes | None = None,
        timeout: float = 60,
        check: bool = True,
    ) -> CommandResult:
        """Run `command` as root by `sh -c` and return what it said.

        `timeout` is in seconds and scales with the lab's pace; when it passes, DeadlinePassed holds
        the output so far, and the command may still run. With `check`, another status than 0
        raises CommandFailed; -1 means that a signal ended the command. What it waited for another
        lab's quiet is no part of its `seconds`.
        """
        with busy(self._lab):
            started = time.monotonic()
            status, out, err = self._execute(command, _as_bytes(stdin), timeout)
            took_s = time.monotonic() - started
        result = CommandResult(
            command, status, out.decode(errors="replace"), err.decode(errors="replace"), took_s
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
        """Write a file whole: a reader sees the old content or the new one, nothing between.

        Missing directories are made, open to all. The length is checked before the file takes its
        place, as a connection that breaks looks like the end of the content.
        """
        encoded = _as_bytes(content) or b""
        target, fresh = shlex.quote(path), shlex.quote(f"{path}.vpnproof-new")
        self.run(
            f'umask 022; mkdir -p -- "$(dirname -- {target})" && {{ umask 077; cat > {fresh} && '
            f'[ "$(wc -c < {fresh})" -eq {len(encoded)} ] && '
            f"chown {shlex.quote(f'{owner}:{group}')} {fresh} && chmod {mode:o} {fresh} && "
            f"mv -fT {fresh} {target} || {{ rm -f {fresh}; exit 1; }}; }}",
            stdin=encoded,
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
    def _lab(self) -> Path:
        """The directory of the machine's lab."""
        return self.access.lab

    def _lose(self) -> None:
        """Forget what a machine that loses its power no longer has."""
        self.channel = None
        self.disconnect()

    @property
    def _power(self) -> Hypervisor:
        if self._hypervisor is None:
            raise ScenarioError(f"{self.name} was reached without its hypervisor: no power switch")
        return self._hypervisor

    def _execute(
        self, command: str, stdin: bytes | None, timeout: float
    ) -> tuple[int, bytes, bytes]:
        with busy(self._lab):
            deadline = Deadline(timeout, f"`{command}` on {self.name}")
            return self._connection.execute(command, stdin, deadline)


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
