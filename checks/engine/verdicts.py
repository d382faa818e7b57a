"""`verdicts.json`: each requirement's verdict in a run, and each scenario's part in it.

Written whole (a temporary file, then a rename) under a lock, so scenarios that run side by side
don't lose each other's verdicts and a reader never sees half a file.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock

from checks.engine.repetition import Repetition
from checks.engine.verdict import Status, Verdict, combine
from evidence.errors import BadEvidence

FILE_NAME = "verdicts.json"


@dataclass(frozen=True)
class Verdicts:
    """What each scenario said of each requirement: `by_requirement[id][scenario]`."""

    by_requirement: Mapping[str, Mapping[str, Verdict]] = field(default_factory=dict)

    def of(self, requirement_id: str) -> Verdict:
        """Return a requirement's verdict over all its scenarios; UNKNOWN when none judged it.

        Repetitions don't count beside the verdict over all of them, which knows more.
        """
        parts = self.by_requirement.get(requirement_id, {})
        return combine(part for name, part in parts.items() if not _is_covered(name, parts))

    def including(self, requirement_id: str, scenario: str, verdict: Verdict) -> Verdicts:
        """Return these verdicts with one more, which replaces the scenario's former one."""
        parts = {**self.by_requirement.get(requirement_id, {}), scenario: verdict}
        return Verdicts({**self.by_requirement, requirement_id: parts})


def _is_covered(scenario: str, parts: Mapping[str, Verdict]) -> bool:
    repetition = Repetition.named(scenario)
    return repetition is not None and repetition.series in parts


def read_verdicts(directory: Path) -> Verdicts:
    """Read a run's verdicts; none when nothing was judged yet.

    Raises BadEvidence when the file is damaged.
    """
    path = directory / FILE_NAME
    if not path.exists():
        return Verdicts()
    try:
        tables = json.loads(path.read_text())["requirements"]
        return Verdicts(
            {
                requirement: {name: _verdict(part) for name, part in table["scenarios"].items()}
                for requirement, table in tables.items()
            }
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadEvidence(f"{path}: no verdicts can be read: {error!r}") from error


def record_verdict(
    directory: Path, requirement_id: str, scenario: str, verdict: Verdict
) -> Verdicts:
    """Add a scenario's verdict to a run's file; return all verdicts of the run."""
    with FileLock(directory / f".{FILE_NAME}.lock"):
        verdicts = read_verdicts(directory).including(requirement_id, scenario, verdict)
        _write_whole(directory / FILE_NAME, _tables(verdicts))
    return verdicts


def _verdict(table: Mapping[str, Any]) -> Verdict:
    return Verdict(Status(table["status"]), tuple(table["reasons"]), tuple(table["evidence"]))


def _table(verdict: Verdict) -> dict[str, Any]:
    return {
        "status": str(verdict.status),
        "reasons": list(verdict.reasons),
        "evidence": list(verdict.evidence),
    }


def _tables(verdicts: Verdicts) -> dict[str, Any]:
    return {
        "requirements": {
            requirement: {
                **_table(verdicts.of(requirement)),
                "scenarios": {name: _table(part) for name, part in sorted(parts.items())},
            }
            for requirement, parts in sorted(verdicts.by_requirement.items())
        }
    }


def _write_whole(path: Path, content: Mapping[str, Any]) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file, indent=2)
            file.write("\n")
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
