"""Attempts: how often a scenario was begun in one directory, and the verdict over all of them.

Each attempt is judged for itself, on its own evidence. A later one never undoes a FAIL; it may
replace an UNKNOWN, and a verdict that was UNKNOWN for the host's lateness alone is made anew so.

Of a run over hosts each host counts its own. One that took a scenario from a host that was lost
goes on counting where that one had come to: so says the run's own history, and no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from checks.engine.verdict import Status, Verdict
from evidence.event import FILE_NAME, Event
from evidence.events.hosts import ScenarioTaken
from evidence.events.run import Judged, ScenarioStarted
from evidence.history import Recording
from evidence.parts import Histories, prefix_of
from evidence.scenario import Evidence


@dataclass(frozen=True)
class Attempt:
    """A scenario that was begun: which time, for what, and where the history says so.

    part: of the run, whose history that is. earlier: how many of the attempts before it were other
    hosts' (so many less is its number in its own part).
    """

    scenario: str
    number: int
    requirements: tuple[str, ...]
    line: int
    judged: Mapping[str, int]
    """At which line it came to be judged last, by requirement."""
    part: str = ""
    earlier: int = 0

    @property
    def place(self) -> str:
        """Where it began."""
        return self.at(self.line)

    def at(self, line: int) -> str:
        """Return a line of its history as verdicts name it."""
        return f"{self.part}{FILE_NAME}:{line}"

    def evidence(self, requirement: str, histories: Histories) -> Evidence:
        """Return its evidence, for judging a requirement."""
        return Evidence(
            histories.parts[self.part].directory,
            self.scenario,
            requirement,
            histories.recordings[self.part],
            self.number - self.earlier,
        )


def attempts_of(histories: Histories) -> list[Attempt]:
    """Return what was begun in all parts, part after part, each counted over all of them."""
    every = [one for _, recording in histories for one in attempts_in(recording)]
    if not histories.over_hosts:
        return every
    parts: dict[str, set[str]] = {}
    for one in every:
        parts.setdefault(one.scenario, set()).add(one.part)
    moved = {one.cut for one in histories.own.of(ScenarioTaken)}
    moved |= {scenario for scenario, begun in parts.items() if len(begun) > 1}
    return [_counted(one, histories) if one.scenario in moved else one for one in every]


def _counted(one: Attempt, histories: Histories) -> Attempt:
    earlier = earlier_elsewhere(histories, one.scenario, one.part)
    return replace(one, number=one.number + earlier, earlier=earlier)


def earlier_elsewhere(histories: Histories, scenario: str, part: str) -> int:
    """Count the attempts of a scenario that come before those of a part: those of other hosts.

    First come the hosts that were lost with it, in the order in which others took it; each has
    begun it once at least, whether or not evidence of that came home.
    """
    lost = [prefix_of(one.lost) for one in _taken(histories, scenario)]
    order = list(dict.fromkeys([*lost, *histories.parts]))
    return sum(
        max([one.attempt for one in begun] + [1] * (prefix in lost), default=0)
        for prefix in order[: order.index(part)]
        for begun in (_begun(histories, scenario, prefix),)
    )


def _taken(histories: Histories, scenario: str) -> list[ScenarioTaken]:
    return [one for one in histories.own.of(ScenarioTaken) if one.cut == scenario]


def _begun(histories: Histories, scenario: str, prefix: str) -> list[ScenarioStarted]:
    recording = histories.recordings.get(prefix)
    return recording.of(ScenarioStarted, scenario) if recording else []


def begun_twice(histories: Histories, attempts: Iterable[Attempt]) -> Iterator[str]:
    """Yield complaints about scenarios that two hosts began, and none took from the other."""
    places: dict[str, dict[str, str]] = {}
    for one in attempts:
        places.setdefault(one.scenario, {}).setdefault(one.part, one.place)
    for scenario, by_part in places.items():
        lost = {prefix_of(one.lost) for one in _taken(histories, scenario)}
        others = [place for part, place in by_part.items() if part not in lost]
        if len(others) > 1:
            yield (
                f"{others[1]}: {scenario} began here and at {others[0]},"
                " and neither host is said to have taken it from the other"
            )


def attempts_in(recording: Recording) -> list[Attempt]:
    """Return what was begun, in the order of the history, with what each was judged for."""
    begun: list[Attempt] = []
    present: dict[str, dict[str, int]] = {}
    marks: list[Event] = [*recording.of(ScenarioStarted), *recording.of(Judged)]
    for event in sorted(marks, key=lambda one: one.line):
        if isinstance(event, ScenarioStarted):
            judged = present[event.scenario] = {}
            begun.append(
                Attempt(
                    event.scenario,
                    event.attempt,
                    event.requirements,
                    event.line,
                    judged,
                    recording.part,
                )
            )
        elif isinstance(event, Judged) and event.scenario in present:
            present[event.scenario][event.requirement] = event.line
    return begun


def counted_twice(attempts: list[Attempt]) -> Iterator[str]:
    """Yield complaints about attempts whose number is not above that of the one before."""
    latest: dict[tuple[str, str], Attempt] = {}
    for one in attempts:
        before = latest.get((one.part, one.scenario))
        if before is not None and one.number <= before.number:
            yield (
                f"{one.place}: {one.scenario} began as attempt {one.number},"
                f" after attempt {before.number} at {before.place}"
            )
        latest[one.part, one.scenario] = one


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
