"""Groups of draws that are too many to be counted out are tested all the same, and exactly."""

from collections import Counter
from fractions import Fraction
from itertools import product

import pytest

from checks.protocols.many_outcomes import MOST_VECTORS, are_too_many, p_together
from checks.protocols.round_robin import ALPHA_CLIENTS, fair_draw, fair_draws, least_clients

Counts = tuple[int, ...]


def halves(nodes: int) -> tuple[list[int], list[int]]:
    """Return the fewest clients over both families, each spread evenly over all nodes."""
    each = divmod(least_clients(nodes) // 2, nodes)
    counts = [each[0] + (number < each[1]) for number in range(nodes)]
    return counts, counts[::-1]


def vectors(draws: int, outcomes: int) -> Counter[Counts]:
    """Count the orders that each vector of counts comes about by."""
    every = product(range(outcomes), repeat=draws)
    return Counter(tuple(one.count(each) for each in range(outcomes)) for one in every)


@pytest.mark.parametrize(("draws", "outcomes"), [((4, 3), 3), ((5, 2), 2), ((3, 3), 4)])
def test_a_fair_draw_is_rejected_no_more_often_than_stated(
    draws: tuple[int, int], outcomes: int
) -> None:
    one, other = (vectors(of, outcomes) for of in draws)
    found = Counter[Fraction]()
    for (counts, ways), (others, other_ways) in product(one.items(), other.items()):
        found[p_together([counts, others])] += ways * other_ways
    total = outcomes ** sum(draws)
    for alpha in found:
        assert Fraction(sum(found[p] for p in found if p <= alpha), total) <= alpha


@pytest.mark.parametrize("nodes", [12, 16, 64])
def test_any_number_of_nodes_is_judged(nodes: int) -> None:
    assert are_too_many(halves(nodes))
    assert fair_draws(halves(nodes), ALPHA_CLIENTS).fair


@pytest.mark.parametrize("nodes", [12, 16, 64])
def test_families_that_each_chose_other_nodes_are_rejected(nodes: int) -> None:
    of = least_clients(nodes) // 2
    each, more = divmod(of, nodes // 2)
    chosen, none = [each + (n < more) for n in range(nodes // 2)], [0] * (nodes // 2)
    assert not fair_draws([[*chosen, *none], [*none, *chosen]], ALPHA_CLIENTS).fair


def test_a_node_that_one_family_prefers_and_the_other_avoids_is_rejected() -> None:
    one, other = [16, *[4] * 11], [0, *[6] * 11]
    both = [sum(pair) for pair in zip(one, other, strict=True)]
    assert all(fair_draw(counts, ALPHA_CLIENTS).fair for counts in (one, other, both))
    assert are_too_many([one, other])
    assert not fair_draws([one, other], ALPHA_CLIENTS).fair


@pytest.mark.parametrize(
    ("groups", "p"),
    [
        ([[2, 0], [2, 0]], Fraction(2 * 2, 2**4)),  # none of an outcome twice: 4 of 16, twice
        ([[1, 1], [1, 1]], Fraction(1)),
    ],
)
def test_the_p_value_is_that_of_counting(groups: list[list[int]], p: Fraction) -> None:
    assert p_together(groups) == min(Fraction(1), 2 * p)


def test_many_draws_are_too_many_as_well() -> None:
    assert not are_too_many([[1000, 1000]])
    assert are_too_many([[100] * 8])
    assert fair_draws([[100] * 8, [100] * 8], ALPHA_CLIENTS).fair


def test_what_can_be_counted_out_is() -> None:
    assert not are_too_many(halves(7))
    assert not are_too_many(halves(8))
    assert are_too_many(halves(9))
    assert MOST_VECTORS == 50_000
