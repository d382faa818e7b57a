"""`verdicts.json`: each requirement's verdict in a run, and what it is made of.

A requirement's verdict is made of its scenarios' verdicts, a scenario's of its attempts'. Only the
attempts' are read back; the rest is derived from them, and compared by who verifies a run. At the
top stands which requirements were to be judged, and which of them never were.

Written whole (a temporary file, then a rename) under a lock, so scenarios that run side by side
don't lose each other's verdicts and a reader never sees half a file.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import FileLock

from checks.engine.attempts import over_attempts
from checks.engine.repetition import Repetition
from checks.engine.tables import wrong_with
from checks.engine.verdict import Status, Verdict, combine, unknown, worst
from evidence.errors import Absent, BadEvidence
from evidence.files import read_table

FILE_NAME = "verdicts.json"
FORMAT = 2
"""Of the file. 1 knew no attempts, no digests and no seal."""

Attempts = Mapping[int, Verdict]


@dataclass(frozen=True)
class Verdicts:
    """What was said in a run: `attempts[requirement][scenario][number]`.

    to_judge: which requirements were to be judged, as far as whoever wrote the file knew.
    """

    attempts: Mapping[str, Mapping[str, Attempts]] = field(default_factory=dict)
    to_judge: frozenset[str] = frozenset()

    @cached_property
    def by_requirement(self) -> Mapping[str, Mapping[str, Verdict]]:
        """What each scenario said of each requirement, over its attempts."""
        return {
            requirement: {name: over_attempts(one) for name, one in scenarios.items()}
            for requirement, scenarios in self.attempts.items()
        }

    @property
    def never_judged(self) -> list[str]:
        """The requirements that were to be judged, and of which nobody said anything."""
        return sorted(one for one in self.to_judge if not self.attempts.get(one))

    def of(self, requirement_id: str) -> Verdict:
        """Return a requirement's verdict over all its scenarios; UNKNOWN when none judged it.

        Repetitions don't count beside the verdict over all of them, which knows more; unless one
        is worse: then it came after that verdict, and was not part of it. Fewer than are planned
        are UNKNOWN without such a verdict.
        """
        return combine(_that_count(self.by_requirement.get(requirement_id, {})))

    def including(
        self, requirement_id: str, scenario: str, verdict: Verdict, attempt: int = 1
    ) -> Verdicts:
        """Return these verdicts with one more; nothing but a FAIL replaces an attempt's FAIL."""
        scenarios = self.attempts.get(requirement_id, {})
        attempts = scenarios.get(scenario, {})
        former = attempts.get(attempt, verdict)
        if former.status is not Status.FAIL or verdict.status is Status.FAIL:
            attempts = {**attempts, attempt: verdict}
        return Verdicts(
            {**self.attempts, requirement_id: {**scenarios, scenario: attempts}},
            self.to_judge | {requirement_id},
        )


def _that_count(parts: Mapping[str, Verdict]) -> Iterator[Verdict]:
    """Yield what a requirement's verdict is made of, of what each scenario said."""
    repeated = {name: one for name in parts if (one := Repetition.named(name))}
    planned: dict[str, int] = {}
    for one in repeated.values():
        planned[one.series] = max(one.of, planned.get(one.series, 0))
    for name, verdict in parts.items():
        it = repeated.get(name)
        over_all = parts.get(it.series) if it else None
        if not (it and over_all and _is_covered(verdict, over_all, it.of < planned[it.series])):
            yield verdict
    numbers = {
        (one.series, one.number) for one in repeated.values() if one.of == planned[one.series]
    }
    for series, count in Counter(series for series, _ in numbers).items():
        if series not in parts and count < planned[series]:
            yield unknown(
                f"{count} of {planned[series]} repetitions of {series}, judged one by one"
            )


def _is_covered(one: Verdict, over_all: Verdict, of_fewer: bool) -> bool:
    said = one.status
    return worst((said, over_all.status)) is over_all.status or (
        of_fewer and said is not Status.FAIL
    )


def read_verdicts(directory: Path) -> Verdicts:
    """Read a run's verdicts; none when nothing was judged yet.

    Raises BadEvidence when the file is damaged, or was written in another format.
    """
    tables = read_tables(directory)
    if not tables:
        return Verdicts()
    return Verdicts(
        {
            requirement: {
                name: {int(n): _verdict(one) for n, one in part["attempts"].items()}
                for name, part in table["scenarios"].items()
                if part["attempts"]
            }
            for requirement, table in tables["requirements"].items()
        },
        frozenset(tables["to_judge"]),
    )


def read_tables(directory: Path) -> dict[str, Any]:
    """Read the file as it stands, derived tables and seal included; empty when there is none.

    Raises BadEvidence as `read_verdicts` does.
    """
    path = directory / FILE_NAME
    try:
        tables = read_table(path, "verdicts")
    except Absent:
        return {}
    found = tables.get("format", 1)
    if type(found) is not int or found != FORMAT:
        raise BadEvidence(
            f"{path}: written in format {found!r:.20}, and this reads {FORMAT}",
            hint="judge it with the revision that its run.json names",
        )
    if wrong := wrong_with(tables):
        raise BadEvidence(f"{path}: no verdicts can be read: {wrong}")
    return tables


def record_verdict(
    directory: Path, requirement_id: str, scenario: str, verdict: Verdict, attempt: int = 1
) -> Verdicts:
    """Add an attempt's verdict to a run's file; return all verdicts of the run.

    What sealed the file before is gone then: it said that the run was over. Raises BadEvidence
    when the file cannot be written; it stays as it was.
    """
    with locked(directory):
        verdicts = read_verdicts(directory).including(requirement_id, scenario, verdict, attempt)
        write_tables(directory, tables_of(verdicts))
    return verdicts


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keep others from writing verdicts meanwhile."""
    with FileLock(directory / f".{FILE_NAME}.lock"):
        yield


def _verdict(table: Mapping[str, Any]) -> Verdict:
    return Verdict(
        Status(table["status"]),
        tuple(table["reasons"]),
        tuple(table["evidence"]),
        table["owed"],
        table["discharged"],
        table["late"],
        dict(table["digests"]),
    )


def _table(verdict: Verdict) -> dict[str, Any]:
    return {
        "status": str(verdict.status),
        "reasons": list(verdict.reasons),
        "evidence": list(verdict.evidence),
        "owed": verdict.owed,
        "discharged": verdict.discharged,
        "late": verdict.late,
        "digests": dict(sorted(verdict.digests.items())),
    }


def tables_of(verdicts: Verdicts) -> dict[str, Any]:
    """Return what the file holds for `verdicts`: the attempts', and all that is made of them."""
    return {
        "format": FORMAT,
        "to_judge": sorted(verdicts.to_judge),
        "never_judged": verdicts.never_judged,
        "requirements": {
            requirement: {
                **_table(verdicts.of(requirement)),
                "scenarios": {
                    name: {
                        **_table(verdicts.by_requirement[requirement][name]),
                        "attempts": {str(n): _table(one) for n, one in sorted(attempts.items())},
                    }
                    for name, attempts in sorted(scenarios.items())
                },
            }
            for requirement, scenarios in sorted(verdicts.attempts.items())
        },
    }


def write_tables(directory: Path, tables: Mapping[str, Any]) -> None:
    """Write the file whole, or leave the former; raise BadEvidence when it cannot be written."""
    path = directory / FILE_NAME
    name = ""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=directory)
        with os.fdopen(descriptor, "w") as file:
            json.dump(tables, file, indent=2)
            file.write("\n")
        Path(name).replace(path)
    except BaseException as error:
        if name:
            Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise BadEvidence(
                f"{path}: the verdicts cannot be written: {error.strerror}",
                hint="make room; the verdicts of before are still there",
            ) from error
        raise
