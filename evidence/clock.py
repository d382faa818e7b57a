"""Whether the host's clock can be trusted over a stretch of a history.

Durations are differences of wall time, which is the wire's. Somebody may set that clock in the
middle, or send the host to sleep. The monotonic clock notices: every line of a history says how far
both are apart, and a verdict over a stretch in which that has changed would be about the host.
Adjusting a clock's rate, as NTP does, moves both alike.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

NS = 1_000_000_000
TOLERANCE_NS = 50_000_000
"""A step of less hides in the noise: two clocks of a busy host are not read at one instant."""


@dataclass(frozen=True)
class HostClock:
    """Two readings in ns: wall time less the monotonic clock, and how long the host has slept."""

    epoch_ns: int
    asleep_ns: int

    @classmethod
    def now(cls) -> HostClock:
        """Read the clocks of this host, as close together as a few tries come."""
        return min((cls._read() for _ in range(3)), key=lambda read: read[0])[1]

    @classmethod
    def _read(cls) -> tuple[int, HostClock]:
        before = time.monotonic_ns()
        wall, boot = time.time_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        took = time.monotonic_ns() - before
        monotonic = before + took // 2
        # The clocks are read one after the other: a host that never slept may come out below 0.
        return took, cls(wall - monotonic, max(0, boot - monotonic))


def complaints(readings: Iterable[tuple[str, HostClock | None]]) -> Sequence[str]:
    """Say where the host slept or its clock was set; `readings` are places and what was read there.

    A place without a reading (a history of before) says nothing.
    """
    known = [(place, clock) for place, clock in readings if clock is not None]
    found = []
    for (before, earlier), (after, later) in pairwise(known):
        where = f"between {before} and {after}"
        slept_ns = later.asleep_ns - earlier.asleep_ns
        step_ns = later.epoch_ns - earlier.epoch_ns - slept_ns
        if abs(slept_ns) > TOLERANCE_NS:
            found.append(f"the host was suspended for {slept_ns / NS:.1f} s, {where}")
        if abs(step_ns) > TOLERANCE_NS:
            found.append(f"the host's clock was set by {step_ns / NS:+.3f} s, {where}")
    return found
