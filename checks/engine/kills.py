"""The kill table: what each check was seen to reject, and for which reason.

A mutant is evidence of a good run, changed by rule, or by hand as a sentence says. `kills.json`
ships with the checks: `python -m tests.score --write` makes it, and the build fails when it is not
what the checks say today, or when a check kills nothing. Nothing here makes mutants.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from evidence.errors import BadEvidence
from evidence.files import LARGEST_TABLE, read_whole

FILE = Path(__file__).parents[1] / "kills.json"


class Kill(BaseModel):
    """What became of the mutants that one rule made of a requirement's good run.

    failed, unknown: how many of them were FAIL and UNKNOWN. mutant: one of them, a FAIL if there is
    one; reason: why that was no PASS.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: str = Field(min_length=1)
    failed: int = Field(ge=0)
    unknown: int = Field(ge=0)
    mutant: str
    reason: str = Field(min_length=1)

    @property
    def mutants(self) -> int:
        """How many were killed: none of them was taken for good."""
        return self.failed + self.unknown


Table = Mapping[str, tuple[Kill, ...]]
"""By requirement."""

_TABLE = TypeAdapter(dict[str, tuple[Kill, ...]])


def read_kills(path: Path = FILE) -> Table:
    """Read a kill table; raise BadEvidence when there is none, or it is something else."""
    content = read_whole(path, "kill table", LARGEST_TABLE, "python -m tests.score --write")
    try:
        return _TABLE.validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = " -> ".join(map(str, first["loc"]))
        raise BadEvidence(f"{path}: no kill table: {where}: {first['msg']}") from error


def written(table: Table) -> str:
    """Return the table as it stands in its file: a line a kill, so that a change can be read."""
    parts = []
    for requirement, kills in sorted(table.items()):
        lines = ",\n".join(f"    {json.dumps(kill.model_dump())}" for kill in kills)
        parts.append(f'  "{requirement}": [\n{lines}\n  ]')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def kill_nothing(table: Table, requirements: Iterable[str]) -> list[str]:
    """Return which of some requirements' checks have called no mutant FAIL."""
    return sorted(one for one in requirements if not _failed(table.get(one, ())))


def _failed(kills: Iterable[Kill]) -> int:
    return sum(kill.failed for kill in kills)


def differences(shipped: Table, found: Table) -> Iterator[str]:
    """Yield where a table is not what was found, a line each."""
    for requirement in sorted({*shipped, *found}):
        before = {kill.rule: kill for kill in shipped.get(requirement, ())}
        now = {kill.rule: kill for kill in found.get(requirement, ())}
        for rule in sorted({*before, *now}):
            if before.get(rule) != now.get(rule):
                was, is_now = _told(before.get(rule)), _told(now.get(rule))
                yield f"{requirement}, {rule}: {was}; now {is_now}"


def _told(kill: Kill | None) -> str:
    if kill is None:
        return "nothing"
    return f"{kill.failed} FAIL and {kill.unknown} UNKNOWN, as {kill.mutant!r}: {kill.reason}"
