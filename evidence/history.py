"""The history of a run: what was done and seen, one event a line, in `history.jsonl`.

Several processes append to one history. Each line is written under a lock, carries its number and
the SHA-256 of the line before it, and is whole or not there: a disk that is full is an error at
once. A process that is killed loses at most the line it was writing. The reader says what is
damaged: lines that are torn, missing, out of place, twice, or altered since they were written. What
it is given may come from anywhere: it is read a line at a time, and up to limits that have names.
Nothing here knows what an event means.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from pydantic import ValidationError

from evidence.clock import HostClock
from evidence.errors import BadEvidence
from evidence.event import FILE_NAME, NS_BOUND, Event
from evidence.events import read_event
from evidence.files import parse_json, reading
from evidence.recording import Damage, Line, Recording

__all__ = ["FILE_NAME", "Damage", "Following", "History", "Recording", "read_history"]

FORMAT = 2
"""Of the lines. 1 had events without a declared shape and no chain."""
BEGINNING = "0" * 64
"""What stands for the hash of the line before the first."""
LARGEST = 64 * 1024 * 1024
"""Octets of a history; a run of hours writes some MiB."""
LONGEST_LINE = 4 * 1024 * 1024
"""Octets of an event; those of runs so far have less than 100 KiB."""
MOST_DAMAGE = 10_000
"""So many damaged lines are told one by one; a file with more is no history."""


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
        if len(octets) > LONGEST_LINE or size + len(octets) > LARGEST:
            raise BadEvidence(
                f"{self.path}: the history cannot be written: an event of {len(octets)} octets"
                f" behind {size}; its limits are {LONGEST_LINE} and {LARGEST}"
            )
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


def read_history(path: Path, part: str = "") -> Recording:
    """Read a history file. What is damaged is left out, and named in `damage`.

    part: of which part of a run it is, so that its lines are named by that (`evidence.parts`).
    Raises BadEvidence when there is no such file, or when it was recorded in another format.
    """
    return Following(path, part).read()


class Following:
    """Reads a history that grows: each time only what was appended since.

    For who judges again and again while a run goes on. What was read is not looked at again: to
    find out whether it was altered meanwhile, read it anew.
    """

    def __init__(self, path: Path, part: str = "") -> None:
        self.path = path
        self.part = part
        self._begin_anew(0)

    def _begin_anew(self, inode: int) -> None:
        self._inode = inode
        self._reader = _Reader(self.part)
        self._offset = self._lines = 0

    def read(self) -> Recording:
        """Return all that stands there now; raises as `read_history`."""
        hint = "name the directory of a run, such as runs/latest"
        torn = []
        with reading(self.path, "history", hint) as file:
            self._go_on(file)
            for text in self._appended(file):
                if not text.endswith(b"\n"):
                    torn = [self._torn(self._lines + 1)]
                    break
                self._lines += 1
                self._offset += len(text)
                self._reader.read(self._lines, text[:-1])
                self._need_history()
        return Recording(self._reader.lines, [*self._reader.damage, *torn], self.part)

    def _torn(self, line: int) -> Damage:
        return Damage(line, "the line is torn: its end is missing", self.part, is_torn_end=True)

    def _go_on(self, file: BinaryIO) -> None:
        """Go on behind what was read, or begin anew with another file."""
        state = os.fstat(file.fileno())
        if state.st_size > LARGEST:
            raise BadEvidence(
                f"{self.path}: {state.st_size} octets, and a history has at most {LARGEST}"
            )
        if state.st_ino != self._inode or state.st_size < self._offset:
            self._begin_anew(state.st_ino)
        file.seek(self._offset)

    def _appended(self, file: BinaryIO) -> Iterator[bytes]:
        """Yield line after line; raise BadEvidence at one that is longer than any event."""
        while text := file.readline(LONGEST_LINE):
            if len(text) == LONGEST_LINE and not text.endswith(b"\n"):
                raise BadEvidence(
                    f"{self.path}: line {self._lines + 1} has more than {LONGEST_LINE} octets:"
                    " this is no history"
                )
            if not self._lines and text.startswith(b'{"at_ns":'):
                raise BadEvidence(
                    f"{self.path}: recorded in format 1, before events had declared shapes; this "
                    f"reads {FORMAT}",
                    hint="judge it with the revision that its run.json names",
                )
            yield text

    def _need_history(self) -> None:
        """Raise BadEvidence where there is so much wrong that nobody would read it."""
        if len(self._reader.damage) > MOST_DAMAGE:
            raise BadEvidence(
                f"{self.path}: more than {MOST_DAMAGE} damaged lines: this is no history"
            )


class _Reader:
    """Reads line after line, and says of each what is wrong with it and with its place."""

    def __init__(self, part: str) -> None:
        self.part = part
        self.lines: list[Line] = []
        self.damage: list[Damage] = []
        self._expected = 1
        self._previous, self._previous_line = BEGINNING, 0
        self._seen: set[str] = set()

    def damaged(self, line: int, what: str) -> None:
        self.damage.append(Damage(line, what, self.part))

    def read(self, line: int, text: bytes) -> None:
        own = line_hash(text)
        if own in self._seen:
            self.damaged(line, "the line stands there twice")
            return
        self._seen.add(own)
        try:
            fields = parse_json(text)
            event = read_event(fields["event"])
            clock = HostClock(**{name: _integer(ns) for name, ns in fields["host_clock"].items()})
            number, previous = _integer(fields["number"]), str(fields["previous"])
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            self.damaged(line, f"the event cannot be read: {where}: {first['msg']}")
            self._follow(line, self._expected + 1, own)
            return
        except (ValueError, KeyError, TypeError, AttributeError):
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
        self.lines.append(Line(event.recorded(line, event.scenario, self.part), clock, own))

    def _follow(self, line: int, expected: int, own: str) -> None:
        self._expected, self._previous, self._previous_line = expected, own, line


def _integer(value: object) -> int:
    """Return a number of the line's own; ValueError for what is none, or larger than any clock."""
    if type(value) is not int or abs(value) > NS_BOUND:
        raise ValueError(f"{value!r:.40} is no number of a line")
    return value
