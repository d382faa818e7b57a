"""Reads what a run left behind, as far as it is there: what is not becomes a `Lack`, not an error.

The first screen of a report names every lack. Only a directory that is none is refused. A run over
hosts is read part by part: what is told of one names it, and no two are put on one clock.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

from checks.engine.attempts import Attempt, attempts_of
from checks.engine.integrity import integrity
from checks.engine.verdict import Status, worst
from checks.engine.verdicts import FILE_NAME as VERDICTS
from checks.engine.verdicts import Verdicts, read_tables, read_verdicts
from evidence.errors import BadEvidence, EvidenceError
from evidence.event import NS_BOUND, Event
from evidence.history import FILE_NAME as HISTORY
from evidence.history import Recording, read_history
from evidence.parts import HOSTS, Histories, Part, parts_of
from evidence.run import FACTS_NAME, RunDirectory
from report.lacks import (
    Lack,
    below,
    clocks_set,
    cut_off,
    first,
    missing_captures,
    never_began,
    or_lack,
)
from report.outcomes import LEAKS, Outcomes, outcomes_in

V = TypeVar("V")

TROUBLE = "trouble.log"


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

    altered: what cannot have come about by itself. trouble: lines on labs made once more. notes:
    what a reader may wonder about, and no verdict suffers from.
    """

    directory: Path
    facts: Mapping[str, Any]
    histories: Histories
    verdicts: Verdicts
    departures: tuple[Departure, ...]
    trouble: tuple[str, ...]
    seal: str
    altered: tuple[str, ...]
    lacks: tuple[Lack, ...]
    outcomes: Outcomes
    notes: tuple[str, ...]

    @cached_property
    def attempts(self) -> list[Attempt]:
        """What was begun, part after part."""
        return attempts_of(self.histories)

    def part_of(self, attempt: Attempt) -> tuple[Part, Recording]:
        """Return the part that an attempt was recorded in, and its history."""
        return self.histories.parts[attempt.part], self.histories.recordings[attempt.part]

    def events_of(self, attempt: Attempt) -> list[Event]:
        """Return what an attempt recorded, up to where its scenario was begun again."""
        later = (
            one.line
            for one in self.attempts
            if (one.part, one.scenario) == (attempt.part, attempt.scenario)
            and one.line > attempt.line
        )
        recording = self.histories.recordings[attempt.part]
        own = recording.between(attempt.line, min(later, default=NS_BOUND) - 1)
        return own.of(Event, attempt.scenario)

    def status_of(self, attempt: Attempt) -> Status | None:
        """Return the worst verdict of an attempt; None where it was not judged."""
        said = [
            scenarios[attempt.scenario][attempt.number].status
            for scenarios in self.verdicts.attempts.values()
            if attempt.number in scenarios.get(attempt.scenario, {})
        ]
        return worst(said) if said else None

    def is_set_aside(self, attempt: Attempt) -> bool:
        """Whether it is undecided, and a later one was judged for all that it was judged for."""
        return self.status_of(attempt) is Status.UNKNOWN and any(
            one.scenario == attempt.scenario
            and one.number > attempt.number
            and one.judged.keys() >= attempt.judged.keys()
            for one in self.attempts
        )


def read_run(directory: Path) -> Material:
    """Read what there is of a run; raise BadEvidence when there is no such directory."""
    if not directory.is_dir():
        raise BadEvidence(
            f"{directory}: there is no such directory",
            hint="name the directory of a run, such as runs/latest",
        )
    lacks: list[Lack] = []
    notes: list[str] = []
    facts: Mapping[str, Any] = or_lack(lacks, FACTS_NAME, RunDirectory(directory).facts, {})
    histories = _histories(directory, lacks)
    verdicts = or_lack(lacks, VERDICTS, lambda: read_verdicts(directory), Verdicts())
    tables: Mapping[str, Any] = or_lack([], VERDICTS, lambda: read_tables(directory), {})
    if not verdicts.attempts:
        lacks.append(Lack(VERDICTS, "there is no verdict in it, or no such file"))
    parts = list(histories.parts.values())
    departures = tuple(dict.fromkeys(one for part in parts for one in _departures(part, lacks)))
    altered, found = _looked(directory)
    lacks += found
    outcomes = outcomes_in(directory)
    if outcomes.shareable is False:
        lacks.append(Lack(LEAKS, f"DO NOT SHARE: {outcomes.secrets}"))
    lacks += [*cut_off(histories), *never_began(facts, histories)]
    for part, recording in histories:
        set_within, set_between = clocks_set(recording)
        lacks += [*missing_captures(part, recording), *set_within]
        notes += set_between
    return Material(
        directory,
        facts,
        histories,
        verdicts,
        departures,
        tuple(line for part in parts for line in _trouble(part)),
        str(tables.get("seal", "")),
        altered,
        tuple(dict.fromkeys(below(directory, one) for one in lacks)),
        outcomes,
        tuple(notes),
    )


def _histories(directory: Path, lacks: list[Lack]) -> Histories:
    """Read the run's own history and those of its parts; without one of its own there are these."""
    none: tuple[Part, ...] = (Part("", directory),)
    parts = or_lack(lacks, HOSTS, lambda: parts_of(directory), none)
    own = parts[0].files.history
    read = {"": or_lack(lacks, HISTORY, lambda: read_history(own), Recording([]))}
    read |= {part.prefix: part.read() for part in parts if part.host}
    return Histories({part.prefix: part for part in parts}, read)


def _departures(part: Part, lacks: list[Lack]) -> Iterator[Departure]:
    for path in sorted(part.directory.glob("errata-*.json")):
        guide = path.stem.removeprefix("errata-").replace("_", "-")
        rows: Any = or_lack(lacks, part.place(path), partial(_json, path), [])
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
    lacks = [Lack("damaged", one) for one in first(looked.damaged)]
    never = "was to be judged, and never was"  # what a run does not show is told by requirement
    lacks += [Lack("not closed", one) for one in first([o for o in looked.open if never not in o])]
    return looked.altered, lacks


def _damage(directory: Path) -> Iterator[Lack]:
    """Yield what is damaged in the history of a run whose verdicts cannot be read."""
    with suppress(EvidenceError, OSError):
        for one in first([str(each) for each in read_history(directory / HISTORY).damage]):
            yield Lack("damaged", one)


def _trouble(part: Part) -> tuple[str, ...]:
    try:
        text = (part.directory / TROUBLE).read_text(errors="replace")
    except OSError:
        return ()
    where = f"{part.host}: " if part.host else ""
    return tuple(where + line for line in text.splitlines() if line.strip())
