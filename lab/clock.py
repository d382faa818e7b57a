"""How far a lab's clock is behind this host's, and the one place where times of both are converted.

A thawed lab goes on at the moment it was frozen at, its clock included: nothing in a guest notices.
So a lab has a time of its own. What a guest dates (logs, captures, its connection log, tokens) is
brought to the host's time here, and what the host dates for a guest to compare to the lab's.
Both are wall time in nanoseconds since 1970; the host's is the wire's, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

NS = 1_000_000_000


@dataclass(frozen=True)
class ClockOffset:
    """Host minus guest: `behind_ns` is how far the guest's clock is behind the host's.

    The true offset was within `uncertainty_ns` of it when it was measured. An emulated guest's
    clock drifts by some 100 ppm, so measure anew what has to be exact.
    """

    behind_ns: int
    uncertainty_ns: int

    @classmethod
    def measured(cls, asked_ns: int, said_ns: int, answered_ns: int) -> Self:
        """Return the offset by one question: the guest said `said_ns` somewhere between the two."""
        half = (answered_ns - asked_ns + 1) // 2
        return cls(asked_ns + half - said_ns, half)

    @classmethod
    def spanning(cls, offsets: Iterable[ClockOffset]) -> Self:
        """Return one offset that is true of each of several guests; ValueError without any."""
        each = list(offsets)
        low = min(one.behind_ns - one.uncertainty_ns for one in each)
        high = max(one.behind_ns + one.uncertainty_ns for one in each)
        half = (high - low + 1) // 2
        return cls(low + half, half)

    def on_host(self, guest_ns: int) -> int:
        """Return the host's time of a moment that the guest has dated."""
        return guest_ns + self.behind_ns

    def in_lab(self, host_ns: int) -> int:
        """Return the guest's time of a moment that this host has dated."""
        return host_ns - self.behind_ns

    @property
    def behind_s(self) -> float:
        """The offset in seconds."""
        return self.behind_ns / NS

    def __str__(self) -> str:
        """Say it in a table's cell: "1 h 9 min 10.123 s behind, ±0.004 s"."""
        direction = "behind" if self.behind_ns >= 0 else "ahead"
        minutes, seconds = divmod(abs(self.behind_ns) / NS, 60)
        hours, minutes = divmod(int(minutes), 60)
        days, hours = divmod(hours, 24)
        parts = [f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if n]
        span = " ".join([*parts, f"{seconds:.3f} s"])
        return f"{span} {direction}, ±{self.uncertainty_ns / NS:.3f} s"
