"""Distributions as figures: every measurement a dot, its limits behind it. Drawn by matplotlib.

Its SVG goes into the page: colours become the page's own (so that it is dark where the page is),
names of elements are made unique, what is no drawing (dates, a document type) goes.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from evidence.printable import visible
from report.distributions import Distribution

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK, _MUTED, _BAND, _DOT, _MARK = "#010203", "#040506", "#070809", "#0a0b0c", "#0d0e0f"
"""Stand for the page's colours in what matplotlib writes."""
_COLOURS = {
    _INK: "var(--ink)",
    _MUTED: "var(--muted)",
    _BAND: "var(--band)",
    _DOT: "var(--dot)",
    _MARK: "var(--accent)",
}
_HEAD, _ROW, _WIDTH = 0.75, 0.42, 9.0
"""Inches."""
MOST_ROWS = 60
"""Of one figure; the table below it has all of them."""


def strips(name: str, all_of_them: Sequence[Distribution]) -> Markup:
    """Draw the distributions of one stage, a row each; `name` begins the names of its elements."""
    from matplotlib import rc_context  # takes half a second: only where something is drawn

    with (
        rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "text.parse_math": False}),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # a font without a name's letters: the reader's may have it
        return Markup(for_page(_drawn(all_of_them[:MOST_ROWS]), name))  # noqa: S704 - escaped there


def _drawn(all_of_them: Sequence[Distribution]) -> str:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, _HEAD + _ROW * len(all_of_them)), layout="constrained")
    axes = figure.add_subplot()
    for number, one in enumerate(reversed(all_of_them)):
        _row(axes, number, one)
    axes.set_yticks(range(len(all_of_them)), [_text(one.row) for one in reversed(all_of_them)])
    axes.set_xlim(left=min([0.0, *(least for one in all_of_them for least in one.seconds)]))
    axes.set_ylim(-0.6, len(all_of_them) - 0.4)
    axes.set_xlabel("seconds", color=_INK)
    axes.tick_params(colors=_INK)
    axes.grid(axis="x", color=_MUTED, alpha=0.25)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(_MUTED)
    figure.patch.set_alpha(0)
    axes.patch.set_alpha(0)
    written = io.StringIO()
    figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    return written.getvalue()


def _row(axes: Axes, number: int, one: Distribution) -> None:
    for limit in one.limits:
        left, width = limit.minimum_s, limit.maximum_s - limit.minimum_s
        axes.barh(number, width, 0.62, left, color=_BAND, alpha=0.45)
        axes.plot([limit.maximum_s] * 2, [number - 0.31, number + 0.31], color=_MUTED)
    heights = [number + shift for shift in _spread_out(len(one.samples))]
    # not clipped: a dot at the edge is to be whole
    axes.plot(one.seconds, heights, "o", color=_DOT, markersize=4, alpha=0.75, clip_on=False)
    if one.spread is not None:
        axes.plot([one.spread.median] * 2, [number - 0.4, number + 0.4], color=_MARK, lw=2)


def _text(text: str) -> str:
    return "\n".join(visible(line, most=40) for line in text.splitlines())


def _spread_out(count: int) -> list[float]:
    """Return heights around 0, so that dots of one value do not hide each other."""
    return [((number * 0.618034) % 1 - 0.5) * 0.5 for number in range(count)]


def for_page(svg: str, name: str) -> str:
    """Make what matplotlib writes a part of a page."""
    drawing = svg[svg.index("<svg") :]
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
    used = set(re.findall(r"#([\w.-]+)[\")]", drawing))
    for one in set(re.findall(r'\bid="([^"]+)"', drawing)):
        drawing = drawing.replace(f' id="{one}"', f' id="{name}-{one}"' if one in used else "")
    drawing = re.sub(r"(href=\"#|url\(#)([\w.-]+)", rf"\g<1>{name}-\2", drawing)
    for stands, colour in _COLOURS.items():
        drawing = drawing.replace(stands, colour)
    drawing = re.sub(r'<svg [^>]*?viewBox="([^"]+)"[^>]*>', r'<svg viewBox="\1">', drawing, count=1)
    return drawing.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)
