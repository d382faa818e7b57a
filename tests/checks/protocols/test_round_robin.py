"""The exact test of a fair draw, and the rates it states."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import groupby, pairwise, product
from math import comb, factorial, prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.protocols.round_robin import (
    ALPHA_CLIENTS,
    ALPHA_QUERIES,
    fair_draw,
    fair_draws,
    least_clients,
    longest_run,
    power,
    turns,
)

HALF = Fraction(1, 2)


def test_sixteen_clients_on_one_node_are_rejected() -> None:
    assert fair_draw((16, 0), ALPHA_CLIENTS).p == Fraction(2, 2**16)
    assert not fair_draw((16, 0), ALPHA_CLIENTS).fair


def test_fifteen_to_one_still_passes() -> None:
    assert fair_draw((15, 1), ALPHA_CLIENTS).p == Fraction(2 * 17, 2**16)
    assert fair_draw((15, 1), ALPHA_CLIENTS).fair


def test_a_fixed_order_of_200_answers_is_rejected_and_an_alternating_one_passes() -> None:
    assert not fair_draw((200, 0), ALPHA_QUERIES).fair
    assert fair_draw((100, 100), ALPHA_QUERIES).p == 1


@pytest.mark.parametrize(("draws", "alpha"), [(16, ALPHA_CLIENTS), (200, ALPHA_QUERIES)])
def test_a_fair_draw_is_rejected_no_more_often_than_stated(draws: int, alpha: Fraction) -> None:
    assert power(draws, HALF, alpha) <= alpha


def test_the_stated_power_is_right() -> None:
    assert round(float(power(200, Fraction(3, 4), ALPHA_QUERIES)), 2) == 0.99
    assert round(float(power(16, Fraction(9, 10), ALPHA_CLIENTS)), 2) == 0.19
    assert power(16, Fraction(1), ALPHA_CLIENTS) == 1


@given(st.integers(min_value=0, max_value=30), st.integers(min_value=1, max_value=30))
def test_for_two_outcomes_it_is_the_binomial_test(first: int, second: int) -> None:
    total = first + second
    seen = comb(total, first)
    tail = sum(comb(total, k) for k in range(total + 1) if comb(total, k) <= seen)
    assert fair_draw((first, second), ALPHA_CLIENTS).p == Fraction(tail, 2**total)


def multinomial(counts: Sequence[int]) -> int:
    return factorial(sum(counts)) // prod(map(factorial, counts))


def test_of_three_outcomes_each_is_tested_for_itself_and_the_least_p_counts_thrice() -> None:
    def binomial(count: int) -> Fraction:
        ways = [comb(12, n) * 2 ** (12 - n) for n in range(13)]
        return Fraction(sum(way for way in ways if way <= ways[count]), 3**12)

    assert fair_draw((0, 4, 8), ALPHA_CLIENTS).p == 3 * min(map(binomial, (0, 4, 8)))
    assert fair_draw((4, 4, 4), ALPHA_CLIENTS).p == 1


@pytest.mark.parametrize(("draws", "alpha"), [(8, Fraction(1, 20)), (11, Fraction(1, 100))])
def test_three_that_are_fair_are_rejected_no_more_often_than_stated(
    draws: int, alpha: Fraction
) -> None:
    every = [(a, b, draws - a - b) for a in range(draws + 1) for b in range(draws + 1 - a)]
    rejected = sum(multinomial(one) for one in every if not fair_draw(one, alpha).fair)
    assert 0 < Fraction(rejected, 3**draws) <= alpha


@pytest.mark.parametrize("groups", [[(3, 1, 0)], [(3, 1, 0), (0, 2, 3)], [(2, 2), (1, 3), (4, 0)]])
def test_groups_together_are_the_multinomial_test_by_counting_all(groups) -> None:
    def every(total: int, outcomes: int) -> Iterator[tuple[int, ...]]:
        return (v for v in product(range(total + 1), repeat=outcomes) if sum(v) == total)

    seen = prod(map(multinomial, groups))
    choices = product(*(list(every(sum(one), len(one))) for one in groups))
    as_extreme = sum(ways for one in choices if (ways := prod(map(multinomial, one))) <= seen)
    total = prod(len(one) ** sum(one) for one in groups)
    assert fair_draws(groups, ALPHA_CLIENTS).p == Fraction(as_extreme, total)


@pytest.mark.parametrize("nodes", range(2, 65))
def test_a_node_that_got_none_of_the_fewest_clients_is_noticed(nodes: int) -> None:
    rest, more = divmod(least_clients(nodes), nodes - 1)
    counts = [rest + (number < more) for number in range(nodes - 1)]
    assert not fair_draw([*counts, 0], ALPHA_CLIENTS).fair


@given(st.permutations([3, 1, 4]))
def test_the_order_of_outcomes_does_not_matter(counts: list[int]) -> None:
    assert fair_draw(counts, ALPHA_CLIENTS).p == fair_draw((1, 3, 4), ALPHA_CLIENTS).p


@pytest.mark.parametrize("counts", [(5,), (0, 0), (3, -1)])
def test_what_is_no_draw_is_refused(counts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="counts must be two or more"):
        fair_draw(counts, ALPHA_CLIENTS)


def test_an_order_that_is_kept_for_100_draws_is_rejected_and_a_changing_one_passes() -> None:
    assert turns("a" * 100 + "b" * 100, 2, ALPHA_QUERIES).p == Fraction(200, 2**199)
    assert not turns("a" * 100 + "b" * 100, 2, ALPHA_QUERIES).fair
    assert turns("ab" * 100, 2, ALPHA_QUERIES).p == 1


@pytest.mark.parametrize(("draws", "outcomes"), [(6, 2), (5, 3)])
def test_the_order_of_fair_draws_has_the_stated_probability(draws: int, outcomes: int) -> None:
    every = list(product(range(outcomes), repeat=draws))
    changes = [sum(before != after for before, after in pairwise(one)) for one in every]
    for one, seen in zip(every, changes, strict=True):
        at_most = sum(few <= seen for few in changes)
        assert turns(one, outcomes, ALPHA_QUERIES).p == Fraction(at_most, len(every))


def test_the_stated_power_against_an_order_that_is_kept_is_right() -> None:
    kept, chances = Fraction(3, 4), 199
    rejected = [
        few
        for few in range(chances + 1)
        if not turns("a" * (200 - few) + "ba" * (few // 2) + "b" * (few % 2), 2, ALPHA_QUERIES).fair
    ]
    noticed = sum(comb(chances, n) * (1 - kept) ** n * kept ** (chances - n) for n in rejected)
    assert round(float(noticed), 2) == 0.99


@pytest.mark.parametrize(("draws", "outcomes"), [(6, 2), (5, 3)])
def test_the_longest_run_of_fair_draws_has_the_stated_probability(
    draws: int, outcomes: int
) -> None:
    every = list(product(range(outcomes), repeat=draws))
    longest = [max(len([*run]) for _, run in groupby(one)) for one in every]
    for one, seen in zip(every, longest, strict=True):
        at_least = sum(long >= seen for long in longest)
        assert longest_run(one, outcomes, ALPHA_QUERIES).p == Fraction(at_least, len(every))


@pytest.mark.parametrize(("longest", "fair"), [(27, True), (28, False), (50, False)])
def test_an_order_that_is_kept_at_last_is_rejected_however_it_changed_before(
    longest: int, fair: bool
) -> None:
    draws = ("ab" * 100)[: 200 - longest] + "c" * longest
    assert longest_run(draws, 2, ALPHA_QUERIES).fair is fair
    assert turns(draws, 2, ALPHA_QUERIES).fair


def test_two_groups_that_each_chose_another_are_rejected_though_neither_could_be() -> None:
    assert fair_draw((8, 0), ALPHA_CLIENTS).fair
    assert fair_draw((8, 8), ALPHA_CLIENTS).fair
    assert fair_draws([(8, 0), (0, 8)], ALPHA_CLIENTS).p == Fraction(4, 2**16)
    assert not fair_draws([(8, 0), (0, 8)], ALPHA_CLIENTS).fair


def test_one_group_is_tested_as_it_is_alone_and_order_of_groups_does_not_matter() -> None:
    assert fair_draws([(9, 3)], ALPHA_CLIENTS) == fair_draw((9, 3), ALPHA_CLIENTS)
    one, other = (fair_draws(x, ALPHA_CLIENTS).p for x in ([(9, 3), (2, 6)], [(2, 6), (9, 3)]))
    assert one == other


@pytest.mark.parametrize(("draws", "outcomes"), [("a", 2), ("aab", 1)])
@pytest.mark.parametrize("test", [turns, longest_run])
def test_what_has_no_order_is_refused(
    test: Callable[..., object], draws: str, outcomes: int
) -> None:
    with pytest.raises(ValueError, match="no order to test"):
        test(draws, outcomes, ALPHA_QUERIES)
