"""Which requirements scenarios are marked to show."""

from __future__ import annotations

from collections.abc import Iterable

import pytest


def requirements_of(item: pytest.Item) -> list[str]:
    """Return the requirements that a scenario is marked to show."""
    return [name for marker in item.iter_markers("requirement") for name in marker.args]


def to_be_judged(items: Iterable[pytest.Item]) -> frozenset[str]:
    """Return the requirements that a run of these is to judge: all, but of what is skipped."""
    run = (item for item in items if item.get_closest_marker("skip") is None)
    return frozenset(requirement for item in run for requirement in requirements_of(item))
