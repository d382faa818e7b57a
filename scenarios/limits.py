"""Limits that a lab's guests have reached, on their way into the history (`lab.limits`).

A scenario's verdict says UNKNOWN by itself where the capture has a hole; the event says since when
and by which limit, also of what no verdict rests on, such as a console.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from evidence.events.run import LimitReached
from evidence.history import History
from lab.errors import WireError
from lab.testbed import Testbed


class Limits:
    """The limits of a lab whose evidence bears the name `name`; each is recorded once."""

    def __init__(self, lab: Testbed, name: str) -> None:
        self._lab = lab
        self._name = name
        self._recorded = 0

    def record(self, history: History) -> None:
        """Record what was reached since the last call."""
        reached = _reached(self._lab)
        for one in reached[self._recorded :]:
            history.record(LimitReached(lab=self._name, **one))
        self._recorded = len(reached)


def stopped_recording(lab: Testbed) -> bool:
    """Whether nothing that passes in a lab is recorded any more: no verdict can come of it."""
    return any(one["source"] == "wire" for one in _reached(lab))


def _reached(lab: Testbed) -> list[dict[str, Any]]:
    with suppress(WireError):  # it has ended: its capture says so
        found: list[dict[str, Any]] = lab.wire.counters()["reached"]
        return found
    return []
