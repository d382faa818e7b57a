"""One case: a run that is changed by rule, and the verdicts that are right for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from checks.engine import registry
from checks.engine.verdict import Status, Verdict
from evidence.scenario import Evidence
from tests.score.recording import Recording

T = TypeVar("T")

NOT_PASS = frozenset({Status.FAIL, Status.UNKNOWN})
ONLY_PASS = frozenset({Status.PASS})
ONLY_FAIL = frozenset({Status.FAIL})
ONLY_UNKNOWN = frozenset({Status.UNKNOWN})


@dataclass(frozen=True)
class Case:
    """What is made of a requirement's good run. rule: its class in the table.

    what: which event, frame or file of it. inflict: done to the written run before it is judged.
    alternatives: other runs, one of all of which has to be judged right; which, the rule does not
    know.
    """

    requirement: str
    rule: str
    what: str
    recording: Recording
    right: frozenset[Status]
    inflict: Callable[[Path], object] = lambda _: None
    alternatives: tuple[Recording, ...] = ()

    @property
    def name(self) -> str:
        """The case in one line."""
        return f"{self.requirement} {self.rule}: {self.what}"

    def judge(self, directory: Path) -> Verdict:
        """Write it into a directory, and judge it."""
        verdict = self._judge(self.recording, directory)
        for other in self.alternatives:
            if verdict.status in self.right:
                break
            verdict = self._judge(other, directory)
        return verdict

    def _judge(self, recording: Recording, directory: Path) -> Verdict:
        recording.write(directory)
        self.inflict(directory)
        evidence = Evidence(directory, recording.scenario, self.requirement)
        return registry.judge(self.requirement, evidence)


def some(found: Sequence[T], count: int) -> list[T]:
    """Return so many of them at most, spread evenly, the first and the last among them."""
    if len(found) <= count:
        return list(found)
    return [found[round(at * (len(found) - 1) / (count - 1))] for at in range(count)]
