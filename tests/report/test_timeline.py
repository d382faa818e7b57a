"""Where things stand in a drawing: nothing outside of it, in the order of time, on its own lane."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.moment import NS, Window
from report.busy import Shade
from report.drawn import Bar, Mark
from report.timeline import LABEL, WIDTH, Timeline, timeline

moments = st.integers(0, 2**62)


def drawing(window: Window, *at_ns: int, zero_ns: int = 0) -> Timeline:
    marks = [Mark(one, "a", "advert", "", "wire/lab.pcapng", 7) for one in at_ns]
    bars = [Bar("b", one, one, "holds", "") for one in at_ns]
    shades = [Shade(min(at_ns, default=0), max(at_ns, default=0), "fault", "")]
    return timeline("t", window, zero_ns, ("a", "b"), marks, bars, shades, "words")


@given(moments, moments, st.lists(moments, max_size=5))
def test_nothing_is_drawn_outside(one: int, other: int, at_ns: list[int]) -> None:
    made = drawing(Window(min(one, other), max(one, other)), *at_ns)
    boxes = [*made.bars, *made.shades]
    for left in (*(box.x for box in boxes), *(point.x for point in made.points)):
        assert LABEL <= left <= WIDTH
    for box in boxes:
        assert box.x + box.width <= WIDTH
        assert box.y + box.height <= made.bottom


def test_marks_stand_in_the_order_of_time_on_their_lane() -> None:
    made = drawing(Window(0, 10 * NS), NS, 2 * NS, 9 * NS)
    assert all(before.x < after.x for before, after in pairwise(made.points))
    assert {point.y for point in made.points} == {dict(made.lanes)["a"]}
    assert [point.row for point in made.points] == ["t-1", "t-2", "t-3"]
    assert made.points[0].where == "frame 7 of wire/lab.pcapng"


@pytest.mark.parametrize(
    ("seconds", "zero", "said"),
    [
        (10, 4, ["-4", "-3", "-2", "-1", "0", "1", "2", "3", "4", "5", "6"]),
        (60, 0, ["0", "5", "10", "15", "20", "25", "30", "35", "40", "45", "50", "55", "60"]),
        (1, 0, ["0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1"]),
    ],
)
def test_the_axis_counts_from_zero_in_round_steps(seconds: int, zero: int, said: list[str]) -> None:
    made = drawing(Window(0, seconds * NS), zero_ns=zero * NS)
    assert [text for text, _ in made.ticks] == said


def test_a_window_of_days_has_few_ticks() -> None:
    assert len(drawing(Window(0, 10**6 * NS)).ticks) <= 15
