"""Deployments broken on purpose: whether each was killed, by a run's evidence and verdicts.

A mutant is killed when the requirement that it names is FAIL, for a reason that holds the words it
names, and no other requirement is FAIL that does not depend on it. What is UNKNOWN beside it says
nothing: a pair that is broken cannot show everything.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from checks.engine.attempts import Attempt, attempts_in, attempts_of
from checks.engine.verdict import Status, Verdict, unknown
from checks.engine.verdicts import Verdicts
from evidence.events.harness import MutantApplied
from evidence.history import Recording
from evidence.parts import Histories

FILE_NAME = "kills.json"
"""In the directory of a run of mutants."""


@dataclass(frozen=True)
class Outcome:
    """What became of one mutant. beside: others that are FAIL and should not be, with why."""

    mutant: str
    requirement: str
    machine: str
    done: str
    scenario: str
    status: Status
    reason: str
    killed: bool
    beside: tuple[str, ...]

    def __str__(self) -> str:
        what = f"{self.mutant} ({self.done}, on {self.machine})"
        if self.killed:
            return f"{what}: killed: {self.reason}"
        said = f"{self.requirement} is {self.status}: {self.reason}"
        return f"{what}: NOT KILLED: {'; '.join((said, *self.beside))}"


def objection(applied: MutantApplied, requirement: str, verdict: Verdict) -> str:
    """Say what is wrong with a verdict on a deployment that was broken so; "" if nothing is."""
    failed = verdict.status is Status.FAIL
    first = next(iter(verdict.reasons), "")
    if requirement != applied.requirement:
        if failed and requirement not in applied.depends:
            return f"{requirement} does not depend on it, and is FAIL: {first}"
        return ""
    if not failed:
        return f"{requirement} is {verdict.status}, not FAIL: {first}"
    if _named(applied, verdict) is None:
        return f"{requirement} is FAIL for another reason than {applied.words}: {first}"
    return ""


def outcomes_of(histories: Histories, verdicts: Verdicts) -> list[Outcome]:
    """Return what became of each mutant that was applied in a run, part after part."""
    begun = attempts_of(histories)
    return [
        outcome
        for part, recording in histories
        for outcome in outcomes(
            recording, verdicts, [one for one in begun if one.part == part.prefix]
        )
    ]


def outcomes(
    recording: Recording, verdicts: Verdicts, begun: Sequence[Attempt] | None = None
) -> list[Outcome]:
    """Return what became of each mutant by one history, in its order.

    begun: the attempts in it, where others stand in other parts.
    """
    if begun is None:
        begun = attempts_in(recording)
    found = []
    for applied in recording.of(MutantApplied):
        number = max(
            (
                one.number
                for one in begun
                if one.scenario == applied.scenario and one.line < applied.line
            ),
            default=1,
        )
        said = {
            requirement: scenarios[applied.scenario][number]
            for requirement, scenarios in verdicts.attempts.items()
            if number in scenarios.get(applied.scenario, {})
        }
        found.append(_outcome(applied, said))
    return found


def _outcome(applied: MutantApplied, said: Mapping[str, Verdict]) -> Outcome:
    verdict = said.get(applied.requirement, unknown("it was not judged"))
    objections = {name: objection(applied, name, one) for name, one in said.items()}
    wrong = objections.pop(applied.requirement, "it was not judged")
    reason = _named(applied, verdict) or next(iter(verdict.reasons), "")
    beside = tuple(filter(None, objections.values()))
    return Outcome(
        applied.mutant,
        applied.requirement,
        applied.machine,
        applied.done,
        applied.scenario,
        verdict.status,
        reason,
        not (wrong or beside),
        beside,
    )


def _named(applied: MutantApplied, verdict: Verdict) -> str | None:
    """Return the reason that holds every word that the mutant names."""
    holds = (one for one in verdict.reasons if all(word in one for word in applied.words))
    return next(holds, None)


def write_outcomes(directory: Path, found: Iterable[Outcome]) -> None:
    """Write the kill table of a run of mutants beside its other evidence."""
    rows = [{**asdict(one), "status": str(one.status)} for one in found]
    (directory / FILE_NAME).write_text(json.dumps(rows, indent=1) + "\n")
