"""What a history held when it was read: its events in order, what is damaged, a stretch of it.

A run is judged many times over one reading, each time by the stretch that belongs to one scenario.
So events are looked up by kind and scenario, and a stretch (`between`) shares the look-up: what a
verdict costs depends on its own scenario, not on the length of the run.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from evidence.clock import HostClock
from evidence.event import FILE_NAME, Event

E = TypeVar("E", bound=Event)


@dataclass(frozen=True)
class Damage:
    """Something wrong at a line of a history, of the part of a run; lines count from 1."""

    line: int
    what: str
    part: str = ""
    is_torn_end: bool = False
    """Whether it is the last line, which may yet come whole."""

    def __str__(self) -> str:
        return f"{self.part}{FILE_NAME}:{self.line}: {self.what}"


@dataclass(frozen=True)
class Line:
    """A line that could be read: its event, the host's clocks then, the hash of its octets."""

    event: Event
    host_clock: HostClock
    hash: str


class _Index:
    """All lines of one reading, and where those of a kind and a scenario are among them."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = tuple(lines)
        self._found: dict[tuple[type[Event], str | None], list[int]] = {}

    @cached_property
    def numbers(self) -> list[int]:
        """The numbers of the lines in the file, ascending."""
        return [one.event.line for one in self.lines]

    @cached_property
    def _of_scenario(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for at, line in enumerate(self.lines):
            found.setdefault(line.event.scenario, []).append(at)
        return found

    def places(self, kind: type[Event], scenario: str | None) -> list[int]:
        """Return where events of a class are, of one scenario if given."""
        key = (kind, scenario)
        if key not in self._found:
            among: Sequence[int] = range(len(self.lines))
            if scenario is not None:
                among = self._of_scenario.get(scenario, ())
            self._found[key] = [at for at in among if isinstance(self.lines[at].event, kind)]
        return self._found[key]


class Recording(Sequence[Event]):
    """The events of a history, or a stretch of it, in the order of the file; what is damaged in it.

    part: the part of the run that it is of; "" for the run's own history.
    """

    def __init__(
        self, lines: Sequence[Line], damage: Sequence[Damage] = (), part: str = ""
    ) -> None:
        self.part = part
        self._index = _Index(lines)
        self._from, self._until = 0, len(lines)
        self.damage = tuple(damage)

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines that could be read."""
        return self._index.lines[self._from : self._until]

    def of(self, kind: type[E], scenario: str | None = None) -> list[E]:
        """Return the events of one class, of one scenario if given."""
        places = self._index.places(kind, scenario)
        first, last = bisect_left(places, self._from), bisect_left(places, self._until)
        found = (self._index.lines[at].event for at in places[first:last])
        return [one for one in found if isinstance(one, kind)]

    def between(self, first: int, last: int) -> Recording:
        """Return what stands from one line to another, both included."""
        numbers = self._index.numbers
        stretch = Recording((), part=self.part)
        stretch._index = self._index
        stretch._from = max(self._from, bisect_left(numbers, first))
        stretch._until = max(stretch._from, min(self._until, bisect_right(numbers, last)))
        stretch.damage = tuple(one for one in self.damage if first <= one.line <= last)
        return stretch

    def hash_at(self, line: int) -> str:
        """Return the hash of a line, "" when it cannot be read."""
        at = bisect_left(self._index.numbers, line, self._from, self._until)
        found = self._index.lines[at] if at < self._until else None
        return found.hash if found is not None and found.event.line == line else ""

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401 - as Sequence says: one, or a slice
        if isinstance(index, slice):
            return [line.event for line in self.lines[index]]
        return self.lines[index].event

    def __len__(self) -> int:
        return self._until - self._from

    def __iter__(self) -> Iterator[Event]:
        return (line.event for line in self.lines)
