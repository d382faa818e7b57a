"""Is this a fair draw? Exact tests, in integers, of who came first: how often, and in what order.

Under the hypothesis "each draw is fair and independent" both have exact probabilities.

How often, each for itself (`fair_draw`): the count of one of k outcomes is binomial, 1 in k. The
p-value is that of all counts at most as probable as the one seen (the two-sided exact test), of the
outcome for which it is smallest, times k (Bonferroni); for k = 2, whose counts are one, once.

How often, together (`fair_draws`): every vector of counts has a multinomial probability, and
several groups of draws are one vector of all their counts. The p-value is that of all vectors at
most as probable as the one seen. Where there are too many to look at, `many_outcomes` is asked.

In what order (`turns`): a draw differs from the one before with probability (k - 1) / k for k
outcomes, whatever came before, so the number of changes is binomial. The p-value is that of at most
as many changes as seen: one-sided, because an order that is kept for long is what must be noticed.

How long on end (`longest_run`): in how many orders no outcome comes so often on end follows from
shorter ones, by a recurrence. The p-value is that of a run at least as long, one-sided too: what
alternates too well at first must not make up for an order that is kept later.

False alarms: each test rejects a fair draw with probability at most `alpha`, however many draws:

- ALPHA_QUERIES = 1e-6, for at least 200 DNS queries. A fixed order (200:0) has p = 1e-60, and 100
  times one, then 100 times the other p = 2.5e-58. An address that comes first with probability
  0.75, or an order that is kept with probability 0.75 from one answer to the next, is noticed with
  probability 0.99 (the power). Of 200 answers, 28 on end are rejected, and 27 pass.
- ALPHA_CLIENTS = 1e-4, for at least 16 clients of two nodes. The smallest p of 16 is 3.05e-5
  (16:0): only "one node takes all" is rejected, always; 15:1 (p = 5.2e-4) passes. A node that takes
  9 of 10 is noticed with probability 0.19 only; `power` says how many clients would do better. With
  more nodes it takes `least_clients` for one that got none to be noticed, always.

A check that makes n tests gives a false alarm with probability at most n times `alpha`.

What they do not do: a strictly alternating answer is "more even than fair" and passes, as it
should: the promise is that load spreads, not that it is random.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, groupby, pairwise, product

from checks.protocols.many_outcomes import are_too_many, p_together

ALPHA_QUERIES = Fraction(1, 1_000_000)
ALPHA_CLIENTS = Fraction(1, 10_000)
LEAST_QUERIES = 200
_LEAST_OF_TWO, _EACH_FURTHER = 16, 15


def least_clients(nodes: int) -> int:
    """Return the fewest clients that show a fair spread over so many nodes.

    So many that a node that got none is noticed, up to 64 nodes: rejected with ALPHA_CLIENTS.
    """
    return _LEAST_OF_TWO + _EACH_FURTHER * max(0, nodes - 2)


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
    """Test each of `counts`, one a possible outcome (0 for one that never came), for itself.

    Raises ValueError for fewer than two outcomes, a negative count, or no draw at all.
    """
    _check(counts)
    draws, outcomes = sum(counts), len(counts)
    ways = [math.comb(draws, few) * (outcomes - 1) ** (draws - few) for few in range(draws + 1)]
    least = min(sum(one for one in ways if one <= ways[count]) for count in set(counts))
    tests = outcomes if outcomes > 2 else 1
    p = min(Fraction(1), Fraction(tests * least, outcomes**draws))
    return Outcome(":".join(map(str, counts)), p, alpha)


def fair_draws(groups: Sequence[Sequence[int]], alpha: Fraction) -> Outcome:
    """Test the counts of several groups of draws together; raises ValueError as `fair_draw`."""
    for counts in groups:
        _check(counts)
    split = " and ".join(":".join(map(str, counts)) for counts in groups)
    if are_too_many(groups):
        return Outcome(split, p_together(groups), alpha)
    seen = math.prod(map(_ways, groups))
    *others, last = (_vectors_by_ways(sum(one), len(one)) for one in groups)
    before = Counter({1: 1})
    for one in others:
        before = _together(before, one)
    rising = sorted(last)
    up_to = [0, *accumulate(ways * last[ways] for ways in rising)]
    as_extreme = sum(
        ways * vectors * up_to[bisect_right(rising, seen // ways)]
        for ways, vectors in before.items()
    )
    total = math.prod(len(one) ** sum(one) for one in groups)
    return Outcome(split, Fraction(as_extreme, total), alpha)


def _check(counts: Sequence[int]) -> None:
    if len(counts) < 2 or min(counts) < 0 or sum(counts) == 0:
        raise ValueError(f"counts must be two or more, none below 0, not all 0: {list(counts)}")


def turns(draws: Sequence[Hashable], outcomes: int, alpha: Fraction) -> Outcome:
    """Test how often a draw differs from the one before, of `outcomes` that are possible.

    Raises ValueError for fewer than two draws or outcomes.
    """
    _check_order(draws, outcomes)
    chances = len(draws) - 1
    changes = sum(before != after for before, after in pairwise(draws))
    as_extreme = sum(math.comb(chances, few) * (outcomes - 1) ** few for few in range(changes + 1))
    seen = f"{changes} changes in {len(draws)}"
    return Outcome(seen, Fraction(as_extreme, outcomes**chances), alpha)


def longest_run(draws: Sequence[Hashable], outcomes: int, alpha: Fraction) -> Outcome:
    """Test how often on end one of `outcomes` was drawn at the most; raises as `turns`."""
    _check_order(draws, outcomes)
    longest = max(len([*run]) for _, run in groupby(draws))
    shorter = Fraction(_ways_without(longest, len(draws), outcomes), outcomes ** len(draws))
    return Outcome(f"one {longest} times on end in {len(draws)}", 1 - shorter, alpha)


def _check_order(draws: Sequence[Hashable], outcomes: int) -> None:
    if len(draws) < 2 or outcomes < 2:
        raise ValueError(f"{len(draws)} draws among {outcomes} have no order to test")


def _ways_without(run: int, draws: int, outcomes: int) -> int:
    """In how many orders the draws can come out without a run as long as `run`.

    By recurrence: the last run of an order is shorter, and is all of it or has an order of fewer
    draws before it, which ends with another outcome.
    """
    up_to = [0]  # the ways of 1 draw, 2 draws and so on, summed up
    for number in range(1, draws + 1):
        alone = outcomes if number < run else 0
        before = up_to[number - 1] - up_to[max(0, number - run)]
        up_to.append(up_to[-1] + alone + (outcomes - 1) * before)
    return up_to[-1] - up_to[-2]


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


def _together(one: Counter[int], other: Counter[int]) -> Counter[int]:
    """Count the pairs of two groups' vectors by the ways each pair comes out."""
    found = Counter[int]()
    for (ways, number), (others, vectors) in product(one.items(), other.items()):
        found[ways * others] += number * vectors
    return found


def _vectors_by_ways(total: int, outcomes: int) -> Counter[int]:
    """Count the vectors of `outcomes` counts that sum to `total` by the ways each comes out.

    In whichever order its counts stand, a vector has as many ways: one of each is looked at.
    """
    found = Counter[int]()
    for vector in _falling(total, outcomes, total):
        orders = _ways(tuple(Counter(vector).values()))
        found[_ways(vector)] += orders
    return found


def _falling(total: int, outcomes: int, most: int) -> Iterator[tuple[int, ...]]:
    """Yield every vector of counts that sums to `total`, none above `most` or the one before it."""
    if outcomes == 1:
        yield (total,)
        return
    for first in range(min(total, most), (total - 1) // outcomes, -1):
        for rest in _falling(total - first, outcomes - 1, first):
            yield (first, *rest)
