"""Is this a fair draw? Exact tests, in integers, of who came first: how often, and in what order.

Under the hypothesis "each draw is fair and independent" both have exact probabilities.

How often (`fair_draw`, `fair_draws`): every vector of counts has a multinomial probability. The
p-value is that of all vectors at most as probable as the one seen (the two-sided exact test).
Several groups of draws together are one vector of all their counts.

In what order (`turns`): a draw differs from the one before with probability (k - 1) / k for k
outcomes, whatever came before, so the number of changes is binomial. The p-value is that of at most
as many changes as seen: one-sided, because an order that is kept for long is what must be noticed.

False alarms: each test rejects a fair draw with probability at most `alpha`, however many draws:

- ALPHA_QUERIES = 1e-6, for at least 200 DNS queries. A fixed order (200:0) has p = 1e-60, and 100
  times one, then 100 times the other p = 2.5e-58. An address that comes first with probability
  0.75, or an order that is kept with probability 0.75 from one answer to the next, is noticed with
  probability 0.99 (the power).
- ALPHA_CLIENTS = 1e-4, for at least 16 clients. The smallest p of 16 is 3.05e-5 (16:0): only "one
  node takes all" is rejected, always; 15:1 (p = 5.2e-4) passes. A node that takes 9 of 10 is
  noticed with probability 0.19 only; `power` says how many clients would do better.

A check that makes n tests gives a false alarm with probability at most n times `alpha`.

What they do not do: a strictly alternating answer is "more even than fair" and passes, as it
should: the promise is that load spreads, not that it is random.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise, product

ALPHA_QUERIES = Fraction(1, 1_000_000)
ALPHA_CLIENTS = Fraction(1, 10_000)
LEAST_QUERIES = 200
LEAST_CLIENTS = 16


@dataclass(frozen=True)
class Outcome:
    """The outcome of a test: `seen` in words, and the exact p-value of it."""

    seen: str
    p: Fraction
    alpha: Fraction

    @property
    def fair(self) -> bool:
        """Whether what was seen is compatible with a fair draw."""
        return self.p >= self.alpha

    def __str__(self) -> str:
        return f"{self.seen} (p = {float(self.p):.2g}, false-alarm rate {float(self.alpha):.0e})"


def fair_draw(counts: Sequence[int], alpha: Fraction) -> Outcome:
    """Test `counts`, one a possible outcome (0 for one that never came).

    Raises ValueError for fewer than two outcomes, a negative count, or no draw at all.
    """
    return fair_draws([counts], alpha)


def fair_draws(groups: Sequence[Sequence[int]], alpha: Fraction) -> Outcome:
    """Test the counts of several groups of draws together; raises ValueError as `fair_draw`."""
    for counts in groups:
        if len(counts) < 2 or min(counts) < 0 or sum(counts) == 0:
            raise ValueError(f"counts must be two or more, none below 0, not all 0: {list(counts)}")
    seen = math.prod(map(_ways, groups))
    each = [[_ways(vector) for vector in _vectors(sum(one), len(one))] for one in groups]
    as_extreme = sum(ways for choice in product(*each) if (ways := math.prod(choice)) <= seen)
    total = math.prod(len(one) ** sum(one) for one in groups)
    split = " and ".join(":".join(map(str, counts)) for counts in groups)
    return Outcome(split, Fraction(as_extreme, total), alpha)


def turns(draws: Sequence[Hashable], outcomes: int, alpha: Fraction) -> Outcome:
    """Test how often a draw differs from the one before, of `outcomes` that are possible.

    Raises ValueError for fewer than two draws or outcomes.
    """
    if len(draws) < 2 or outcomes < 2:
        raise ValueError(f"{len(draws)} draws among {outcomes} have no order to test")
    chances = len(draws) - 1
    changes = sum(before != after for before, after in pairwise(draws))
    as_extreme = sum(math.comb(chances, few) * (outcomes - 1) ** few for few in range(changes + 1))
    seen = f"{changes} changes in {len(draws)}"
    return Outcome(seen, Fraction(as_extreme, outcomes**chances), alpha)


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
