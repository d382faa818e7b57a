"""Programs that the service keeps running: their output and their end arrive as events."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Union

STOP_SECONDS = 3.0
MOST_WAITING = 1000
"""Events that wait. More lines than that of a program that strangers make talk are left out."""


@dataclass(frozen=True)
class Line:
    """A line of output of `source`."""

    source: str
    text: str


@dataclass(frozen=True)
class Exited:
    """A child has ended by itself or was stopped."""

    child: Child
    status: int


@dataclass(frozen=True)
class Restart:
    """It is time to start `name` again."""

    name: str


@dataclass(frozen=True)
class Signalled:
    """The service was sent a signal."""

    number: int


Event = Union[Line, Exited, Restart, Signalled]
Events = queue.SimpleQueue  # SimpleQueue: a signal's handler may put while the main thread gets


class Child:
    """One running program; every line of it counts, or as many as there is time for."""

    def __init__(
        self, name: str, command: Sequence[str], events: Events[Event], *, every_line: bool = False
    ) -> None:
        self.name = name
        self._every_line = every_line
        self.stopping = False
        self._events = events
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "LC_ALL": "C", "PYTHONUNBUFFERED": "1"},
            text=True,
            errors="replace",
        )
        threading.Thread(target=self._read, name=f"{name} output", daemon=True).start()

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def tell(self, line: str) -> None:
        """Send a line to its standard input; a child that has just ended misses it."""
        if self._process.stdin is None:
            return
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return

    def stop(self) -> None:
        """End it, politely first; returns when it is gone."""
        self.stopping = True
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read(self) -> None:
        left_out = 0
        for text in self._process.stdout or ():
            if not self._every_line and self._events.qsize() >= MOST_WAITING:
                left_out += 1
                continue
            self._say(left_out)
            left_out = 0
            self._events.put(Line(self.name, text.rstrip("\n")))
        self._say(left_out)
        self._events.put(Exited(self, self._process.wait()))

    def _say(self, left_out: int) -> None:
        if left_out:
            self._events.put(Line(self.name, f"{left_out} lines are left out"))


def read_fifo(path: Path, source: str, events: Events[Event]) -> None:
    """Make a FIFO and report its lines as output of `source`, from a thread of its own."""
    path.unlink(missing_ok=True)
    os.mkfifo(path, 0o600)
    # read and write: with a writer of our own, the end of another writer is not an end of file
    descriptor = os.open(path, os.O_RDWR)

    def read() -> None:
        with os.fdopen(descriptor, encoding="utf-8", errors="replace") as lines:
            for text in lines:
                events.put(Line(source, text.rstrip("\n")))

    threading.Thread(target=read, name=f"{source} fifo", daemon=True).start()
