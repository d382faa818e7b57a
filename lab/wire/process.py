"""The wire's process: ports, recorder and control socket in one loop, and how it ends.

It ends in order when it is asked to stop. It ends the lab's machines and then itself when its owner
is gone, when it gets SIGTERM, or when it fails. SIGINT is left to the owner.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import socket
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from evidence.mark import END
from lab.console import Trimming
from lab.errors import WireError
from lab.guardian.ending import end_processes_of
from lab.guardian.line import WireLine
from lab.marker import hold
from lab.wire.control import ControlServer
from lab.wire.forwarder import Forwarder
from lab.wire.loop import WRITABLE, Loop
from lab.wire.port import NicPort, Port
from lab.wire.recorder import Recorder
from lab.wire.requests import Requests

_MAY_PASS_UNSEEN = 20_000  # allocations between two runs of the garbage collector


@dataclass(frozen=True)
class Settings:
    """What a wire is started with: its lab's directory, the capture file, ports, seed, guardian."""

    directory: Path
    capture: Path
    ports: Sequence[Port]
    seed: int
    guardian: WireLine


def run(settings: Settings, owner: socket.socket) -> None:
    """Be the wire of a lab until told to stop; `owner` is the connection of who started it.

    The first line to the owner says that the wire serves (pid). Raises WireError, with
    nothing bound and nothing written but perhaps an empty capture, when it cannot start.
    """
    orderly = False
    hold(settings.directory)  # for as long as this runs
    with ExitStack() as held:
        loop = held.enter_context(Loop())
        recorder = held.enter_context(Recorder(settings.capture))
        forwarder = Forwarder(recorder, settings.seed)
        held.callback(forwarder.close)
        wire = _Wire(loop, forwarder, settings.directory)
        for port in settings.ports:
            wire.plug_nic(port)
        requests = Requests(forwarder, wire.plug_nic)
        recorder.drain = requests.drain_nics
        recorder.at_mark = Trimming(settings.directory, recorder.reached).look
        server = ControlServer(loop, forwarder, requests, settings.directory)
        held.callback(server.close)
        terminated = held.enter_context(_signals(loop))
        server.disowned = settings.guardian.kept
        _watch_guardian(loop, settings.guardian, terminated)
        server.owner = server.connect(owner)
        recorder.flush()
        settings.guardian.serving = True
        server.owner.reply({"ok": True, "result": {"pid": os.getpid()}})
        importlib.import_module("lab.wire.rule_json")  # now that nobody waits for it
        try:
            wire.serve(server, terminated)
            recorder.mark(END)
            orderly = server.stopped
            if orderly:
                settings.guardian.asked()
        except Exception:
            traceback.print_exc()  # now: an error of what follows would hide it
            raise
        finally:
            if not orderly:
                recorder.flush()
                end_processes_of(settings.directory, guardian=False)


class _Wire:
    """The loop with its due times."""

    def __init__(self, loop: Loop, forwarder: Forwarder, directory: Path) -> None:
        self._loop = loop
        self._forwarder = forwarder
        self._directory = directory

    def plug_nic(self, port: Port) -> NicPort:
        """Bind a port's sockets and put it in service."""
        if port.name in self._forwarder.ports:
            raise WireError(f"port {port.name} is plugged in twice", hint="name every NIC once")
        nic = NicPort(port, self._directory)
        self._forwarder.plug(nic)
        drain, receive, loop = nic.drain, self._forwarder.receive, self._loop
        loop.watch(nic.ingress.fileno(), lambda _: drain(receive))
        egress = nic.egress.fileno()

        def send_what_waits(_: int) -> None:
            if nic.flush():
                loop.forget(egress)

        nic.on_full = lambda: loop.watch(egress, send_what_waits, WRITABLE)
        return nic

    def serve(self, server: ControlServer, terminated: list[int]) -> None:
        """Forward until stopped, terminated, or left by the owner."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(_MAY_PASS_UNSEEN)
        turn, recorder, delayed = self._loop.turn, self._forwarder.recorder, self._forwarder.delayed
        while not (server.stopped or server.owner_lost or terminated):
            flush_ns, delayed_ns = recorder.flush_due_ns, delayed.due_ns
            due_ns = mark_ns = recorder.mark_due_ns
            if flush_ns is not None and flush_ns < due_ns:
                due_ns = flush_ns
            if delayed_ns is not None and delayed_ns < due_ns and not self._forwarder.paused:
                due_ns = delayed_ns
            turn(due_ns - time.monotonic_ns())
            now = time.monotonic_ns()
            if now < due_ns:
                continue
            if recorder.mark_due_ns == mark_ns:  # a mark that was asked for has told it
                recorder.late_ns = max(recorder.late_ns, now - due_ns)
            self._forwarder.release(now)
            if now >= recorder.mark_due_ns:
                recorder.mark()
            elif flush_ns is not None and now >= flush_ns:
                recorder.flush()


def _watch_guardian(loop: Loop, line: WireLine, terminated: list[int]) -> None:
    """Start another guardian when there is none any more; where none can be, end the lab."""

    def gone(_: int) -> None:
        if line.replace_guardian(loop.forget):
            loop.watch(line.descriptor, gone, 0)  # an error is told whatever one waits for
        else:
            terminated.append(signal.SIGTERM)

    loop.watch(line.descriptor, gone, 0)


@contextmanager
def _signals(loop: Loop) -> Iterator[list[int]]:
    """Yield a list that SIGTERM is added to; the loop wakes up for it. SIGINT is ignored."""
    terminated: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        terminated.append(number)

    waking, woken = socket.socketpair()
    with waking, woken:
        waking.setblocking(False)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, note)
        signal.set_wakeup_fd(waking.fileno())
        loop.watch(woken.fileno(), lambda _: None)
        yield terminated
        signal.set_wakeup_fd(-1)
