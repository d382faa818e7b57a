"""Judging a scenario while it runs, and a whole run again later, by the same evidence.

`judge_now` marks the moment of judging in the history first; what is recorded after the mark
(the tidying up, other scenarios) is no evidence for this verdict. `judge_again` finds the marks of
every attempt, also those of series, which `checks.engine.series` judges once a run is over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from checks.engine.attempts import Attempt, attempts_in
from checks.engine.registry import judge
from checks.engine.repetition import Repetition
from checks.engine.requirements import catalogue
from checks.engine.series import Mark, judge_marked_series
from checks.engine.verdict import Status, Verdict, unknown
from checks.engine.verdicts import Verdicts, read_verdicts, record_verdict
from evidence.errors import EvidenceError
from evidence.events.run import Judged
from evidence.history import FILE_NAME, Following, History, Recording, read_history
from evidence.scenario import Evidence


@dataclass(frozen=True)
class Rejudged:
    """A verdict of a run beside the one made again from the same evidence."""

    requirement: str
    scenario: str
    attempt: int
    recorded: Verdict | None
    again: Verdict

    @property
    def same(self) -> bool:
        """Whether both say the same, for the same reasons, by the same evidence."""
        return self.recorded == self.again

    @property
    def altered(self) -> list[str]:
        """The files and lines that are others than when it was recorded."""
        before = self.recorded.digests if self.recorded else {}
        return sorted(
            file for file, digest in before.items() if self.again.digests.get(file) != digest
        )


@lru_cache(maxsize=1)
def _following(path: Path) -> Following:
    """Keep on reading the history of the run that goes on: it is judged by many times."""
    return Following(path)


def next_attempt(directory: Path, scenario: str) -> int:
    """Return which attempt it will be when `scenario` is begun now in the run of `directory`."""
    path = directory / FILE_NAME
    begun = _begun(_following(path).read(), scenario) if path.exists() else []
    said = [
        number
        for scenarios in read_verdicts(directory).attempts.values()
        for number in scenarios.get(scenario, ())
    ]
    return 1 + max([one.number for one in begun] + said, default=0)


def begun_again(directory: Path, series: str) -> int:
    """Count the attempts beyond the first of each repetition of `series` that were begun."""
    path = directory / FILE_NAME
    attempts = attempts_in(_following(path).read()) if path.exists() else []
    named = ((one.scenario, Repetition.named(one.scenario)) for one in attempts)
    begun = [scenario for scenario, it in named if it is not None and it.series == series]
    return len(begun) - len(set(begun))


def judge_now(
    directory: Path,
    history: History,
    requirement_id: str,
    flush: Callable[[], object] = lambda: None,
) -> Verdict:
    """Judge a requirement by what `history`'s scenario has recorded so far; keep the verdict.

    flush: makes the wire write what it has, and a mark that it covers the time until now. It is
    called once the moment of judging is recorded: a mark of before would leave the end uncovered.
    Raises UnknownRequirement for a wrong id.
    """
    catalogue().get(requirement_id)
    history.record(Judged(source="judge", requirement=requirement_id))
    flush()
    recording = _following(directory / FILE_NAME).read()
    begun = _begun(recording, history.scenario)
    attempt = begun[-1].number if begun else 1
    evidence = Evidence(directory, history.scenario, requirement_id, recording, attempt)
    verdict = judge(requirement_id, evidence)
    record_verdict(directory, requirement_id, history.scenario, verdict, attempt)
    return verdict


def broke_off(
    directory: Path, scenario: str, reason: str = "its process died before it was judged"
) -> None:
    """Keep an UNKNOWN for each requirement that the last attempt of a scenario has not judged.

    Which these are, its beginning says in the history; one that had not begun is passed over.
    """
    if not (directory / FILE_NAME).exists():
        return
    for one in _begun(read_history(directory / FILE_NAME), scenario)[-1:]:
        _not_judged(directory, scenario, one.requirements, reason, one.number)


def never_began(directory: Path, scenario: str, requirements: Iterable[str], reason: str) -> None:
    """Keep an UNKNOWN for each requirement of a scenario that broke before it could begin."""
    _not_judged(directory, scenario, requirements, reason, next_attempt(directory, scenario))


def _not_judged(
    directory: Path, scenario: str, requirements: Iterable[str], reason: str, attempt: int
) -> None:
    said = read_verdicts(directory).attempts
    for requirement in requirements:
        if attempt not in said.get(requirement, {}).get(scenario, {}):
            record_verdict(directory, requirement, scenario, unknown(reason), attempt)


def _begun(recording: Recording, scenario: str) -> list[Attempt]:
    return [one for one in attempts_in(recording) if one.scenario == scenario]


def judge_again(directory: Path, recording: Recording | None = None) -> list[Rejudged]:
    """Judge a recorded run again: every mark in its history, every verdict in its file.

    A verdict that has no mark was never judged by a check (its scenario broke before, say): it
    is what the scenario itself reported, and stands as it is unless it claims a PASS. recording:
    the run's history, for who has read it already.
    """
    recorded = read_verdicts(directory).attempts
    if recording is None:
        recording = read_history(directory / FILE_NAME)
    again = dict(_marked(directory, recording))
    for requirement, scenarios in recorded.items():
        for scenario, attempts in scenarios.items():
            for number, verdict in attempts.items():
                again.setdefault((requirement, scenario, number), _unmarked(verdict))
    return [
        Rejudged(*key, recorded.get(key[0], {}).get(key[1], {}).get(key[2]), verdict)
        for key, verdict in sorted(again.items(), key=lambda one: one[0])
    ]


def _marked(
    directory: Path, recording: Recording
) -> Iterator[tuple[tuple[str, str, int], Verdict]]:
    known: dict[Mark, Verdict] = {}
    attempts = attempts_in(recording)
    told_apart = Counter((one.scenario, one.number) for one in attempts)
    for one in attempts:
        for requirement, line in one.judged.items():
            evidence = Evidence(directory, one.scenario, requirement, recording, one.number)
            verdict = _judge(requirement, evidence)
            if told_apart[one.scenario, one.number] == 1:
                known[requirement, one.scenario, line] = verdict
            yield (requirement, one.scenario, one.number), verdict
    for over in judge_marked_series(directory, recording, known):
        yield (over.series.requirement, over.series.name, over.time), over.verdict


def _judge(requirement: str, evidence: Evidence) -> Verdict:
    try:
        return judge(requirement, evidence)
    except EvidenceError as error:
        return unknown(error.message)


def all_in_all(rejudged: Iterable[Rejudged]) -> Verdicts:
    """Put verdicts that were made again together, as a run's."""
    found: dict[str, dict[str, dict[int, Verdict]]] = {}
    for one in rejudged:
        scenarios = found.setdefault(one.requirement, {})
        scenarios.setdefault(one.scenario, {})[one.attempt] = one.again
    return Verdicts(found, frozenset(found))


def _unmarked(verdict: Verdict) -> Verdict:
    if verdict.status is Status.PASS:
        return unknown("the history has no trace of this having been judged")
    return verdict
