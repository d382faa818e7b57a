"""The spread of repeated measurements: a failover timed once is an anecdote."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Count, minimum, median, 95th percentile (nearest rank) and maximum, in one unit."""

    n: int
    minimum: float
    median: float
    p95: float
    maximum: float

    def __str__(self) -> str:
        return (
            f"n={self.n} min={self.minimum:.3f} median={self.median:.3f} "
            f"p95={self.p95:.3f} max={self.maximum:.3f}"
        )


def spread(values: Iterable[float]) -> Spread | None:
    """Compute the spread of `values`; None when there are none."""
    ordered = sorted(values)
    if not ordered:
        return None
    rank = math.ceil(0.95 * len(ordered)) - 1
    return Spread(len(ordered), ordered[0], statistics.median(ordered), ordered[rank], ordered[-1])
