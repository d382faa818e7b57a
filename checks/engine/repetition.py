"""The names of repetitions: one scenario, provoked several times, each time an item of its own.

`test_it[3/20]` is the third of twenty repetitions of `test_it`, and `test_it[pause-3/20]` of
`test_it[pause]`. What a name says is also the plan: twenty there are to be.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = re.compile(
    r"(?P<test>[^\[]+)\[(?:(?P<case>.*)-)?(?P<number>[1-9]\d{0,8})/(?P<of>[1-9]\d{0,8})\]"
)


@dataclass(frozen=True)
class Repetition:
    """Repetition `number` (from 1) of the `of` that are planned of the scenario `series`."""

    series: str
    number: int
    of: int

    @classmethod
    def named(cls, scenario: str) -> Repetition | None:
        """Read a scenario's name; None when it is no repetition's, whose numbers begin at 1."""
        if (found := _NAME.fullmatch(scenario)) is None:
            return None
        case = f"[{found['case']}]" if found["case"] else ""
        return cls(found["test"] + case, int(found["number"]), int(found["of"]))


def identity(number: int, of: int) -> str:
    """Return what stands in a scenario's brackets for one of its repetitions."""
    return f"{number}/{of}"
