"""This host's side of the program that runs in every guest of a checkpoint (see `program`)."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.clock import ClockOffset
from lab.errors import MachineError
from lab.wait import Deadline

ANSWERS_S = 15.0
"""How long the first answer of a thawed guest may take: its memory may come from a cold disk."""
_LONGEST_ANSWER = 64  # octets
_LOOKS_UP_S = 0.5  # a wait looks whether the machine was given up
_READINGS = 4
_MOST_UNASKED = 1 << 20  # octets that nobody waits for: a flood, where a few answers are usual
_ANSWER = re.compile(rb"\d{1,19}\n")
_CLOSE_NS = 2_000_000  # an answer within twice that needs no better one


def read_answer(line: bytes) -> int:
    """Return the time in an agent's answer; ValueError for anything else."""
    if not _ANSWER.fullmatch(line):
        raise ValueError(f"{line[:_LONGEST_ANSWER]!r} is no time in nanoseconds")
    return int(line)


class Agent:
    """A conversation with the program in one guest; a context manager.

    `given_up` says whether nobody waits for this machine any more. MachineError when nobody
    listens, or answers within `seconds` (which scale with the lab's pace).
    """

    def __init__(
        self,
        machine: str,
        channel: Path,
        *,
        seconds: float = ANSWERS_S,
        given_up: Callable[[], bool] = lambda: False,
    ) -> None:
        self._machine = machine
        self._seconds = seconds
        self._given_up = given_up
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_LOOKS_UP_S)
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

    def clock(self) -> ClockOffset:
        """Read the guest's clock: the closest of a few readings."""
        readings = [self._ask("")]
        while readings[-1].uncertainty_ns > _CLOSE_NS and len(readings) < _READINGS:
            readings.append(self._ask(""))
        return min(readings, key=lambda one: one.uncertainty_ns)

    def mix_in_randomness(self) -> None:
        """Have the guest's kernel draw from randomness of its own from now on."""
        self._ask(f"mix {os.urandom(32).hex()}")

    def move_clock(self, by_ns: int) -> None:
        """Move the guest's clock, and the one on its board, by so much."""
        self._ask(f"move {by_ns}")

    def _ask(self, question: str) -> ClockOffset:
        deadline = Deadline(self._seconds, f"the agent in {self._machine} to answer")
        answer = b""
        try:
            self._forget_what_came()
            asked_ns = time.time_ns()
            self._socket.sendall(f"{question}\n".encode())
            while not answer.endswith(b"\n") and len(answer) < _LONGEST_ANSWER:
                answer += self._more(deadline)
            return ClockOffset.measured(asked_ns, read_answer(answer), time.time_ns())
        except (OSError, ValueError) as error:
            raise self._error(f"its agent does not answer: {error}") from error

    def _forget_what_came(self) -> None:
        """Take what answers a question that nobody waits for any more."""
        self._socket.setblocking(False)
        left = _MOST_UNASKED
        try:
            while left > 0 and (came := self._socket.recv(4096)):
                left -= len(came)
        except BlockingIOError:
            pass
        finally:
            self._socket.settimeout(_LOOKS_UP_S)
        if left <= 0:
            raise self._error("its agent talks without being asked, and does not end")

    def _more(self, deadline: Deadline) -> bytes:
        while not (self._given_up() or deadline.passed):
            try:
                if came := self._socket.recv(4096):
                    return came
            except TimeoutError:
                continue
            raise self._error("its channel was closed")
        raise self._error(f"its agent does not answer within {deadline.seconds:.0f} s")

    def _error(self, what: str) -> MachineError:
        return MachineError(f"{self._machine}: {what}")
