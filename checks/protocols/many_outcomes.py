"""Whether groups of draws are fair together, where they have too many outcomes to count them all.

`round_robin.fair_draws` looks at every vector of counts. With twelve outcomes, or with hundreds of
draws, that are millions. Then two tests take its place, both exact, in integers:

Each outcome for itself, over all groups: its counts are binomial in each, 1 in k, and independent.
The p-value is that of all counts at most as probable as those seen, of the outcome for which it is
smallest, times k (Bonferroni).

How many outcomes never came, group by group, all in all. The p-value is that of at least as many:
groups that each chose some outcomes, and others than the other groups, leave many out.

The p-value of both is twice the smaller one (Bonferroni), so that a fair draw is rejected with
probability at most `alpha` here, too. An outcome that is preferred by one group and avoided by
another, all others being fair, is noticed as in `fair_draws`; slight preferences that only together
are too many are not.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate, product

MOST_VECTORS = 50_000
"""Of one group; so many are looked at in a second."""


def are_too_many(groups: Sequence[Sequence[int]]) -> bool:
    """Whether a group has more vectors of counts than can be looked at, by their falling order."""
    return any(_vectors(sum(counts), len(counts)) > MOST_VECTORS for counts in groups)


def _vectors(total: int, outcomes: int) -> int:
    """In how many ways a number is a sum of so many numbers, in falling order: by recurrence."""
    ways = [1] + [0] * total
    for part in range(1, min(outcomes, total) + 1):
        for number in range(part, total + 1):
            ways[number] += ways[number - part]
    return ways[total]


def p_together(groups: Sequence[Sequence[int]]) -> Fraction:
    """Return the p-value of both tests."""
    return min(Fraction(1), 2 * min(_p_of_an_outcome(groups), _p_of_none(groups)))


def _p_of_an_outcome(groups: Sequence[Sequence[int]]) -> Fraction:
    outcomes, total = len(groups[0]), sum(map(sum, groups))
    ways = [_ways(sum(counts), outcomes) for counts in groups]
    seen = min(
        math.prod(own[count] for own, count in zip(ways, counts, strict=True))
        for counts in zip(*groups, strict=True)
    )
    return min(Fraction(1), Fraction(outcomes * _at_most(ways, seen), outcomes**total))


def _ways(draws: int, outcomes: int) -> list[int]:
    """In how many orders one of the outcomes comes no time, once, twice..."""
    return [math.comb(draws, few) * (outcomes - 1) ** (draws - few) for few in range(draws + 1)]


def _at_most(ways: Sequence[Sequence[int]], seen: int) -> int:
    """Add up the products of one of each, as far as they are at most what was seen."""
    *others, last = ways
    rising = sorted(last)
    up_to = [0, *accumulate(rising)]
    before = map(math.prod, product(*others))
    return sum(each * up_to[bisect_right(rising, seen // each)] for each in before)


def _p_of_none(groups: Sequence[Sequence[int]]) -> Fraction:
    seen = sum(count == 0 for counts in groups for count in counts)
    together = [1]
    for counts in groups:
        own = _ways_without(sum(counts), len(counts))
        longer = [0] * (len(together) + len(own) - 1)
        for (one, ways), (other, others) in product(enumerate(together), enumerate(own)):
            longer[one + other] += ways * others
        together = longer
    return Fraction(sum(together[seen:]), math.prod(len(x) ** sum(x) for x in groups))


def _ways_without(draws: int, outcomes: int) -> list[int]:
    """In how many orders the draws can come out with none, one, two... outcomes that never came."""
    return [
        math.comb(outcomes, none) * _onto(draws, outcomes - none) for none in range(outcomes + 1)
    ]


def _onto(draws: int, outcomes: int) -> int:
    """In how many orders each of the outcomes comes at least once (inclusion and exclusion)."""
    return sum(
        (-1) ** left * math.comb(outcomes, left) * (outcomes - left) ** draws
        for left in range(outcomes + 1)
    )
