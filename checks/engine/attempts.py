"""Attempts: how often a scenario was begun in one directory, and the verdict over all of them.

Each attempt is judged for itself, on its own evidence. A later one never undoes a FAIL; it may
replace an UNKNOWN, and a verdict that was UNKNOWN for the host's lateness alone is made anew so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from checks.engine.verdict import Status, Verdict
from evidence.event import FILE_NAME, Event
from evidence.events.run import Judged, ScenarioStarted
from evidence.history import Recording


@dataclass(frozen=True)
class Attempt:
    """A scenario that was begun: which time, for what, and where the history says so."""

    scenario: str
    number: int
    requirements: tuple[str, ...]
    line: int
    judged: Mapping[str, int]
    """At which line it came to be judged last, by requirement."""

    @property
    def place(self) -> str:
        """Where it began."""
        return f"{FILE_NAME}:{self.line}"


def attempts_in(recording: Recording) -> list[Attempt]:
    """Return what was begun, in the order of the history, with what each was judged for."""
    begun: list[Attempt] = []
    present: dict[str, dict[str, int]] = {}
    marks: list[Event] = [*recording.of(ScenarioStarted), *recording.of(Judged)]
    for event in sorted(marks, key=lambda one: one.line):
        if isinstance(event, ScenarioStarted):
            judged = present[event.scenario] = {}
            begun.append(
                Attempt(event.scenario, event.attempt, event.requirements, event.line, judged)
            )
        elif isinstance(event, Judged) and event.scenario in present:
            present[event.scenario][event.requirement] = event.line
    return begun


def counted_twice(attempts: list[Attempt]) -> Iterator[str]:
    """Yield complaints about attempts whose number is not above that of the one before."""
    latest: dict[str, Attempt] = {}
    for one in attempts:
        before = latest.get(one.scenario)
        if before is not None and one.number <= before.number:
            yield (
                f"{one.place}: {one.scenario} began as attempt {one.number},"
                f" after attempt {before.number} at {before.place}"
            )
        latest[one.scenario] = one


def late_before(attempts: Mapping[int, Verdict]) -> int:
    """Count the attempts that were followed by another because the host was late."""
    return sum(attempts[number].late for number in sorted(attempts)[:-1])


def over_attempts(attempts: Mapping[int, Verdict]) -> Verdict:
    """Return the verdict over the attempts of a scenario: FAIL if any is, else the last one's."""
    numbers = sorted(attempts)
    last = attempts[numbers[-1]]
    failed = [number for number in numbers if attempts[number].status is Status.FAIL]
    if failed and last.status is not Status.FAIL:
        worst = attempts[failed[-1]]
        said = f"attempt {failed[-1]} of {numbers[-1]} failed; a later one does not undo that"
        return replace(worst, reasons=(said, *worst.reasons))
    late = late_before(attempts)
    if not late:
        return last
    said = f"{late} attempt{'s were' if late > 1 else ' was'} repeated because the host was late"
    return replace(last, reasons=(*last.reasons, said))
