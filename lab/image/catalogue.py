"""The images there are, as `catalogue.toml` lists them. Fetches and builds nothing."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from lab.errors import ImageError

CATALOGUE = Path(__file__).with_name("catalogue.toml")


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    family: Literal["debian", "el"]
    release: int
    user: str = ""
    min_cpu: Literal["x86-64-v1", "x86-64-v2", "x86-64-v3"] = "x86-64-v1"
    default: bool = False
    never_run: bool = False
    """Whether no guest of it was ever seen by this project."""


class Download(_Entry):
    """A published disk image that boots from its disk, and how its SHA-256 is known.

    `sha256` pins it here. `checksum_url` is where its publisher says it, signed by a key of the
    keyring `keys/KEY.gpg`: within itself, or in a file with `.asc` after its name. Where both are
    given, both must hold. `signature` is "if published" for publishers who have not signed so far.
    """

    kind: Literal["download"]
    url: str = Field(pattern=r"^https://")
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    checksum_url: str | None = Field(default=None, pattern=r"^https://")
    key: str | None = Field(default=None, pattern=r"^[a-z0-9-]+$")
    signature: Literal["required", "if published"] = "required"

    @model_validator(mode="after")
    def _known_from_somebody(self) -> Download:
        if self.sha256 is None and self.checksum_url is None:
            raise ValueError("expected sha256, or checksum_url, or both")
        if (self.checksum_url is None) != (self.key is None):
            raise ValueError("expected checksum_url and key, or neither")
        return self


class Build(_Entry):
    """A guest that is built on this machine and started with its kernel directly."""

    kind: Literal["build"]


Entry = Annotated[Download | Build, Field(discriminator="kind")]


def read(path: Path = CATALOGUE) -> dict[str, Download | Build]:
    """Return the catalogue by name, in its order. ImageError names file, entry and key."""
    try:
        tables = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as wrong:
        raise ImageError(f"{path}: {wrong}") from wrong
    adapter: TypeAdapter[Download | Build] = TypeAdapter(Entry)
    entries: dict[str, Download | Build] = {}
    for name, table in tables.items():
        try:
            entries[name] = adapter.validate_python({"name": name, **table})
        except ValidationError as wrong:
            first = wrong.errors()[0]
            key = ".".join(str(part) for part in first["loc"] if part not in ("download", "build"))
            raise ImageError(f"{path}: [{name}] {key}: {first['msg']}") from wrong
    return entries


def find(name: str, entries: dict[str, Download | Build]) -> Download | Build:
    """Return the entry called `name`; ImageError lists those there are."""
    if name not in entries:
        raise ImageError(
            f"there is no image called {name!r}", hint=f"known images: {', '.join(entries)}"
        )
    return entries[name]
