"""What a report should rest on and cannot: what is not there, damaged, cut off, or never began.

It is named, and stops no report. What was altered is no lack: that did not come about by itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from checks.engine.attempts import attempts_in, attempts_of
from checks.engine.collected import Collected
from evidence.clock import steps
from evidence.errors import EvidenceError
from evidence.event import NS_BOUND
from evidence.events.run import ScenarioEnded, ScenarioStarted
from evidence.files import inside
from evidence.history import Recording
from evidence.parts import Histories, Part
from report.words import listed

V = TypeVar("V")

_SHOWN = 5
"""So many of one kind of damage are named; the others are counted."""


@dataclass(frozen=True)
class Lack:
    """Evidence that a report should rest on and cannot: which, and why not."""

    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.what}: {self.why}"


def below(directory: Path, lack: Lack) -> Lack:
    """Name files as they lie in the run, wherever that lies."""
    return Lack(lack.what, lack.why.replace(f"{directory}/", ""))


def or_lack(lacks: list[Lack], what: str, read: Callable[[], V], without: V) -> V:
    """Read something; where it cannot be read, add that to `lacks` and go `without`."""
    try:
        return read()
    except EvidenceError as error:
        lacks.append(Lack(what, error.message))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        lacks.append(Lack(what, f"cannot be read: {error!r}"))
    return without


def first(found: Sequence[str]) -> list[str]:
    """Return the first of many complaints of one kind, and how many more there are."""
    more = len(found) - _SHOWN
    return [*found[:_SHOWN], *([f"and {more} more"] if more > 0 else [])]


def cut_off(histories: Histories) -> Iterator[Lack]:
    """Yield the last beginnings of scenarios that have no end, on whichever host that was."""
    in_order = sorted(attempts_of(histories), key=lambda one: one.earlier)
    open_since = {one.scenario: one for one in in_order}
    for part, recording in histories:
        for ended in recording.of(ScenarioEnded):
            began = open_since.get(ended.scenario)
            if began is not None and began.part == part.prefix and began.line < ended.line:
                del open_since[ended.scenario]
    for one in open_since.values():
        yield Lack(one.scenario, f"began at {one.place} and never ended: it was cut off")


def never_began(facts: Mapping[str, Any], histories: Histories) -> Iterator[Lack]:
    """Yield what the run was to carry out and never began, by its own `run.json`."""
    if (collected := Collected.told(facts)) is None:
        return
    left = collected.never_began(one.scenario for one in attempts_of(histories))
    if left:
        names = [f"{name} ({count})" if count > 1 else name for name, count in left.items()]
        count, of = sum(left.values()), sum(collected.scenarios.values())
        yield Lack("scenarios", f"{count} of {of} never began: {listed(names, _SHOWN)}")


def capture_of(part: Part, lab: str) -> Path:
    """Return the capture of a lab that a history names, which need not be there.

    Raises BadEvidence for a name that leads out of the part of the run.
    """
    capture = part.files.capture(lab)
    return inside(part.directory, os.path.relpath(capture, part.directory))


def missing_captures(part: Part, recording: Recording) -> Iterator[Lack]:
    """Yield the captures of labs that scenarios ran in, and that are not there."""
    for lab in dict.fromkeys(one.lab for one in recording.of(ScenarioStarted)):
        try:
            capture = capture_of(part, lab)
        except EvidenceError as error:
            yield Lack("capture", f"{error.message}: no frame of that lab can be shown")
            continue
        if not os.path.isfile(capture):  # noqa: PTH113 - Path's falls over a name that is too long
            yield Lack(part.place(capture), "is not there: no frame can be shown")


def clocks_set(recording: Recording) -> tuple[list[Lack], list[str]]:
    """Find when a host's clock was set, or it slept: within a scenario, and between two.

    What came within one is a lack of the run, as it is a flaw to the checks. No scenario's times go
    across the others: these are told, no more.
    """
    within: dict[int, str] = {}
    for first_line, last_line in _stretches(recording):
        within = {**_steps(recording.between(first_line, last_line)), **within}
    others = [what for line, what in _steps(recording).items() if line not in within]
    return [Lack("clock", one) for one in first(list(within.values()))], others


def _stretches(recording: Recording) -> Iterator[tuple[int, int]]:
    """Yield from which line to which each scenario was carried out: until it was judged last."""
    for one in attempts_in(recording):
        ended = [end.line for end in recording.of(ScenarioEnded, one.scenario)]
        ends = [*one.judged.values()] or [line for line in ended if line > one.line][:1]
        yield one.line, max(ends, default=NS_BOUND)


def _steps(recording: Recording) -> dict[int, str]:
    """Return what became of the host's clock, by the line at which it shows."""
    known = [(one.event, one.host_clock) for one in recording.lines if one.host_clock is not None]
    found: dict[int, list[str]] = {}
    for since, at, what in steps((clock, event.at_ns) for event, clock in known):
        told = f"{what}, between {known[since][0].place} and {known[at][0].place}"
        found.setdefault(known[at][0].line, []).append(told)
    return {line: "; ".join(whats) for line, whats in found.items()}
