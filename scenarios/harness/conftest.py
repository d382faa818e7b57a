"""What scenarios of the harness share: what they froze is removed once no lab stands on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.checkpoint import Store


@pytest.fixture(autouse=True)
def frozen() -> Iterator[list[str]]:
    """The keys of what a scenario freezes; set up before any lab, so torn down after it."""
    keys: list[str] = []
    yield keys
    for key in keys:
        Store().remove(key)
