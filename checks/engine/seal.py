"""The seal of a run: one hash over all of its evidence and verdicts, made when the run is over.

`verdicts.json` names each file that a verdict may rest on (the history, the captures, transcripts,
`run.json`) with the SHA-256 of what it held; the seal is the SHA-256 of `verdicts.json` itself. So
whoever changes a file, or a verdict, is found; whoever rewrites all of it alike (history, captures,
verdicts and seal) is not, by any hash kept beside what it speaks of. The seal is printed at the
end of a run: who keeps it elsewhere finds that, too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from checks.engine.attempts import Attempt, attempts_in
from checks.engine.verdicts import (
    FILE_NAME,
    Verdicts,
    locked,
    read_tables,
    read_verdicts,
    tables_of,
    write_tables,
)
from evidence import history
from evidence.capture import Capture
from evidence.errors import BadEvidence, EvidenceError
from evidence.history import read_history

SEAL, SEALED = "seal", "sealed"
_KEPT = (history.FILE_NAME, "run.json", "wire/*.pcapng", "transcripts/**/*")
_PIECE = 1 << 20


def to_judge(directory: Path, attempts: Iterable[Attempt]) -> dict[str, str]:
    """Return the requirements that a run was to judge, each with the place that says so.

    Those of `run.json` were chosen at the beginning; the history has those of each scenario that
    began. Raises BadEvidence when `run.json` cannot be read.
    """
    found: dict[str, str] = {}
    path = directory / "run.json"
    if path.exists():
        try:
            found = dict.fromkeys(
                map(str, json.loads(path.read_bytes()).get("requirements", ())), path.name
            )
        except (ValueError, AttributeError, TypeError) as error:
            raise BadEvidence(f"{path}: cannot be read: {error}") from error
    for one in attempts:
        for requirement in one.requirements:
            found.setdefault(requirement, one.place)
    return found


def seal(directory: Path) -> str:
    """Seal a run that is over; return the seal, "" when there is nothing to be sealed.

    Raises BadEvidence when the evidence cannot be read, or the verdicts not be written.
    """
    if not any((directory / name).exists() for name in (history.FILE_NAME, FILE_NAME)):
        return ""
    with locked(directory):
        said, path = read_verdicts(directory), directory / history.FILE_NAME
        attempts = attempts_in(read_history(path)) if path.exists() else []
        verdicts = Verdicts(said.attempts, said.to_judge | set(to_judge(directory, attempts)))
        tables = {**tables_of(verdicts), SEALED: _contents(directory)}
        tables[SEAL] = _seal_of(tables)
        write_tables(directory, tables)
    return str(tables[SEAL])


def sealed(directory: Path) -> str:
    """Return the seal that a run bears; "" when it bears none."""
    return str(read_tables(directory).get(SEAL, ""))


def broken(directory: Path, kept: str = "") -> Iterator[str]:
    """Yield what differs from what was sealed; `kept`: the seal that somebody kept elsewhere.

    A capture that the wire had not closed may have grown: a lab that is kept goes on recording.
    """
    tables = read_tables(directory)
    if SEAL in tables and tables[SEAL] != _seal_of(tables):
        yield f"{FILE_NAME}: it was altered after it had been sealed"
    if kept and tables.get(SEAL) != kept.strip().lower():
        found = tables.get(SEAL) or "not there"
        yield f"{FILE_NAME}: the seal is {found}, and another one was kept"
    before = tables.get(SEALED) if SEAL in tables else None
    if not isinstance(before, dict):
        return
    for name, said in before.items():
        octets = said.get("octets") if isinstance(said, dict) else None
        if not isinstance(octets, int):
            yield f"{FILE_NAME}: what was sealed of {name} cannot be read"
        elif not (directory / name).is_file():
            yield f"{name}: it was sealed, and is not there any more"
        elif _content(directory / name, octets) != {**said, "grows": False}:
            yield f"{name}: it was altered after it had been sealed"
        elif not said.get("grows") and (directory / name).stat().st_size != octets:
            yield f"{name}: something was added after it had been sealed"
    for name in _files(directory):
        if name not in before:
            yield f"{name}: it was not there when the run was sealed"


def _contents(directory: Path) -> dict[str, Any]:
    return {
        name: {**_content(directory / name), "grows": _grows(directory / name)}
        for name in _files(directory)
    }


def _grows(path: Path) -> bool:
    """Whether it is a capture that the wire goes on with."""
    if path.suffix != ".pcapng":
        return False
    try:
        return not Capture(path).coverage().ended
    except EvidenceError:
        return False


def _files(directory: Path) -> list[str]:
    found = (path for pattern in _KEPT for path in directory.glob(pattern) if path.is_file())
    return sorted(str(path.relative_to(directory)) for path in found)


def _content(path: Path, octets: int | None = None) -> dict[str, Any]:
    """Return how much of a file is meant (all of it by default), and the SHA-256 of so much."""
    octets = path.stat().st_size if octets is None else octets
    digest, left = hashlib.sha256(), octets
    with path.open("rb") as file:
        while left and (piece := file.read(min(left, _PIECE))):
            digest.update(piece)
            left -= len(piece)
    return {"octets": octets - left, "sha256": digest.hexdigest(), "grows": False}


def _seal_of(tables: Mapping[str, Any]) -> str:
    content = {name: value for name, value in tables.items() if name != SEAL}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
