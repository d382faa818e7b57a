"""The page: one HTML file with everything in it, no script, nothing fetched from anywhere.

Templates lay out values and decide nothing. Every text in it is a stranger's: what is not to be
seen is written out (`evidence.printable`), and the rest is escaped.
"""

from __future__ import annotations

import re
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from evidence.printable import visible
from report.content import Content
from report.matrix import MOST_REASONS
from report.signing import NAMESPACE
from report.summary import stamp

MOST_MAINTENANCES = 2
"""On paper: a report is to have ten pages at most."""

_ID = re.compile(r"\b[A-Z]{2,3}-\d\d\b")


def page(content: Content) -> str:
    """Return the whole page."""
    return laid_out(
        "page.html.j2",
        content=content,
        most_reasons=MOST_REASONS,
        most_maintenances=MOST_MAINTENANCES,
    )


def laid_out(template: str, **values: object) -> str:
    """Return a page that a template makes of values."""
    return _environment().get_template(template).render(namespace=NAMESPACE, **values)


def shown(value: object) -> object:
    """Make what a template writes safe to see; markup of our own stays as it is."""
    if isinstance(value, Markup):
        return value
    return visible(str(value), layout=True)


def short(scenario: str) -> str:
    """Return a scenario's own name as a sentence."""
    return scenario.rpartition("::")[2].removeprefix("test_").replace("_", " ")


def seconds(value: float) -> str:
    """Write seconds to the millisecond; none of them is minus zero."""
    return f"{round(value, 3) + 0.0:.3f}"


def whole_ids(text: object) -> Markup:
    """Keep ids of requirements on one line each."""
    return Markup(_ID.sub(r'<span class="id">\g<0></span>', str(escape(shown(text)))))  # noqa: S704 - escaped


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("report"),
        autoescape=True,
        finalize=shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(short=short, stamp=stamp, whole_ids=whole_ids, seconds=seconds)
    return environment
