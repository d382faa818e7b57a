"""Where things stand in a drawing of lanes over time; the template only writes it down as SVG.

Every mark has a number, by which it and its row in the table below the drawing refer to each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evidence.moment import NS, Window
from report.busy import Shade
from report.drawn import Bar, Mark

LABEL, WIDTH, LANE, TOP, AXIS = 150.0, 1000.0, 24.0, 6.0, 34.0
"""Widths and heights of a drawing, in its own units: names, all of it, a lane, margins."""
_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
_MOST_TICKS = 14


@dataclass(frozen=True)
class Point:
    """A mark where it is drawn; row: the one of the table that tells of it."""

    mark: Mark
    x: float
    y: float
    row: str
    after_s: float

    @property
    def where(self) -> str:
        """The frame, or the line of the history, that it stands for."""
        if self.mark.frame is None:
            return self.mark.place
        return f"frame {self.mark.frame} of {self.mark.place}"


@dataclass(frozen=True)
class Box:
    """A bar or a shade where it is drawn."""

    kind: str
    what: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Label:
    """A name where it is written; anchor: which end of it stands at `x`."""

    kind: str
    text: str
    x: float
    y: float
    anchor: str = "start"


@dataclass(frozen=True)
class Timeline:
    """A drawing: its size, its lanes' names with their heights, and everything in it."""

    name: str
    height: float
    lanes: tuple[tuple[str, float], ...]
    ticks: tuple[tuple[str, float], ...]
    shades: tuple[Box, ...]
    bars: tuple[Box, ...]
    points: tuple[Point, ...]
    alt: str
    labels: tuple[Label, ...] = ()
    width: float = WIDTH
    label: float = LABEL

    @property
    def bottom(self) -> float:
        """Where the lanes end and the axis begins."""
        return self.height - AXIS


def timeline(
    name: str,
    window: Window,
    zero_ns: int,
    lanes: Sequence[str],
    marks: Sequence[Mark],
    bars: Sequence[Bar],
    shades: Sequence[Shade],
    alt: str,
) -> Timeline:
    """Lay a drawing out; `name`: unique on the page. Times are told from `zero_ns` on."""
    heights = {lane: TOP + LANE * (number + 0.5) for number, lane in enumerate(lanes)}
    bottom = TOP + LANE * max(1, len(lanes))
    x = scale(window)
    return Timeline(
        name,
        bottom + AXIS,
        tuple(heights.items()),
        tuple((text, x(at_ns)) for text, at_ns in ticks(window, zero_ns)),
        tuple(_shade(one, x(one.from_ns), x(one.until_ns), bottom) for one in shades),
        tuple(_bar(one, x(one.from_ns), x(one.until_ns), heights[one.lane]) for one in bars),
        tuple(
            point(one, x(one.at_ns), heights[one.lane], f"{name}-{number}", zero_ns)
            for number, one in enumerate(marks, start=1)
        ),
        alt,
    )


def scale(window: Window) -> Callable[[int], float]:
    """Return what tells how far to the right a moment is drawn; none is outside of the window."""
    length_ns = max(1, window.until_ns - window.from_ns)

    def x(at_ns: int) -> float:
        inside = min(max(at_ns, window.from_ns), window.until_ns)
        return round(LABEL + (inside - window.from_ns) * (WIDTH - LABEL - 10) / length_ns, 2)

    return x


def point(mark: Mark, x: float, y: float, row: str, zero_ns: int) -> Point:
    """Put a mark where it is drawn."""
    return Point(mark, x, y, row, (mark.at_ns - zero_ns) / NS)


def _shade(one: Shade, left: float, right: float, bottom: float) -> Box:
    return Box(one.kind, one.what, left, TOP, width(left, right), bottom - TOP)


def _bar(one: Bar, left: float, right: float, middle: float) -> Box:
    return Box(one.kind, one.what, left, middle - LANE / 3, width(left, right), LANE * 2 / 3)


def width(left: float, right: float) -> float:
    """Return how wide a box is drawn: even one of no time can be seen."""
    return round(max(right - left, 1.5), 2)


def ticks(window: Window, zero_ns: int) -> list[tuple[str, int]]:
    """Return round seconds since `zero_ns`, and when they are."""
    seconds = window.seconds
    fine = (step for step in _STEPS_S if seconds / step <= _MOST_TICKS)
    step_s = next(fine, seconds / _MOST_TICKS)
    first = math.ceil((window.from_ns - zero_ns) / NS / step_s)
    last = math.floor((window.until_ns - zero_ns) / NS / step_s)
    return [
        (f"{number * step_s:g}", zero_ns + round(number * step_s * NS))
        for number in range(first, last + 1)
    ]
