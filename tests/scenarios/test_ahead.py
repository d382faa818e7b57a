"""Which lab is thawed while a scenario runs: the next one, where this one's will not do for it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scenarios.ahead import NEXT, needed_next


def item(guide: str, *marks: str, fixtures: tuple[str, ...] = ("lab",)) -> Any:
    return SimpleNamespace(
        path=Path("scenarios") / guide / "test_it.py",
        fixturenames=fixtures,
        get_closest_marker=lambda name: name if name in marks else None,
        stash=pytest.Stash(),
    )


def before(this: Any, following: Any) -> Any:
    this.stash[NEXT] = following
    return this


@pytest.mark.parametrize(
    ("this", "following", "guide"),
    [
        (item("a", "destructive"), item("a"), "a"),
        (item("a"), item("b"), "b"),
        (item("a", "destructive"), item("b"), "b"),
        (item("a"), item("a", "pristine"), "a"),
        (item("a"), item("a"), None),
        (item("a", "destructive"), None, None),
        (item("a", "destructive"), item("a", "skip"), None),
        (item("a", "destructive"), item("a", fixtures=()), None),
    ],
)
def test_a_lab_is_needed_next_if_this_one_will_not_do(
    this: Any, following: Any, guide: str | None
) -> None:
    assert needed_next(before(this, following)) == guide


def test_without_knowing_what_comes_nothing_is_needed() -> None:
    assert needed_next(item("a", "destructive")) is None
