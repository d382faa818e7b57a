"""Points in time. One clock: wall time of the host the lab runs on, which is the wire's."""

from __future__ import annotations

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
