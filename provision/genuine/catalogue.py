"""The sources there are, as `catalogue.toml` lists them. Fetches nothing."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lab.cache import content_key
from provision.errors import SourceRefused

CATALOGUE = Path(__file__).with_name("catalogue.toml")


class Source(BaseModel):
    """A published source: where it is, and which commit of it is meant."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    repository: str = Field(pattern=r"^(https|file)://\S+$")
    tag: str
    """What people call that commit; empty where it has no name of its own."""
    commit: str = Field(pattern=r"^[0-9a-f]{40}$")
    licence: str = Field(min_length=1)

    def __str__(self) -> str:
        return f"{self.name} {self.tag or 'untagged'} ({self.commit[:12]})"


def read(path: Path = CATALOGUE) -> dict[str, Source]:
    """Return the catalogue by name, in its order. SourceRefused names file, entry and key."""
    try:
        tables = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as wrong:
        raise SourceRefused(f"{path}: {wrong}") from wrong
    sources: dict[str, Source] = {}
    for name, table in tables.items():
        try:
            sources[name] = Source.model_validate({"name": name, **table})
        except (ValidationError, TypeError) as wrong:
            raise SourceRefused(f"{path}: [{name}] {_first(wrong)}") from wrong
    return sources


def key_of(sources: Iterable[Source]) -> str:
    """Return a hash over which commits are meant, in whatever order they come."""
    return content_key(*sorted(f"{source.name} {source.commit}" for source in sources))


def _first(wrong: ValidationError | TypeError) -> str:
    if isinstance(wrong, TypeError):
        return "is no table"
    error = wrong.errors()[0]
    return f"{'.'.join(map(str, error['loc']))}: {error['msg']}"
