"""Is this a fair draw? An exact test, in integers, of how often each of several came first.

Under the hypothesis "each draw is fair and independent", every vector of counts has an exact
multinomial probability. The p-value is the probability of all vectors at most as probable as the
one seen (the two-sided exact test); below `alpha` the draw is rejected.

False alarms: a fair draw is rejected with probability at most `alpha`, however many draws:

- ALPHA_QUERIES = 1e-6, for at least 200 DNS queries. A fixed order (200:0) has p = 1e-60. An
  address that comes first with probability 0.75 is noticed with probability 0.99 (the power).
- ALPHA_CLIENTS = 1e-4, for at least 16 clients. The smallest p of 16 is 3.05e-5 (16:0): only "one
  node takes all" is rejected, always; 15:1 (p = 5.2e-4) passes. A node that takes 9 of 10 is
  noticed with probability 0.19 only; `power` says how many clients would do better.

What it does not do: a strictly alternating answer is "more even than fair" and passes, as it
should: the promise is that load spreads, not that it is random.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

ALPHA_QUERIES = Fraction(1, 1_000_000)
ALPHA_CLIENTS = Fraction(1, 10_000)
LEAST_QUERIES = 200
LEAST_CLIENTS = 16


@dataclass(frozen=True)
class FairDraw:
    """The outcome of the test: `p` is the exact two-sided p-value of `counts`."""

    counts: tuple[int, ...]
    p: Fraction
    alpha: Fraction

    @property
    def fair(self) -> bool:
        """Whether the counts are compatible with a fair draw."""
        return self.p >= self.alpha

    def __str__(self) -> str:
        split = ":".join(map(str, self.counts))
        return f"{split} (p = {float(self.p):.2g}, false-alarm rate {float(self.alpha):.0e})"


def fair_draw(counts: Sequence[int], alpha: Fraction) -> FairDraw:
    """Test `counts`, one a possible outcome (0 for one that never came).

    Raises ValueError for fewer than two outcomes, a negative count, or no draw at all.
    """
    if len(counts) < 2 or min(counts) < 0 or sum(counts) == 0:
        raise ValueError(f"{list(counts)} are no counts of draws among two or more")
    total = sum(counts)
    seen = _ways(counts)
    as_extreme = sum(
        ways for vector in _vectors(total, len(counts)) if (ways := _ways(vector)) <= seen
    )
    return FairDraw(tuple(counts), Fraction(as_extreme, len(counts) ** total), alpha)


def power(draws: int, bias: Fraction, alpha: Fraction) -> Fraction:
    """Return the probability that two outcomes, one of probability `bias`, are rejected."""
    rejected = (
        first for first in range(draws + 1) if not fair_draw((first, draws - first), alpha).fair
    )
    return sum(
        (
            math.comb(draws, first) * bias**first * (1 - bias) ** (draws - first)
            for first in rejected
        ),
        start=Fraction(0),
    )


def _ways(counts: Sequence[int]) -> int:
    """In how many orders the draws can come out as `counts` (multinomial coefficient)."""
    ways, left = 1, sum(counts)
    for count in counts:
        ways *= math.comb(left, count)
        left -= count
    return ways


def _vectors(total: int, outcomes: int) -> Iterator[tuple[int, ...]]:
    """Yield every vector of `outcomes` counts that sums to `total`."""
    if outcomes == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in _vectors(total - first, outcomes - 1):
            yield (first, *rest)
