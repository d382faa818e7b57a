"""The kill table: that each check can fail, and what became of deployments broken on purpose.

The first part ships with the checks (`checks/kills.json`, of this revision); the second is a run's
own, made from its history and verdicts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from checks.engine.kills import Kill, read_kills
from checks.engine.mutants import Outcome, outcomes_of
from evidence.errors import EvidenceError
from report.reading import Material

MOST_NAMED = 8


@dataclass(frozen=True)
class Killed:
    """What one check was seen to reject: how many mutants, and by which rules."""

    id: str
    failed: int
    unknown: int
    kills: tuple[Kill, ...]


def shipped() -> tuple[Killed, ...]:
    """Return the kill table that ships with the checks; empty where it cannot be read."""
    try:
        table = read_kills()
    except EvidenceError:
        return ()
    return tuple(
        Killed(
            requirement,
            sum(kill.failed for kill in kills),
            sum(kill.unknown for kill in kills),
            kills,
        )
        for requirement, kills in sorted(table.items())
    )


def broken(material: Material) -> tuple[Outcome, ...]:
    """Return what became of the deployments that a run broke on purpose."""
    return tuple(outcomes_of(material.histories, material.verdicts))


def is_of_mutants(material: Material) -> bool:
    """Whether a run broke deployments on purpose: it says so, or its history does."""
    return material.facts.get("mutants") is True or bool(broken(material))


def sentence(found: Sequence[Outcome]) -> str:
    """Say in one sentence what a run of mutants shows, and that it is no sign-off."""
    return " ".join(_parts(found)).removesuffix(".") + "."


def _parts(found: Sequence[Outcome]) -> Iterator[str]:
    yield "No sign-off: deployments were broken on purpose here."
    if not found:
        yield "None of them was judged."
        return
    last = {(one.mutant, one.scenario): one for one in found}  # the attempt that counts
    alive = [
        f"{one.mutant} ({one.requirement} is {one.status})"
        for one in last.values()
        if not one.killed
    ]
    again = len(found) - len(last)
    repeated = f" ({again} attempt{'s' * (again != 1)} repeated)" if again else ""
    yield (
        f"{len(last) - len(alive)} of {len(last)} deployments were detected for the expected"
        f" reason{repeated}"
    )
    if not alive:
        return
    more = len(alive) - MOST_NAMED
    named = ", ".join(alive[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    yield f"and not detected: {named}."
