"""A row: what the evidence shows, made up, and the verdict that is right for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from checks.engine.verdict import Status, Verdict
from tests.checks import factories
from tests.checks.failover import recording
from tests.checks.harness import runs

PASS, FAIL, UNKNOWN = Status.PASS, Status.FAIL, Status.UNKNOWN

Run = recording.Run | factories.Run | runs.Run
Make = Callable[[Path], Run]


@dataclass(frozen=True)
class Row:
    """words: stand in the verdict, so that it is not right for another reason."""

    requirement: str
    sentence: str
    right: Status
    words: tuple[str, ...]
    make: Make

    def judge(self, directory: Path) -> Verdict:
        """Make the evidence in a directory, and judge it."""
        run = self.make(directory)
        if isinstance(run, recording.Run):
            return run.judge(self.requirement)
        return run.judge(self.requirement, directory)


ROWS: list[Row] = []


def row(requirements: str, sentence: str, right: Status, *words: str) -> Callable[[Make], Make]:
    """Add a row for each of some requirements."""

    def add(make: Make) -> Make:
        ROWS.extend(Row(one, sentence, right, words, make) for one in requirements.split())
        return make

    return add
