"""The exact test of a fair draw, and the rates it states."""

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.protocols.round_robin import ALPHA_CLIENTS, ALPHA_QUERIES, fair_draw, power

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


@given(st.permutations([3, 1, 4]))
def test_the_order_of_outcomes_does_not_matter(counts: list[int]) -> None:
    assert fair_draw(counts, ALPHA_CLIENTS).p == fair_draw((1, 3, 4), ALPHA_CLIENTS).p


@pytest.mark.parametrize("counts", [(5,), (0, 0), (3, -1)])
def test_what_is_no_draw_is_refused(counts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="no counts of draws"):
        fair_draw(counts, ALPHA_CLIENTS)
