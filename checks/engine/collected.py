"""What a run was to carry out: the scenarios that it collected, so that one that never began shows.

`run.json` holds it under `collected`, a count for each test and case: twenty repetitions are one
entry. What is skipped by a marker is not among it, nor what was deselected; that is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from checks.engine.repetition import Repetition

KEY = "collected"
"""Of `run.json`."""


@dataclass(frozen=True)
class Collected:
    """What a run was to carry out: how many scenarios by name; repetitions count as their series.

    full: whether it was a sign-off run. deselected: how many scenarios were left out by a choice.
    """

    scenarios: Mapping[str, int]
    full: bool
    deselected: int

    @classmethod
    def of(cls, names: Iterable[str], *, full: bool, deselected: int) -> Collected:
        """Count scenarios by their names."""
        return cls(dict(Counter(map(_series, names))), full, deselected)

    @classmethod
    def told(cls, facts: Mapping[str, Any]) -> Collected | None:
        """Return what the facts of a run say of it; None where that is nothing, or no sense."""
        match facts.get(KEY):
            case {"scenarios": dict(counts), "full": bool(full), "deselected": int(deselected)}:
                if all(isinstance(count, int) for count in counts.values()):
                    return cls(counts, full, deselected)
        return None

    def facts(self) -> dict[str, object]:
        """Return it as `run.json` holds it."""
        return {
            "scenarios": dict(sorted(self.scenarios.items())),
            "full": self.full,
            "deselected": self.deselected,
        }

    def never_began(self, begun: Iterable[str]) -> dict[str, int]:
        """Return how many scenarios of each name are not among those that began, where any is."""
        there = Counter(map(_series, set(begun)))
        left = {name: count - there[name] for name, count in self.scenarios.items()}
        return {name: count for name, count in left.items() if count > 0}


def _series(scenario: str) -> str:
    repetition = Repetition.named(scenario)
    return repetition.series if repetition else scenario
