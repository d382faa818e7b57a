"""Whether the host's clock can be trusted over a stretch of a history.

Durations are differences of wall time, which is the wire's. Somebody may set that clock in the
middle, or send the host to sleep. The monotonic clock notices: every line of a history says how far
both are apart, and a verdict over a stretch in which that has changed would be about the host.
Adjusting a clock's rate, as NTP does, moves both alike; where it does not, what is compared with
follows by so much.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

NS = 1_000_000_000
TOLERANCE_NS = 50_000_000
"""A step of less hides in the noise: two clocks of a busy host are not read at one instant."""
SLEW = 500e-6
"""NTP slews a clock by so much at most. Small steps that come to more are steps."""
_STEADY_NS = 1_000_000
"""Readings that are apart by less are one."""


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


def complaints(readings: Iterable[tuple[str, HostClock | None, int]]) -> Sequence[str]:
    """Say where the host slept or its clock was set.

    `readings` are places, what was read there, and when (wall time, ns since 1970). A place without
    a reading (a history of before) says nothing.
    """
    known = [(place, clock, at_ns) for place, clock, at_ns in readings if clock is not None]
    return [
        f"{what}, between {known[first][0]} and {known[last][0]}"
        for first, last, what in steps((clock, at_ns) for _, clock, at_ns in known)
    ]


def steps(readings: Iterable[tuple[HostClock, int]]) -> Iterator[tuple[int, int, str]]:
    """Yield between which two readings (by number, from 0) the host slept or its clock was set.

    A reading comes with its moment, in ns of one clock. Each is held against one that is kept until
    there is something to tell, and follows no faster than a slew: so small steps add up.
    """
    kept: HostClock | None = None
    since = latest_ns = 0
    for number, (clock, at_ns) in enumerate(readings):
        if kept is None:
            kept, latest_ns = clock, at_ns
            continue
        slew_ns = int(SLEW * max(0, at_ns - latest_ns))
        latest_ns = max(latest_ns, at_ns)
        slept_ns = clock.asleep_ns - kept.asleep_ns
        step_ns = clock.epoch_ns - kept.epoch_ns - slept_ns
        slept_left_ns, step_left_ns = _beyond(slept_ns, slew_ns), _beyond(step_ns, slew_ns)
        found = []
        if abs(slept_left_ns) > TOLERANCE_NS:
            found.append(f"the host was suspended for {slept_ns / NS:.1f} s")
        if abs(step_left_ns) > TOLERANCE_NS:
            found.append(f"the host's clock was set by {step_ns / NS:+.3f} s")
        yield from ((since, number, what) for what in found)
        if found:
            kept, since = clock, number
        else:
            epoch_ns = clock.epoch_ns - slept_left_ns - step_left_ns
            kept = HostClock(epoch_ns, clock.asleep_ns - slept_left_ns)
            if max(abs(slept_left_ns), abs(step_left_ns)) < _STEADY_NS:
                since = number


def _beyond(ns: int, most_ns: int) -> int:
    """Return what is left of a difference once as much as `most_ns` of it is taken."""
    return ns - max(-most_ns, min(most_ns, ns))
