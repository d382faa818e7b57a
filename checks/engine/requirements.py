"""The catalogue of what the two guides promise, and what the harness promises of itself.

`requirements.toml` holds it, one table a requirement. Which of them are shown is not written there:
a requirement is shown when a check is registered for it.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from evidence.errors import BadEvidence, EvidenceError

FILE = Path(__file__).parents[1] / "requirements.toml"


class UnknownRequirement(EvidenceError):
    """An id that the catalogue of requirements does not hold."""


class Requirement(BaseModel):
    """A promise: where it is made, what shows it, how it is provoked, what must break it.

    repetitions: how often it is to be provoked for a signature.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^(MN|FO|LAB)-\d\d$")
    guide: Literal["multi-node", "failover", "harness"]
    section: str = Field(min_length=1)
    statement: str = Field(min_length=1)
    evidence: str = ""
    provoke: str = ""
    limit: str = ""
    mutant: str = ""
    repetitions: int = Field(default=1, ge=1)


class Catalogue:
    """Requirements by id, in the order of the file."""

    def __init__(self, requirements: Mapping[str, Requirement]) -> None:
        self._by_id = dict(requirements)

    def get(self, requirement_id: str) -> Requirement:
        """Return a requirement; raise UnknownRequirement, naming close ids, when there is none."""
        found = self._by_id.get(requirement_id)
        if found is not None:
            return found
        close = difflib.get_close_matches(requirement_id.upper(), self._by_id, n=3, cutoff=0.4)
        raise UnknownRequirement(
            f"{requirement_id!r} is not a requirement in {FILE.name}",
            hint=f"did you mean {', '.join(close)}?" if close else "see `python -m checks list`",
        )

    def __iter__(self) -> Iterator[Requirement]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, requirement_id: object) -> bool:
        return requirement_id in self._by_id


def read_catalogue(path: Path) -> Catalogue:
    """Read and validate a catalogue; raise BadEvidence naming file, requirement and key."""
    try:
        tables = tomllib.loads(path.read_text())["requirement"]
        requirements = TypeAdapter(list[Requirement]).validate_python(tables)
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise BadEvidence(f"{path}: no catalogue of [[requirement]] tables: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = " -> ".join(map(str, first["loc"]))
        raise BadEvidence(f"{path}: requirement {where}: {first['msg']}") from error
    by_id: dict[str, Requirement] = {}
    for requirement in requirements:
        if requirement.id in by_id:
            raise BadEvidence(f"{path}: {requirement.id} stands there twice")
        by_id[requirement.id] = requirement
    return Catalogue(by_id)


@cache
def catalogue() -> Catalogue:
    """Return the project's catalogue."""
    return read_catalogue(FILE)
