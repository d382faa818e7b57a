"""The seal of a run: one hash over all of its evidence and verdicts, made when the run is over.

`verdicts.json` names each file that a verdict may rest on (the history, the captures, transcripts,
`run.json`; of each host, too, with what it judged itself) and what the search for secrets found,
with the SHA-256 of what it held; the seal is the SHA-256 of `verdicts.json` itself. So whoever
changes a file, or a verdict, is found; whoever rewrites all of it alike (history, captures,
verdicts and seal) is not, by any hash kept beside what it speaks of. The seal is printed at the end
of a run: who keeps it elsewhere finds that, too.
`secrets.json` is not sealed, as it is not shared; consoles and errata, as no verdict rests on them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from checks.engine.attempts import Attempt, attempts_of
from checks.engine.verdicts import (
    FILE_NAME,
    Verdicts,
    locked,
    read_tables,
    read_verdicts,
    tables_of,
    write_tables,
)
from evidence import history, leaks
from evidence.capture import Capture
from evidence.errors import Absent, BadEvidence, EvidenceError
from evidence.files import digest_of, inside
from evidence.parts import parts_of, read_histories
from evidence.run import RunDirectory

SEAL, SEALED = "seal", "sealed"
_KEPT = (
    history.FILE_NAME,
    "run.json",
    leaks.FILE_NAME,
    "wire/*.pcapng",
    "guest-*.pcap",
    "transcripts/**/*",
)
_FOLDERS = ("wire", "transcripts")
LARGEST_SEALED = 16 * 1024 * 1024 * 1024
"""Octets of one file: a capture of hours has some GiB."""


def to_judge(directory: Path, attempts: Iterable[Attempt]) -> dict[str, str]:
    """Return the requirements that a run was to judge, each with the place that says so.

    Those of `run.json` were chosen at the beginning; the history has those of each scenario that
    began. Raises BadEvidence when `run.json` cannot be read.
    """
    found: dict[str, str] = {}
    run = RunDirectory(directory)
    with contextlib.suppress(Absent):
        found = dict.fromkeys(run.requirements(), run.facts_file.name)
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
        attempts = attempts_of(read_histories(directory)) if path.exists() else []
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
    before = tables.get(SEALED, {}) if SEAL in tables else {}
    for name, said in before.items():
        if wrong := differs(directory, name, said):
            yield f"{name}: {wrong}"
    for name in _files(directory) if SEAL in tables else ():
        if name not in before:
            yield f"{name}: it was not there when the run was sealed"


def growing(directory: Path) -> Mapping[str, Mapping[str, Any]]:
    """Return what was sealed of captures that the wire may go on with, by name.

    Raises BadEvidence when the verdicts cannot be read.
    """
    sealed_files: Mapping[str, Mapping[str, Any]] = read_tables(directory).get(SEALED, {})
    captures = {name: said for name, said in sealed_files.items() if _is_capture(name)}
    return {name: said for name, said in captures.items() if said["grows"]}


def differs(directory: Path, name: str, said: Mapping[str, Any]) -> str:
    """Say in what a file differs from what was sealed of it; "" when it does not."""
    octets = said["octets"]
    try:
        path = inside(directory, name)
        size = path.stat().st_size
        if not path.is_file():
            return "it was sealed, and is no file any more"
        if octets > LARGEST_SEALED:
            return f"{octets} octets of it are said to be sealed, and no file has so many"
        if size < octets or _content(path, octets) != {**said, "grows": False}:
            return "it was altered after it had been sealed"
    except FileNotFoundError:
        return "it was sealed, and is not there any more"
    except (OSError, ValueError, BadEvidence) as error:
        return f"it was sealed, and cannot be read: {error}"
    return "" if said["grows"] or size == octets else "something was added after it had been sealed"


def _contents(directory: Path) -> dict[str, Any]:
    return {
        name: {**_content(directory / name), "grows": _grows(directory / name)}
        for name in _files(directory)
    }


def _grows(path: Path) -> bool:
    """Whether it is a capture that the wire goes on with."""
    if not _is_capture(path.name):
        return False
    try:
        return not Capture(path).coverage().ended
    except EvidenceError:
        return False


def _is_capture(name: str) -> bool:
    return name.endswith(".pcapng")


def _files(directory: Path) -> list[str]:
    parts = parts_of(directory)
    for part in parts:
        for folder in _FOLDERS:  # a link to / would have the whole disk walked
            inside(part.directory, folder)
    found = (
        path
        for part in parts
        for pattern in (*_KEPT, *((FILE_NAME,) if part.host else ()))
        for path in part.directory.glob(pattern)
        if path.is_file()
    )
    return sorted(str(path.relative_to(directory)) for path in found)


def _content(path: Path, octets: int | None = None) -> dict[str, Any]:
    """Return how much of a file is meant (all of it by default), and the SHA-256 of so much."""
    size, digest = digest_of(path, "file of the run", octets)
    return {"octets": size, "sha256": digest, "grows": False}


def _seal_of(tables: Mapping[str, Any]) -> str:
    content = {name: value for name, value in tables.items() if name != SEAL}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
