"""A drawing of lanes whose bars and marks have their names beside them.

A lane is as high as its names need: on top the bars, each with its name in it where that fits; then
the marks, and what else has a name, in rows below in which no name lies on another. As wide as a
name is taken to be no usual font draws it. Times and sizes are `timeline`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from evidence.moment import Window
from report.drawn import Bar, Mark
from report.timeline import (
    AXIS,
    TOP,
    WIDTH,
    Box,
    Label,
    Timeline,
    point,
    scale,
    ticks,
    width,
)

BAR, ROW, APART = 20.0, 13.0, 7.0
"""Heights: of a lane's bars, of a row of names, and between two lanes."""
LETTER, BESIDE = 6.6, 7.0
"""Widths: of a letter, and from a mark to its name."""
MOST_ROWS = 12
"""Names that fit into none of so many rows are in the table below only."""
EDGES = ("typed", "lost", "back")
"""Marks that stand at the ends of bars, and on their height."""


@dataclass(frozen=True)
class _Name:
    """A name to be written below a lane's bars; beside: the mark that it stands beside, in x."""

    kind: str
    text: str
    x: float
    beside: bool


@dataclass
class _Lane:
    """What is written in a lane, and what is taken of each of its rows."""

    top: float = 0.0
    inside: list[Label] = field(default_factory=list)
    rows: list[list[tuple[float, float]]] = field(default_factory=lambda: [[]])
    written: list[tuple[int, Label]] = field(default_factory=list)

    @property
    def middle(self) -> float:
        """The height of its bars."""
        return self.top + BAR / 2

    def row(self, number: int) -> float:
        """Return the height of a row of names."""
        return self.top + BAR + ROW * (number + 0.5)

    @property
    def bottom(self) -> float:
        """Where it ends."""
        return self.top + BAR + ROW * len(self.rows) + APART

    def write(self, one: _Name) -> None:
        """Write a name into the first row that has room for it."""
        wide = LETTER * len(one.text)
        for number in range(MOST_ROWS):
            aside = BESIDE if one.beside and number == 0 else 0.0
            ends_right = one.x + aside + wide > WIDTH
            x = one.x - aside if ends_right else one.x + aside
            left = x - wide if ends_right else x
            while len(self.rows) <= number:
                self.rows.append([])
            if all(left > right or left + wide < other for other, right in self.rows[number]):
                self.rows[number].append((left, left + wide))
                anchor = "end" if ends_right else "start"
                self.written.append((number, Label(one.kind, one.text, x, 0.0, anchor)))
                return

    def labels(self) -> Iterator[Label]:
        """Yield every name at its height."""
        for one in self.inside:
            yield Label(one.kind, one.text, one.x, self.middle + 4)
        for number, one in self.written:
            yield Label(one.kind, one.text, one.x, self.row(number) + 4, one.anchor)


def swimlanes(
    name: str,
    window: Window,
    zero_ns: int,
    lanes: Sequence[str],
    marks: Sequence[Mark],
    bars: Sequence[Bar],
    alt: str,
) -> Timeline:
    """Lay a drawing out, as `timeline` does, with the names of bars and marks."""
    x = scale(window)
    laid: dict[str, _Lane] = {}
    top = TOP
    for lane in lanes:
        laid[lane] = _laid(
            [(one, x(one.from_ns), x(one.until_ns)) for one in bars if one.lane == lane],
            [(one, x(one.at_ns)) for one in marks if one.lane == lane],
        )
        laid[lane].top = top
        top = laid[lane].bottom
    return Timeline(
        name,
        max(top, TOP + BAR) + AXIS,
        tuple((lane, one.middle) for lane, one in laid.items()),
        tuple((text, x(at_ns)) for text, at_ns in ticks(window, zero_ns)),
        (),
        tuple(_box(one, x(one.from_ns), x(one.until_ns), laid[one.lane]) for one in bars),
        tuple(
            point(one, x(one.at_ns), _height(one, laid[one.lane]), f"{name}-{number}", zero_ns)
            for number, one in enumerate(marks, start=1)
        ),
        alt,
        tuple(label for one in laid.values() for label in one.labels()),
    )


def _laid(bars: Sequence[tuple[Bar, float, float]], marks: Sequence[tuple[Mark, float]]) -> _Lane:
    lane = _Lane()
    lane.rows[0] += [(at - BESIDE + 1, at + BESIDE - 1) for one, at in marks if not _on_bar(one)]
    names = [
        _Name(one.kind, one.name, at, beside=not _on_bar(one)) for one, at in marks if one.name
    ]
    for bar, left, right in bars:
        if not bar.name:
            continue
        if LETTER * len(bar.name) + 8 <= right - left:
            lane.inside.append(Label(bar.kind, bar.name, left + 4, 0.0))
        else:
            names.append(_Name(bar.kind, bar.name, left, beside=False))
    for one in sorted(names, key=lambda each: each.x):
        lane.write(one)
    while len(lane.rows) > 1 and not lane.rows[-1]:
        lane.rows.pop()
    return lane


def _on_bar(mark: Mark) -> bool:
    return mark.kind in EDGES


def _height(mark: Mark, lane: _Lane) -> float:
    return lane.middle if _on_bar(mark) else lane.row(0)


def _box(one: Bar, left: float, right: float, lane: _Lane) -> Box:
    return Box(one.kind, one.what, left, lane.top + 2, width(left, right), BAR - 4)
