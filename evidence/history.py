"""The history of a run: what was done and seen, one event a line, in `history.jsonl`.

Scenarios append, checks read. Every line is written with one system call and a file opened for
appending, so several processes can write one history, and a process that is killed loses at most
the line it was writing. The reader steps over such a torn line and says which it was.
Nothing here knows what an event means.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, overload

from evidence.clock import HostClock
from evidence.errors import BadEvidence, Missing

FILE_NAME = "history.jsonl"

JSON = Any  # what json.loads returns; checks narrow it where they read it


@dataclass(frozen=True)
class Event:
    """Something that was done or seen.

    `at_ns` is wall time of the wire's clock in nanoseconds; `uncertainty_ns` is how far off it may
    be (a guest's clock is measured, not trusted). `line` is where it stands in the file, and
    `host_clock` what the host's clocks said when it was written.
    """

    at_ns: int
    source: str
    kind: str
    data: Mapping[str, JSON]
    scenario: str = ""
    uncertainty_ns: int = 0
    line: int = field(default=0, compare=False)
    host_clock: HostClock | None = field(default=None, compare=False)

    @property
    def place(self) -> str:
        """Where it stands, for a verdict's evidence."""
        return f"{FILE_NAME}:{self.line}"

    def __getitem__(self, key: str) -> JSON:
        if key not in self.data:
            raise Missing(f"{self.place}: a {self.kind} event of {self.source} without {key!r}")
        return self.data[key]


def _to_line(event: Event) -> bytes:
    fields: dict[str, JSON] = {
        "at_ns": event.at_ns,
        "source": event.source,
        "kind": event.kind,
        "scenario": event.scenario,
        "uncertainty_ns": event.uncertainty_ns,
        "data": event.data,
    }
    if event.host_clock is not None:
        fields["host_clock"] = asdict(event.host_clock)
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def _from_line(text: bytes, line: int) -> Event | None:
    try:
        fields = json.loads(text)
        clock = fields.get("host_clock")
        return Event(
            at_ns=int(fields["at_ns"]),
            source=str(fields["source"]),
            kind=str(fields["kind"]),
            data=dict(fields["data"]),
            scenario=str(fields.get("scenario", "")),
            uncertainty_ns=int(fields.get("uncertainty_ns", 0)),
            line=line,
            host_clock=None if clock is None else HostClock(**clock),
        )
    except (ValueError, KeyError, TypeError):
        return None


class History:
    """Appends events to a history file, on behalf of one scenario."""

    def __init__(self, path: Path, scenario: str = "") -> None:
        self.path = path
        self.scenario = scenario
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._leave_torn_line_behind()

    def _leave_torn_line_behind(self) -> None:
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            os.write(self._file, b"\n")

    def record(
        self,
        kind: str,
        source: str,
        *,
        at_ns: int | None = None,
        uncertainty_ns: int = 0,
        **data: JSON,
    ) -> Event:
        """Append an event, at the present time unless `at_ns` says another; return it.

        Raises TypeError when `data` holds what JSON cannot; nothing is written then.
        """
        moment = time.time_ns() if at_ns is None else at_ns
        event = Event(
            moment,
            source,
            kind,
            data,
            self.scenario,
            uncertainty_ns,
            host_clock=HostClock.now(),
        )
        os.write(self._file, _to_line(event))
        return event

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


class Recording(Sequence[Event]):
    """The events of a history in the order of the file, and the lines that were torn."""

    def __init__(self, events: Sequence[Event], torn: Sequence[int] = ()) -> None:
        self._events = tuple(events)
        self.torn = tuple(torn)

    def events(
        self,
        kind: str | None = None,
        source: str | None = None,
        scenario: str | None = None,
    ) -> Recording:
        """Return those of one kind, source or scenario; a kind may end in `*`."""

        def wanted(event: Event) -> bool:
            return (
                (kind is None or _matches(event.kind, kind))
                and (source is None or event.source == source)
                and (scenario is None or event.scenario == scenario)
            )

        return Recording([event for event in self._events if wanted(event)], self.torn)

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> Recording: ...
    def __getitem__(self, index: int | slice) -> Event | Recording:
        if isinstance(index, slice):
            return Recording(self._events[index], self.torn)
        return self._events[index]

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)


def _matches(kind: str, pattern: str) -> bool:
    return kind.startswith(pattern[:-1]) if pattern.endswith("*") else kind == pattern


def read_history(path: Path) -> Recording:
    """Read a history file; torn lines are left out and named in `torn`.

    Raises BadEvidence when there is no such file.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadEvidence(
            f"{path}: no history can be read: {error.strerror}",
            hint="name the directory of a run, such as runs/latest",
        ) from error
    events: list[Event] = []
    torn: list[int] = []
    for number, text in enumerate(content.split(b"\n"), start=1):
        if not text.strip():
            continue
        event = _from_line(text, number)
        if event is None:
            torn.append(number)
        else:
            events.append(event)
    return Recording(events, torn)
