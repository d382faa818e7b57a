"""Reads what a run left behind, as far as it is there: what is not becomes a `Lack`, not an error.

The first screen of a report names every lack. Only a directory that is none is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from checks.engine.attempts import Attempt, attempts_in
from checks.engine.integrity import integrity
from checks.engine.verdicts import FILE_NAME as VERDICTS
from checks.engine.verdicts import Verdicts, read_tables, read_verdicts
from evidence.clock import complaints
from evidence.errors import BadEvidence, EvidenceError
from evidence.events.run import ScenarioEnded, ScenarioStarted
from evidence.history import FILE_NAME as HISTORY
from evidence.history import Recording, read_history
from evidence.run import FACTS_NAME, RunDirectory

V = TypeVar("V")

TROUBLE = "trouble.log"
_SHOWN = 5
"""So many of one kind of damage are named; the others are counted."""


@dataclass(frozen=True)
class Lack:
    """Evidence that a report should rest on and cannot: which, and why not."""

    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.what}: {self.why}"


@dataclass(frozen=True)
class Departure:
    """Where a guide's own words do not work, or the lab is not the world; what was done instead."""

    guide: str
    kind: str
    name: str
    says: str
    happens: str
    fix: str


@dataclass(frozen=True)
class Material:
    """All that a report is made of.

    altered: what cannot have come about by itself. trouble: lines on labs made once more.
    """

    directory: Path
    facts: Mapping[str, Any]
    recording: Recording
    verdicts: Verdicts
    departures: tuple[Departure, ...]
    trouble: tuple[str, ...]
    seal: str
    altered: tuple[str, ...]
    lacks: tuple[Lack, ...]

    @property
    def files(self) -> RunDirectory:
        """Where each piece lies."""
        return RunDirectory(self.directory)

    @property
    def attempts(self) -> list[Attempt]:
        """What was begun."""
        return attempts_in(self.recording)


def read_run(directory: Path) -> Material:
    """Read what there is of a run; raise BadEvidence when there is no such directory."""
    if not directory.is_dir():
        raise BadEvidence(
            f"{directory}: there is no such directory",
            hint="name the directory of a run, such as runs/latest",
        )
    lacks: list[Lack] = []
    files = RunDirectory(directory)
    facts: Mapping[str, Any] = _or_lack(lacks, FACTS_NAME, files.facts, {})
    recording = _or_lack(lacks, HISTORY, lambda: read_history(files.history), Recording([]))
    verdicts = _or_lack(lacks, VERDICTS, lambda: read_verdicts(directory), Verdicts())
    tables: Mapping[str, Any] = _or_lack([], VERDICTS, lambda: read_tables(directory), {})
    if not verdicts.attempts:
        lacks.append(Lack(VERDICTS, "there is no verdict in it, or no such file"))
    departures = tuple(_departures(directory, lacks))
    altered, found = _looked(directory)
    lacks += found
    lacks += [*_cut_off(recording), *_captures(files, recording), *_clocks(recording)]
    return Material(
        directory,
        facts,
        recording,
        verdicts,
        departures,
        _trouble(directory),
        str(tables.get("seal", "")),
        altered,
        tuple(dict.fromkeys(_below(directory, one) for one in lacks)),
    )


def _below(directory: Path, lack: Lack) -> Lack:
    """Name files as they lie in the run, wherever that lies."""
    return Lack(lack.what, lack.why.replace(f"{directory}/", ""))


def _or_lack(lacks: list[Lack], what: str, read: Callable[[], V], without: V) -> V:
    try:
        return read()
    except EvidenceError as error:
        lacks.append(Lack(what, error.message))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        lacks.append(Lack(what, f"cannot be read: {error!r}"))
    return without


def _departures(directory: Path, lacks: list[Lack]) -> Iterator[Departure]:
    for path in sorted(directory.glob("errata-*.json")):
        guide = path.stem.removeprefix("errata-").replace("_", "-")
        rows: Any = _or_lack(lacks, path.name, partial(_json, path), [])
        for row in rows if isinstance(rows, list) else []:
            if isinstance(row, dict):
                names = ("kind", "name", "guide", "happens", "fix")
                yield Departure(guide, *(str(row.get(name, "")) for name in names))


def _json(path: Path) -> Any:  # noqa: ANN401 - whatever stands there
    return json.loads(path.read_bytes())


def _looked(directory: Path) -> tuple[tuple[str, ...], list[Lack]]:
    """Look at every file; return what was altered, and what is damaged or was never closed."""
    try:
        looked = integrity(directory)
    except EvidenceError as error:
        return (), [Lack("integrity", f"cannot be told: {error.message}"), *_damage(directory)]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        return (), [Lack("integrity", f"cannot be told: {error!r}"), *_damage(directory)]
    lacks = [Lack("damaged", one) for one in _first(looked.damaged)]
    never = "was to be judged, and never was"  # what a run does not show is told by requirement
    lacks += [Lack("not closed", one) for one in _first([o for o in looked.open if never not in o])]
    return looked.altered, lacks


def _damage(directory: Path) -> Iterator[Lack]:
    """Yield what is damaged in the history of a run whose verdicts cannot be read."""
    with suppress(EvidenceError, OSError):
        for one in _first([str(each) for each in read_history(directory / HISTORY).damage]):
            yield Lack("damaged", one)


def _first(found: Sequence[str]) -> list[str]:
    more = len(found) - _SHOWN
    return [*found[:_SHOWN], *([f"and {more} more"] if more > 0 else [])]


def _cut_off(recording: Recording) -> Iterator[Lack]:
    """Yield the last beginnings of scenarios that have no end."""
    open_since = {one.scenario: one for one in attempts_in(recording)}
    for ended in recording.of(ScenarioEnded):
        began = open_since.get(ended.scenario)
        if began is not None and began.line < ended.line:
            del open_since[ended.scenario]
    for one in open_since.values():
        yield Lack(one.scenario, f"began at {one.place} and never ended: it was cut off")


def _captures(files: RunDirectory, recording: Recording) -> Iterator[Lack]:
    """Yield the captures of labs that scenarios ran in, and that are not there."""
    for lab in dict.fromkeys(one.lab for one in recording.of(ScenarioStarted)):
        if not files.capture(lab).is_file():
            yield Lack(files.place(files.capture(lab)), "is not there: no frame can be shown")


def _clocks(recording: Recording) -> Iterator[Lack]:
    """Yield when the host's clock was set, or it slept, anywhere in the run."""
    clocks = [(line.event.place, line.host_clock) for line in recording.lines]
    for one in _first(complaints(clocks)):
        yield Lack("clock", one)


def _trouble(directory: Path) -> tuple[str, ...]:
    try:
        text = (directory / TROUBLE).read_text(errors="replace")
    except OSError:
        return ()
    return tuple(line for line in text.splitlines() if line.strip())
