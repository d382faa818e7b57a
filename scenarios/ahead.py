"""Which lab is thawed while a scenario runs: the one that its worker needs next, if it has none.

It is begun as soon as the scenario has its own lab: what the scenario prepares takes seconds, and
what it times comes after that.
"""

from __future__ import annotations

import pytest

NEXT = pytest.StashKey[pytest.Item | None]()
"""In the stash of an item: the one that its worker runs after it, if there is one."""


def guide_of(item: pytest.Item) -> str:
    """Return the guide a scenario belongs to: the folder it lies in."""
    return item.path.parent.name


def needed_next(item: pytest.Item) -> str | None:
    """Return the guide of the next scenario if the lab of this one will not do for it."""
    following = item.stash.get(NEXT, None)
    if following is None or "lab" not in getattr(following, "fixturenames", ()):
        return None
    if following.get_closest_marker("skip"):
        return None
    guide = guide_of(following)
    gone = (
        item.get_closest_marker("destructive")
        or guide != guide_of(item)
        or following.get_closest_marker("pristine")
    )
    return guide if gone else None
