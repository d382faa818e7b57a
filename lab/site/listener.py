"""Listening on one machine, over one connection: a tcpdump a NIC and direction, and its clock.

A machine that crashes is lost, and listened to again once it is back. What was heard is told to
`tell`, by this host's time, as values: Heard, Alive, Lost, Trouble. A thread each.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeAlias

import paramiko

from lab.agent import read_answer
from lab.clock import ClockOffset
from lab.errors import MachineError
from lab.site import tcpdump
from lab.site.access import SiteAccess
from lab.site.merge import Tap
from lab.site.offsets import Offsets
from lab.timing import beside
from lab.wait import heard

_PATIENCE_S = 10.0
_AGAIN_S = 1.0
_SILENT_S = 12.0
"""Without counters, which come twice a second, a machine is taken for gone. Of one that is only
busy all comes later; to listen to it anew would keep it busier, and leave a hole."""
_MEASURE_EVERY_S, _MEASURE_SOON_S = 5.0, 2.0
_READINGS = 8
_READING_S = 2.0
_LOOK_S = 0.2
_PROVOKES_EVERY_S = 1.0
_CHUNK = 1 << 16
_CLOSE_NS = 15_000_000  # a clock that is not known better is read again soon
_CLOCK = """\
if [ -n "$(bash -c 'echo $EPOCHREALTIME' 2>/dev/null)" ]
then exec bash -c 'while read -r _; do now=$EPOCHREALTIME; echo "${now/[.,]/}000"; done'
else while read -r _; do date +%s%N; done; fi"""
"""Tells the time a line; bash 5 does so without starting a program each time."""


@dataclass(frozen=True)
class Heard:
    """A tap heard a frame; the moment is off by at most `uncertainty_ns`."""

    tap: Tap
    at_ns: int
    data: bytes
    uncertainty_ns: int


@dataclass(frozen=True)
class Alive:
    """A tap has told all that it heard until `at_ns`; `dropped`: what it lost since the last."""

    tap: Tap
    at_ns: int
    dropped: int


@dataclass(frozen=True)
class Lost:
    """Nothing more comes from a machine's taps."""

    taps: tuple[Tap, ...]


@dataclass(frozen=True)
class Trouble:
    """Something that keeps verdicts from resting on what was heard, in words."""

    what: str


Told: TypeAlias = Heard | Alive | Lost | Trouble


class Listener:
    """Listens on a machine from `start` until `stop`. interfaces: by tap, what it is called there.

    session: what our own SSH looks like, which is not listened to. provokes: whether the machine is
    to send a frame for all each second, because somebody has none yet to begin with.
    """

    def __init__(
        self,
        machine: str,
        access: SiteAccess,
        interfaces: Mapping[Tap, str],
        session: str,
        tell: Callable[[Told], None],
        provokes: Callable[[], bool] = lambda: False,
    ) -> None:
        self.machine = machine
        self.offsets = Offsets()
        self.trouble = ""
        """Why it does not listen now, "" while it does."""
        self._access = access
        self._interfaces = interfaces
        self._session = session
        self._tell = tell
        self._provokes = provokes
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name=f"listen {machine}", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """End it, and what listens on the machine."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(2 * _PATIENCE_S)

    def _go_on(self) -> None:
        with beside():
            while not self._over.is_set():
                try:
                    self._listen()
                except (OSError, EOFError, paramiko.SSHException, MachineError) as error:
                    self.trouble = f"{self.machine} cannot be listened to: {error}"
                self._tell(Lost(tuple(self._interfaces)))
                heard(self._over, _AGAIN_S)

    def _listen(self) -> None:
        with ExitStack() as opened:
            client = self._access.connect(_PATIENCE_S)
            opened.callback(client.close)
            clock = _Clock(self.machine, self._run(client, _CLOCK))
            self._measure(clock)
            taps = [
                _Tapped(tap, self.machine, self._run(client, self._command(tap, interface)))
                for tap, interface in self._interfaces.items()
            ]
            measured = provoked = time.monotonic()
            provocation: paramiko.Channel | None = None
            while not self._over.is_set():
                channels = [one.channel for one in taps]
                select.select(channels, [], [], _LOOK_S)
                for one in taps:
                    self._take(one)
                close = self.offsets.at(time.time_ns()).uncertainty_ns <= _CLOSE_NS
                if time.monotonic() - measured > (_MEASURE_EVERY_S if close else _MEASURE_SOON_S):
                    self._measure(clock)
                    measured = time.monotonic()
                begun = all(one.has_begun for one in taps if one.tap.direction == "out")
                ended = provocation is None or provocation.exit_status_ready()
                due = ended and time.monotonic() - provoked > _PROVOKES_EVERY_S
                if due and (not begun or self._provokes()):
                    provocation = self._provoke(client)
                    provoked = time.monotonic()

    def _provoke(self, client: paramiko.SSHClient) -> paramiko.Channel:
        self.trouble = self.trouble or f"{self.machine} hears no frame to begin with, by ping"
        ping = tcpdump.provocation(dict.fromkeys(self._interfaces.values()))
        return self._run(client, self._access.as_root(ping))

    def _command(self, tap: Tap, interface: str) -> str:
        expression = tcpdump.expression(tap.direction, self._session)
        return self._access.as_root(tcpdump.command(interface, expression))

    def _run(self, client: paramiko.SSHClient, command: str) -> paramiko.Channel:
        transport = client.get_transport()
        if transport is None:
            raise EOFError("the connection closed at once")
        channel = transport.open_session(timeout=_PATIENCE_S)
        channel.exec_command(command)
        return channel

    def _measure(self, clock: _Clock) -> None:
        at_ns, offset = clock.read()
        if not self.offsets.add(at_ns, offset):
            self._tell(Trouble(f"the clock of {self.machine} was set while it was listened to"))

    def _take(self, one: _Tapped) -> None:
        for guest_ns, data in one.frames():
            offset = self.offsets.at(time.time_ns())
            at_ns = offset.on_host(guest_ns)
            self._tell(Heard(one.tap, at_ns, data, offset.uncertainty_ns))
        if (counted := one.said.counted()) is not None:
            at_ns = self.offsets.at(time.time_ns()).on_host(counted.at_ns)
            self._tell(Alive(one.tap, at_ns, counted.dropped - one.dropped))
            one.dropped, one.told, one.has_begun = counted.dropped, time.monotonic(), True
            self.trouble = ""
        why = " ".join(one.complaints[-2:])
        if one.channel.closed or one.channel.exit_status_ready():
            raise MachineError(f"its tcpdump ended: {why or 'it says nothing'}")
        if time.monotonic() - one.told > _SILENT_S:
            raise MachineError(f"its tcpdump says nothing any more {why}".rstrip())


class _Tapped:
    """One tcpdump that runs, and what it has said."""

    def __init__(self, tap: Tap, machine: str, channel: paramiko.Channel) -> None:
        self.tap = tap
        self.channel = channel
        self.said = tcpdump.Said(machine)
        self.dropped = 0
        self.complaints: list[str] = []
        self.told = time.monotonic()
        self.has_begun = False

    def frames(self) -> list[tuple[int, bytes]]:
        """Take what has come, and return the frames in it."""
        found: list[tuple[int, bytes]] = []
        while self.channel.recv_stderr_ready():
            if not self.has_begun:  # until a frame has come, that it is asked is a sign of life
                self.told = time.monotonic()
            said = self.channel.recv_stderr(_CHUNK).decode(errors="replace")
            self.complaints += self.said.lines(said)
        while self.channel.recv_ready():
            found += self.said.frames(self.channel.recv(_CHUNK))
        return found


class _Clock:
    """A conversation with a machine that tells its time, line by line."""

    def __init__(self, machine: str, channel: paramiko.Channel) -> None:
        self._machine = machine
        self._channel = channel
        self._channel.settimeout(_READING_S)

    def read(self) -> tuple[int, ClockOffset]:
        """Return when the clock was read, and the closest of a few readings."""
        found = [self._ask() for _ in range(_READINGS)]
        return min(found, key=lambda one: one[1].uncertainty_ns)

    def _ask(self) -> tuple[int, ClockOffset]:
        asked_ns = time.time_ns()
        self._channel.sendall(b"\n")
        answer = b""
        while not answer.endswith(b"\n") and len(answer) < 64:
            if not (more := self._channel.recv(64)):
                raise EOFError(f"{self._machine} does not tell its time")
            answer += more
        answered_ns = time.time_ns()
        try:
            said_ns = read_answer(answer)
        except ValueError as error:
            raise MachineError(f"{self._machine}: its clock cannot be read: {error}") from error
        return answered_ns, ClockOffset.measured(asked_ns, said_ns, answered_ns)
