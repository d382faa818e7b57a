"""A run of a matrix: several runs in one directory, each with another combination of settings.

`run.json` names the combinations, `matrix/NAME` is a complete run's directory, and `matrix.json`
says what became of each, with the seals of them all. Whoever hands a run on may have written any of
it, so names are looked at before they become paths.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from evidence.errors import Absent, BadEvidence
from evidence.files import inside, read_table
from evidence.run import RunDirectory

FOLDER, OUTCOMES = "matrix", "matrix.json"
KEY = "matrix"
"""Of `run.json`."""
MOST = 200
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}")
_STRICT = ConfigDict(strict=True, frozen=True, extra="forbid")


@dataclass(frozen=True)
class Combination:
    """One of a matrix: its name, which is its directory's, and what it sets."""

    name: str
    settings: Mapping[str, str]
    directory: Path

    @property
    def title(self) -> str:
        """What is different in it, for people."""
        return ", ".join(self.settings.values())

    @property
    def place(self) -> str:
        """Where it lies in the run of the matrix."""
        return f"{FOLDER}/{self.name}"

    @property
    def recorded(self) -> bool:
        """Whether there is anything of it."""
        return self.directory.is_dir() and any(
            not path.name.startswith(".") for path in self.directory.iterdir()
        )


class Outcome(BaseModel):
    """What became of one. status: of its pytest; None: it did not end. why: it could not run."""

    model_config = _STRICT

    status: int | None = None
    why: str = ""
    seal: str = ""

    @property
    def cut(self) -> str:
        """Why it did not come to its end; "" when it did."""
        return self.why or ("" if self.status is not None else "nothing says how it ended")


class Outcomes(BaseModel):
    """What `matrix.json` says. run: the SHA-256 of `run.json`. seal: over all of this."""

    model_config = _STRICT

    format: Literal[1] = 1
    combinations: dict[str, Outcome] = {}
    run: str = ""
    seal: str = ""


def combined(run: Path, settings: Iterable[Mapping[str, str]]) -> tuple[Combination, ...]:
    """Return the combinations of a run, one for each of the settings."""
    named = (("_".join(one.values()), one) for one in settings)
    return tuple(Combination(name, one, run / FOLDER / name) for name, one in named)


def combinations_of(run: Path) -> tuple[Combination, ...]:
    """Return the combinations that a run consists of; none when it is no run of a matrix.

    Raises BadEvidence when it is one, and its `run.json` cannot be read.
    """
    try:
        told = RunDirectory(run).facts().get(KEY)
    except BadEvidence:
        if (run / FOLDER).is_dir():
            raise
        return ()
    if told is None:
        return ()
    if not isinstance(told, dict) or not told or len(told) > MOST:
        raise _bad(run, f"it names no combinations, 1 to {MOST} of them")
    for name, settings in told.items():
        if not _NAME.fullmatch(name):
            raise _bad(run, f"{name!r:.80} is no name of a combination")
        if not _are_words(settings):
            raise _bad(run, f"{name}: its settings are no words")
    return tuple(
        Combination(name, settings, inside(run, f"{FOLDER}/{name}"))
        for name, settings in told.items()
    )


def outcomes_of(run: Path) -> Outcomes:
    """Return what became of the combinations that ended; of none when the run was cut off.

    Raises BadEvidence when it cannot be read.
    """
    path = run / OUTCOMES
    try:
        return Outcomes(**read_table(path, "outcomes of a matrix"))
    except Absent:
        return Outcomes()
    except (ValidationError, TypeError) as error:
        raise BadEvidence(f"{path}: no outcomes of a matrix can be read from it") from error


def _are_words(told: object) -> bool:
    return isinstance(told, dict) and all(isinstance(one, str) for one in told.values())


def _bad(run: Path, what: str) -> BadEvidence:
    return BadEvidence(f"{RunDirectory(run).facts_file}: {KEY}: {what}")
