"""The history of a run: what was done and seen, one event a line, in `history.jsonl`.

Several processes append to one history. Each line is written under a lock, carries its number and
the SHA-256 of the line before it, and is whole or not there: a disk that is full is an error at
once. A process that is killed loses at most the line it was writing. The reader says what is
damaged: lines that are torn, missing, out of place, twice, or altered since they were written.
Nothing here knows what an event means.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from pydantic import ValidationError

from evidence.clock import HostClock
from evidence.errors import BadEvidence
from evidence.event import FILE_NAME, Event
from evidence.events import read_event

__all__ = ["FILE_NAME", "Damage", "Following", "History", "Recording", "read_history"]

E = TypeVar("E", bound=Event)

FORMAT = 2
"""Of the lines. 1 had events without a declared shape and no chain."""
BEGINNING = "0" * 64
"""What stands for the hash of the line before the first."""


def line_hash(line: bytes) -> str:
    """Return what the line after this one carries: SHA-256 of its octets without the newline."""
    return hashlib.sha256(line).hexdigest()


class History:
    """Appends events to a history file, on behalf of one scenario."""

    def __init__(self, path: Path, scenario: str = "") -> None:
        self.path = path
        self.scenario = scenario
        self.recorded = 0
        """How many events were recorded by this object."""
        self._thread = threading.Lock()
        self._read_to = 0
        self._lines = 0
        self._last = BEGINNING
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def record(self, event: Event) -> Event:
        """Append an event; return it as it was recorded, with its place.

        Raises BadEvidence when it could not be written whole; nothing of it is left then.
        """
        with self._locked():
            self._catch_up()
            written = event.recorded(self._lines + 1, self.scenario)
            line = _to_line(written, self._last)
            self._append(line)
            self._read_to += len(line) + 1
            self._lines, self._last = self._lines + 1, line_hash(line)
            self.recorded += 1
        return written

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._thread:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def _catch_up(self) -> None:
        """Read what others have appended since; leave a line that somebody tore behind."""
        size = os.fstat(self._file).st_size
        if size > self._read_to:
            new = os.pread(self._file, size - self._read_to, self._read_to)
            if not new.endswith(b"\n"):
                self._append(b"")
                new += b"\n"
            lines = new.split(b"\n")[:-1]
            self._lines += len(lines)
            self._last = line_hash(lines[-1])
            self._read_to += len(new)

    def _append(self, line: bytes) -> None:
        size = os.fstat(self._file).st_size
        octets = line + b"\n"
        try:
            if os.write(self._file, octets) == len(octets):
                return
            why = "only a part of an event could be written: is the disk full?"
        except OSError as error:
            why = error.strerror or str(error)
        os.ftruncate(self._file, size)
        raise BadEvidence(
            f"{self.path}: the history cannot be written: {why}",
            hint="make room; what is not recorded cannot be judged",
        )

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _to_line(event: Event, previous: str) -> bytes:
    fields: dict[str, Any] = {
        "number": event.line,
        "previous": previous,
        "host_clock": asdict(HostClock.now()),
        "event": event.model_dump(mode="json", exclude_defaults=False),
    }
    return json.dumps(fields, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Damage:
    """Something wrong at a line of a history; lines count from 1."""

    line: int
    what: str

    def __str__(self) -> str:
        return f"{FILE_NAME}:{self.line}: {self.what}"


@dataclass(frozen=True)
class Line:
    """A line that could be read: its event, the host's clocks then, the hash of its octets."""

    event: Event
    host_clock: HostClock
    hash: str


class Recording(Sequence[Event]):
    """The events of a history in the order of the file, and what is damaged in it."""

    def __init__(self, lines: Sequence[Line], damage: Sequence[Damage] = ()) -> None:
        self.lines = tuple(lines)
        self.damage = tuple(damage)
        self._of: dict[type[Event], list[Any]] = {}

    def of(self, kind: type[E], scenario: str | None = None) -> list[E]:
        """Return the events of one class, of one scenario if given."""
        if kind not in self._of:  # who asks once asks again: a run has many scenarios
            self._of[kind] = [line.event for line in self.lines if isinstance(line.event, kind)]
        return [one for one in self._of[kind] if scenario in (None, one.scenario)]

    def between(self, first: int, last: int) -> Recording:
        """Return what stands from one line to another, both included."""
        begin = bisect_left(self.lines, first, key=lambda line: line.event.line)
        end = bisect_right(self.lines, last, key=lambda line: line.event.line)
        return Recording(
            self.lines[begin:end],
            [one for one in self.damage if first <= one.line <= last],
        )

    def hash_at(self, line: int) -> str:
        """Return the hash of a line, "" when it cannot be read."""
        return next((one.hash for one in self.lines if one.event.line == line), "")

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401 - as Sequence says: one, or a slice
        return [line.event for line in self.lines][index]

    def __len__(self) -> int:
        return len(self.lines)

    def __iter__(self) -> Iterator[Event]:
        return (line.event for line in self.lines)


def read_history(path: Path) -> Recording:
    """Read a history file. What is damaged is left out, and named in `damage`.

    Raises BadEvidence when there is no such file, or when it was recorded in another format.
    """
    return Following(path).read()


class Following:
    """Reads a history that grows: each time only what was appended since.

    For who judges again and again while a run goes on. What was read is not looked at again: to
    find out whether it was altered meanwhile, read it anew.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._begin_anew(0)

    def _begin_anew(self, inode: int) -> None:
        self._inode = inode
        self._reader = _Reader()
        self._offset = self._lines = 0

    def read(self) -> Recording:
        """Return all that stands there now; raises as `read_history`."""
        *whole, rest = self._appended().split(b"\n")
        if whole and not self._lines and whole[0].startswith(b'{"at_ns":'):
            raise BadEvidence(
                f"{self.path}: recorded in format 1, before events had declared shapes; this "
                f"reads {FORMAT}",
                hint="judge it with the revision that its run.json names",
            )
        for text in whole:
            self._lines += 1
            self._offset += len(text) + 1
            self._reader.read(self._lines, text)
        torn = [Damage(self._lines + 1, "the line is torn: its end is missing")] if rest else []
        return Recording(self._reader.lines, [*self._reader.damage, *torn])

    def _appended(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                state = os.fstat(file.fileno())
                if state.st_ino != self._inode or state.st_size < self._offset:
                    self._begin_anew(state.st_ino)  # another file
                file.seek(self._offset)
                return file.read()
        except OSError as error:
            raise BadEvidence(
                f"{self.path}: no history can be read: {error.strerror}",
                hint="name the directory of a run, such as runs/latest",
            ) from error


class _Reader:
    """Reads line after line, and says of each what is wrong with it and with its place."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.damage: list[Damage] = []
        self._expected = 1
        self._previous, self._previous_line = BEGINNING, 0
        self._seen: set[str] = set()

    def damaged(self, line: int, what: str) -> None:
        self.damage.append(Damage(line, what))

    def read(self, line: int, text: bytes) -> None:
        own = line_hash(text)
        if own in self._seen:
            self.damaged(line, "the line stands there twice")
            return
        self._seen.add(own)
        try:
            fields = json.loads(text)
            event = read_event(fields["event"])
            clock = HostClock(**{name: int(ns) for name, ns in fields["host_clock"].items()})
            number, previous = int(fields["number"]), str(fields["previous"])
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            self.damaged(line, f"the event cannot be read: {where}: {first['msg']}")
            self._follow(line, self._expected + 1, own)
            return
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            self.damaged(line, "the line is torn, or no event")
            self._follow(line, self._expected + 1, own)
            return
        if number > self._expected:
            self.damaged(line, f"{number - self._expected} line(s) before it are missing")
        elif number < self._expected:
            self.damaged(line, f"the line was number {number}: it is out of place")
        elif previous != self._previous:
            self.damaged(
                max(1, self._previous_line),
                f"it was altered after it had been written: line {line} has another hash of it",
            )
        self._follow(line, number + 1, own)
        self.lines.append(Line(event.recorded(line, event.scenario), clock, own))

    def _follow(self, line: int, expected: int, own: str) -> None:
        self._expected, self._previous, self._previous_line = expected, own, line
