"""Which requirements scenarios are marked to show, and which scenarios a run is to carry out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from checks.engine.collected import Collected


def requirements_of(item: pytest.Item) -> list[str]:
    """Return the requirements that a scenario is marked to show with the run's heartbeat."""
    return [
        name
        for marker in item.iter_markers("requirement")
        if marker.kwargs.get("engine") in (None, item.config.getoption("heartbeat"))
        for name in marker.args
    ]


def to_be_judged(items: Iterable[pytest.Item]) -> frozenset[str]:
    """Return the requirements that a run of these is to judge: all, but of what is skipped."""
    return frozenset(name for item in _not_skipped(items) for name in requirements_of(item))


def collected(items: Iterable[pytest.Item], *, full: bool, deselected: int) -> Collected:
    """Return what a run of these is to carry out: what will say in its history that it began."""
    recorded = (one for one in _not_skipped(items) if "history" in getattr(one, "fixturenames", ()))
    return Collected.of((one.nodeid for one in recorded), full=full, deselected=deselected)


def _not_skipped(items: Iterable[pytest.Item]) -> Iterator[pytest.Item]:
    return (item for item in items if item.get_closest_marker("skip") is None)
