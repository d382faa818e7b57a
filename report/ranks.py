"""Did a figure move? The Wilcoxon-Mann-Whitney test, exact, also where values are equal.

Two samples are ranked together, equal values sharing their middle rank. Were both of one kind,
every choice of so many of the ranks for the first sample would be as likely as any other; the
p-value is the share of choices whose sum is at least as far from the middle as the one seen
(two-sided). All choices are counted, in integers, so nothing is drawn and nothing is approximate.

It tells whether one of two samples tends to be larger; it knows nothing of how much that matters.
With few values nothing can be told: of 3 and 3 the least p is 0.1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

NAME = "Wilcoxon-Mann-Whitney, exact, two-sided"


def p_value(one: Sequence[float], other: Sequence[float]) -> Fraction:
    """Return the p-value of two samples; raise ValueError when one is empty."""
    if not one or not other:
        raise ValueError("both samples need a value")
    ranks = doubled_ranks([*one, *other])
    seen = sum(ranks[: len(one)])
    ways = _ways(ranks, len(one))
    middle = Fraction(len(one) * sum(ranks), len(ranks))
    far = abs(seen - middle)
    as_far = sum(count for total, count in ways.items() if abs(total - middle) >= far)
    return Fraction(as_far, math.comb(len(ranks), len(one)))


def least_p(one: int, other: int) -> Fraction:
    """Return the least p-value that so many different values can have."""
    return min(Fraction(1), Fraction(2, math.comb(one + other, one)))


def doubled_ranks(values: Sequence[float]) -> list[int]:
    """Return twice the rank of each value, so that a middle rank is whole, too."""
    ordered = sorted(values)
    first: dict[float, int] = {}
    count: dict[float, int] = {}
    for rank, value in enumerate(ordered, start=1):
        first.setdefault(value, rank)
        count[value] = count.get(value, 0) + 1
    return [2 * first[value] + count[value] - 1 for value in values]


def _ways(ranks: Sequence[int], chosen: int) -> dict[int, int]:
    """Count the choices of `chosen` of the ranks by their sum."""
    ways: list[dict[int, int]] = [{0: 1}, *({} for _ in range(chosen))]
    for rank in ranks:
        for size in range(chosen, 0, -1):
            into = ways[size]
            for total, count in ways[size - 1].items():
                into[total + rank] = into.get(total + rank, 0) + count
    return ways[chosen]


def holm(p_values: Sequence[Fraction]) -> list[Fraction]:
    """Adjust several p-values for being several (Holm): each then holds for all of them."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = [Fraction(1)] * len(p_values)
    highest = Fraction(0)
    for place, index in enumerate(order):
        highest = max(highest, min(Fraction(1), p_values[index] * (len(p_values) - place)))
        adjusted[index] = highest
    return adjusted
