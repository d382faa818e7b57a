"""The exact test by which a figure is said to have moved, held against what is known of it."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from report.ranks import doubled_ranks, holm, least_p, p_value

samples = st.lists(st.integers(0, 5), min_size=1, max_size=5)


def by_hand(one: list[int], other: list[int]) -> Fraction:
    """Count every choice of ranks, one by one."""
    ranks = doubled_ranks([*one, *other])
    sums = [sum(choice) for choice in combinations(ranks, len(one))]
    middle = Fraction(sum(sums), len(sums))
    seen = sum(ranks[: len(one)])
    return Fraction(sum(abs(each - middle) >= abs(seen - middle) for each in sums), len(sums))


@given(samples, samples)
def test_it_is_the_share_of_all_choices_as_far_from_the_middle(
    one: list[int], other: list[int]
) -> None:
    assert p_value(one, other) == by_hand(one, other)


@given(samples, samples)
def test_it_does_not_matter_which_sample_comes_first(one: list[int], other: list[int]) -> None:
    assert p_value(one, other) == p_value(other, one)


@pytest.mark.parametrize(
    ("one", "other", "p"),
    [
        # the tables of Mann and Whitney: two-sided, U = 0 of 5 and 5, U = 2 of 5 and 5
        ([1, 2, 3, 4, 5], [6, 7, 8, 9, 10], Fraction(2, 252)),
        ([1, 2, 3, 4, 7], [5, 6, 8, 9, 10], Fraction(8, 252)),
        ([1], [2], Fraction(1)),
        ([3, 3, 3], [3, 3, 3], Fraction(1)),
    ],
)
def test_known_values(one: list[int], other: list[int], p: Fraction) -> None:
    assert p_value(one, other) == p


def test_equal_values_share_their_middle_rank() -> None:
    assert doubled_ranks([7, 5, 7, 1]) == [7, 4, 7, 2]


def test_three_and_three_can_tell_nothing() -> None:
    assert least_p(3, 3) == p_value([1, 2, 3], [4, 5, 6]) == Fraction(1, 10)
    assert least_p(1, 1) == 1


def test_twenty_and_twenty_are_counted() -> None:
    assert p_value(range(20), range(20, 40)) == least_p(20, 20)


@pytest.mark.parametrize(("one", "other"), [([], [1]), ([1], [])])
def test_an_empty_sample_is_refused(one: list[int], other: list[int]) -> None:
    with pytest.raises(ValueError, match="need a value"):
        p_value(one, other)


def test_several_p_values_are_adjusted_for_being_several() -> None:
    raw = [Fraction(1, 100), Fraction(1, 1000), Fraction(1, 2)]
    assert holm(raw) == [Fraction(2, 100), Fraction(3, 1000), Fraction(1, 2)]
    assert holm([Fraction(2, 5), Fraction(2, 5)]) == [Fraction(4, 5)] * 2
    assert holm([]) == []
