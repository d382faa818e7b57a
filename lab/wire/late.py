"""The stretches in which a wire came late, kept for who asks: whatever it was that kept it.

A process that is stopped, or waits for a disk, is not kept from running as the kernel counts it
(`lab.schedstat`), and does nothing all the same. A mark that comes late says so.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

MOST_KEPT = 4096
"""A wire marks twice a second: that is more than half an hour without a mark in time."""


@dataclass(frozen=True)
class LateMark:
    """A mark that came late: since the one before, the wire was late by up to `late_ns`.

    `from_ns` and `until_ns`: ns since 1970 by the wire's clock. `number`: late marks count from 1.
    """

    number: int
    from_ns: int
    until_ns: int
    late_ns: int


class LateMarks:
    """The last late marks of a wire."""

    def __init__(self) -> None:
        self._kept: deque[LateMark] = deque(maxlen=MOST_KEPT)
        self._count = 0

    def note(self, from_ns: int, until_ns: int, late_ns: int) -> None:
        """Keep one; nobody is late by more than the stretch is long."""
        self._count += 1
        late_ns = min(late_ns, until_ns - from_ns)
        self._kept.append(LateMark(self._count, from_ns, until_ns, late_ns))

    def after(self, number: int) -> list[LateMark]:
        """Return those behind the late mark `number`, as far as they are kept."""
        return [late for late in self._kept if late.number > number]
