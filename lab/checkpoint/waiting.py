"""This host's side of the program that waits in every guest of a checkpoint (see `waiter`)."""

from __future__ import annotations

import inspect
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.checkpoint import waiter
from lab.domain import CHANNEL
from lab.errors import DeadlinePassed, MachineError
from lab.machine import Machine
from lab.wait import Deadline

_ANSWERS = 15  # seconds; a guest whose memory comes from a cold disk takes as long
_LOOKS_UP = 0.5  # seconds after which a wait looks whether the machine was given up


def leave(machine: Machine) -> bool:
    """Start the program in a running guest; say whether it waits there now.

    A guest without Python, or too busy, goes without it.
    """
    python = "PATH=$PATH:/usr/libexec; exec $(command -v python3 || echo platform-python)"
    try:
        started = machine.run(
            f"{python} - /dev/virtio-ports/{CHANNEL}",
            stdin=inspect.getsource(waiter),
            check=False,
            timeout=15,
        )
    except (MachineError, DeadlinePassed):
        return False
    return started.status == 0


def dismiss(machine: Machine) -> None:
    """End the program, if it still waits, in a guest that is told in another way."""
    pid = waiter.PID_FILE
    machine.run(f"[ ! -e {pid} ] || {{ kill $(cat {pid}); rm -f {pid}; }}")


class Waiter:
    """A conversation with the program that waits in one guest; a context manager.

    MachineError when nobody listens, or answers.
    """

    def __init__(self, machine: Machine, channel: Path) -> None:
        self._machine = machine
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_LOOKS_UP)
        try:
            self._socket.connect(str(channel))
        except OSError as error:
            self._socket.close()
            raise self._error(f"its channel {channel} does not open: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def clock(self) -> float:
        """Return what the guest's clock says, in seconds since 1970."""
        return self._ask("")

    def set_clock(self, late: float) -> None:
        """Have the clock moved by `late` seconds, and randomness mixed in."""
        self._ask(f"{late:+.3f} {os.urandom(32).hex()}")

    def _ask(self, question: str) -> float:
        deadline = Deadline(_ANSWERS, f"who waits in {self._machine.name} to answer")
        answer = b""
        try:
            self._socket.sendall(f"{question}\n".encode())
            while not answer.endswith(b"\n"):
                answer += self._more(deadline)
            return float(answer)
        except (OSError, ValueError) as error:
            raise self._error(f"who waits there does not answer: {error}") from error

    def _more(self, deadline: Deadline) -> bytes:
        while not (self._machine.given_up or deadline.passed):
            try:
                if came := self._socket.recv(4096):
                    return came
            except TimeoutError:
                continue
            raise self._error("its channel was closed")
        raise self._error(f"who waits there does not answer within {deadline.seconds:.0f} s")

    def _error(self, what: str) -> MachineError:
        return MachineError(f"{self._machine.name}: {what}")
