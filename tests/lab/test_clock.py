"""A lab's clock against this host's: measured with its uncertainty, converted in one place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.clock import NS, ClockOffset

MOMENTS = st.integers(min_value=0, max_value=4 * 10**18)


@given(MOMENTS, st.integers(0, NS), st.integers(0, NS), st.integers(-(10**18), 10**18))
def test_the_true_offset_lies_within_the_uncertainty(
    asked: int, there: int, back: int, behind: int
) -> None:
    read_at = asked + there
    offset = ClockOffset.measured(asked, read_at - behind, read_at + back)
    assert abs(offset.behind_ns - behind) <= offset.uncertainty_ns
    assert offset.uncertainty_ns <= (there + back) // 2 + 1


@given(st.lists(st.tuples(st.integers(-(10**18), 10**18), st.integers(0, NS)), min_size=1))
def test_one_offset_is_true_of_each_of_several(each: list[tuple[int, int]]) -> None:
    offsets = [ClockOffset(*one) for one in each]
    whole = ClockOffset.spanning(offsets)
    for one in offsets:
        for edge in (one.behind_ns - one.uncertainty_ns, one.behind_ns + one.uncertainty_ns):
            assert abs(edge - whole.behind_ns) <= whole.uncertainty_ns


def test_of_no_clocks_there_is_no_offset() -> None:
    with pytest.raises(ValueError, match="empty"):
        ClockOffset.spanning([])


@given(MOMENTS, st.integers(-(10**18), 10**18))
def test_there_and_back_is_the_same_moment(moment: int, behind: int) -> None:
    offset = ClockOffset(behind, 0)
    assert offset.in_lab(offset.on_host(moment)) == moment


def test_a_lab_that_is_behind_dates_earlier_than_the_host() -> None:
    offset = ClockOffset(4150 * NS, 0)
    assert offset.in_lab(5000 * NS) == 850 * NS
    assert offset.on_host(850 * NS) == 5000 * NS


@pytest.mark.parametrize(
    ("behind", "uncertain", "told"),
    [
        (4150 * NS, 0, "1 h 9 min 10.000 s behind, ±0.000 s"),
        (-NS // 2, NS // 100, "0.500 s ahead, ±0.010 s"),
        (365 * 86400 * NS + 61 * NS, NS, "365 d 1 min 1.000 s behind, ±1.000 s"),
    ],
)
def test_an_offset_is_told_in_words(behind: int, uncertain: int, told: str) -> None:
    assert str(ClockOffset(behind, uncertain)) == told
