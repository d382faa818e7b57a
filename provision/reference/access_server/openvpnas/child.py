"""Programs that the service keeps running: their end arrives as an event, and their output.

Where lines are only to be logged, their reader logs them: a stranger can make OpenVPN say as much
as it likes, and neither a role nor a signal waits behind that.
"""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Union

STOP_SECONDS = 3.0


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
Say = Callable[[str, str], None]
"""Called with whose line it is, and the line."""
Events = queue.SimpleQueue  # SimpleQueue: a signal's handler may put while the main thread gets


class Child:
    """One running program; its lines are events, or `say` is told them."""

    def __init__(
        self, name: str, command: Sequence[str], events: Events[Event], say: Say | None = None
    ) -> None:
        self.name = name
        self._say = say
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
        for text in self._process.stdout or ():
            line = text.rstrip("\n")
            if self._say is None:
                self._events.put(Line(self.name, line))
                continue
            with suppress(OSError):  # a full disk: who does not read on stops the program
                self._say(self.name, line)
        self._events.put(Exited(self, self._process.wait()))


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
