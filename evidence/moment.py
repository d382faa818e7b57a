"""Points in time. One clock: wall time of the host the lab runs on, which is the wire's."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

NS = 1_000_000_000
"""Nanoseconds in a second."""


@dataclass(frozen=True)
class Moment:
    """A point in time: ns since 1970 on the wire's clock, and how far off it may be either way."""

    at_ns: int
    uncertainty_ns: int = 0

    @property
    def earliest_ns(self) -> int:
        """The earliest that it can have been."""
        return self.at_ns - self.uncertainty_ns

    @property
    def latest_ns(self) -> int:
        """The latest that it can have been."""
        return self.at_ns + self.uncertainty_ns


def first_of(moments: Collection[Moment]) -> Moment:
    """Return when the first of several things was, whichever that is; ValueError for none."""
    return _between(min(x.earliest_ns for x in moments), min(x.latest_ns for x in moments))


def last_of(moments: Collection[Moment]) -> Moment:
    """Return when the last of several things was, whichever that is; ValueError for none."""
    return _between(max(x.earliest_ns for x in moments), max(x.latest_ns for x in moments))


def _between(earliest_ns: int, latest_ns: int) -> Moment:
    at_ns = (earliest_ns + latest_ns) // 2
    return Moment(at_ns, latest_ns - at_ns)


@dataclass(frozen=True)
class Window:
    """From when to when, in ns of the wire's clock, both ends included."""

    from_ns: int
    until_ns: int

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return (self.until_ns - self.from_ns) / NS

    def holds(self, at_ns: int) -> bool:
        """Tell whether a moment lies in it."""
        return self.from_ns <= at_ns <= self.until_ns
