"""Judging a requirement over all repetitions of a scenario, which may have run anywhere, any time.

Each repetition is judged by the requirement's check, on evidence of its own; one that is UNKNOWN
for the host's lateness alone may be repeated, as another attempt of its own. The series is as good
as its worst repetition; and UNKNOWN when fewer were judged than are planned: a worker died, or the
run was broken off, or some were left out. A quick run plans fewer than the requirement asks for,
and its verdict says so. The history says all of it: which repetitions began (for which
requirements; their names: how many there are to be), which of them came to be judged (`Judged`),
and that the series was (`SeriesJudged`).

Repetitions on several hosts are one series. It is judged at home: its mark stands in the run's own
history, with how far each host's history went by then (`PartsJudged`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

from checks.engine.attempts import Attempt, attempts_of, late_before, over_attempts
from checks.engine.registry import figures, judge
from checks.engine.repetition import Repetition, identity
from checks.engine.requirements import catalogue
from checks.engine.verdict import Status, Verdict, worst
from checks.engine.verdicts import record_verdict
from evidence.errors import BadEvidence
from evidence.events.hosts import PartsJudged
from evidence.events.run import SeriesJudged
from evidence.history import FILE_NAME, History
from evidence.parts import Histories, read_histories
from evidence.scenario import Evidence

Mark = tuple[str, str, str]
"""Which requirement was judged, of which scenario, at which place."""

MOST_MARKS = 500
"""Series that were judged in one directory; a run with every scenario has some 30."""

_NONE: Mapping[Mark, Verdict] = MappingProxyType({})


@dataclass(frozen=True)
class Series:
    """The repetitions of one scenario for one requirement: those begun, by number, of all."""

    name: str
    requirement: str
    of: int
    begun: Mapping[int, str]


@dataclass(frozen=True)
class SeriesVerdict:
    """The verdict over a series, and `judged`: the verdict of each repetition that came so far.

    time: counts from 1 how often this series was judged in the same directory.
    """

    series: Series
    judged: Mapping[int, Verdict]
    verdict: Verdict
    time: int = 1

    @property
    def only_incomplete(self) -> bool:
        """Whether all that is wrong with it is that repetitions are missing."""
        return self.verdict.status is Status.UNKNOWN and all(
            one.status is Status.PASS for one in self.judged.values()
        )


def series_in(attempts: Iterable[Attempt]) -> list[Series]:
    """Find every series that was begun, once for each of its requirements, in order of beginning.

    One whose repetitions are counted anew (in the same directory, say with --full) goes by the
    larger count.
    """
    begun: dict[tuple[str, str], dict[int, str]] = {}
    planned: dict[tuple[str, str], int] = {}
    for one in attempts:
        repetition = Repetition.named(one.scenario)
        if repetition is None:
            continue
        for requirement in one.requirements:
            key = (repetition.series, requirement)
            if repetition.of > planned.get(key, 0):
                planned[key], begun[key] = repetition.of, {}
            if repetition.of == planned[key]:
                begun[key][repetition.number] = one.scenario
    return [
        Series(name, requirement, planned[name, requirement], scenarios)
        for (name, requirement), scenarios in begun.items()
    ]


def judge_series(directory: Path) -> list[SeriesVerdict]:
    """Judge every series of the run in `directory`, mark it in the history, keep the verdicts.

    To be called once nothing runs any more; empty when the run has no series, or no history.
    """
    path = directory / FILE_NAME
    if not path.exists():
        return []
    verdicts = []
    histories = read_histories(directory)
    attempts = attempts_of(histories)
    found = series_in(attempts)
    if found and histories.over_hosts:
        _note_parts(path, histories)
    for series in found:
        time = 1 + sum(
            mark.requirement == series.requirement
            for mark in histories.own.of(SeriesJudged, series.name)
        )
        with History(path, series.name) as history:
            history.record(SeriesJudged(source="judge", requirement=series.requirement))
        one = _judge(series, histories, attempts, time)
        record_verdict(directory, series.requirement, series.name, one.verdict, time)
        verdicts.append(one)
    return verdicts


def _note_parts(path: Path, histories: Histories) -> None:
    lines = {
        part.host: recording.lines[-1].event.line
        for part, recording in histories
        if part.host and recording
    }
    with History(path) as history:
        history.record(PartsJudged(source="judge", lines=lines))


def left_unjudged(histories: Histories, attempts: Iterable[Attempt]) -> Iterator[Series]:
    """Yield each series with repetitions that began and are in no verdict over all of them."""
    marks = {(one.scenario, one.requirement): one.line for one in _marks(histories)}
    for series in series_in(attempts):
        line = marks.get((series.name, series.requirement), 0)
        if not line or series not in series_in(attempts_of(histories.before(line))):
            yield series


def judge_marked_series(
    histories: Histories, known: Mapping[Mark, Verdict] = _NONE
) -> Iterator[SeriesVerdict]:
    """Judge again every series that the run's history says was judged, by what stood there by then.

    known: verdicts of repetitions that were made of the same: they need not be made twice.
    """
    times: dict[tuple[str, str], int] = {}
    for mark in _marks(histories):
        key = (mark.scenario, mark.requirement)
        times[key] = times.get(key, 0) + 1
        before = histories.before(mark.line)
        attempts = attempts_of(before)
        every = series_in(attempts)
        found = [series for series in every if (series.name, series.requirement) == key]
        for series in found or [Series(*key, of=1, begun={})]:
            yield _judge(series, before, attempts, times[key], known)


def _marks(histories: Histories) -> list[SeriesJudged]:
    marks = histories.own.of(SeriesJudged)
    if len(marks) > MOST_MARKS:
        raise BadEvidence(
            f"{FILE_NAME}: {len(marks)} series are said to be judged, and no run has more than"
            f" {MOST_MARKS}"
        )
    return marks


def _judge(
    series: Series,
    histories: Histories,
    attempts: Iterable[Attempt],
    time: int,
    known: Mapping[Mark, Verdict] = _NONE,
) -> SeriesVerdict:
    judged: dict[int, Verdict] = {}
    evidence: list[Evidence] = []
    repeated = 0
    begun: dict[str, list[Attempt]] = {}
    for one in attempts:
        if series.requirement in one.requirements:
            begun.setdefault(one.scenario, []).append(one)
    for number, scenario in sorted(series.begun.items()):
        own_attempts = sorted(begun[scenario], key=lambda one: one.earlier)
        found: dict[int, Evidence] = {}
        verdicts: dict[int, Verdict] = {}
        for one in own_attempts:
            if series.requirement in one.judged:
                own = one.evidence(series.requirement, histories)
                line = one.judged[series.requirement]
                mark = (series.requirement, scenario, one.at(line))
                found[one.number] = own
                verdicts[one.number] = known.get(mark) or judge(series.requirement, own)
        if _is_judged(own_attempts[-1], verdicts):
            judged[number] = over_attempts(verdicts)
            evidence.append(found[max(found)])
            repeated += late_before(verdicts) > 0
    measured = figures(series.requirement, evidence)
    return SeriesVerdict(series, judged, _over_all(series, judged, measured, repeated), time)


def _is_judged(last: Attempt, verdicts: Mapping[int, Verdict]) -> bool:
    """Whether the last attempt came to be judged, or failed before."""
    failed = any(one.status is Status.FAIL for one in verdicts.values())
    return failed or last.number in verdicts


def _over_all(
    series: Series, judged: Mapping[int, Verdict], measured: list[str], repeated: int
) -> Verdict:
    there = sorted(number for number in judged if 1 <= number <= series.of)
    missing = series.of - len(there)
    parts = list(judged.values())
    status = worst([one.status for one in parts] + [Status.UNKNOWN] * bool(missing))
    count = f"{len(judged)} of {series.of} repetitions"
    if repeated:
        count += f", {repeated} of them repeated because the host was late"
    if missing:
        count += f"; not judged: {_gaps(there, series.of)}"
    known = series.requirement in catalogue()
    asked = catalogue().get(series.requirement).repetitions if known else 1
    if len(there) < asked:
        count += f"; the requirement asks for {asked}"
    reasons = [
        f"{identity(number, series.of)}: {reason}"
        for number, one in judged.items()
        if one.status is not Status.PASS
        for reason in one.reasons
    ]
    if status is Status.PASS:
        reasons += _common(parts)
    doubted = [one for one in parts if one.status is Status.UNKNOWN]
    return Verdict(
        status,
        (count, *reasons, *measured),
        tuple(dict.fromkeys(place for one in parts for place in one.evidence)),
        sum(one.owed for one in parts) + missing,
        sum(one.discharged for one in parts),
        status is Status.UNKNOWN and not missing and all(one.late for one in doubted),
        {file: digest for one in parts for file, digest in one.digests.items()},
    )


def _common(verdicts: list[Verdict]) -> list[str]:
    """Return what every repetition says; its figures are its own."""
    first, *others = verdicts
    return [reason for reason in first.reasons if all(reason in other.reasons for other in others)]


def _gaps(numbers: list[int], of: int) -> str:
    """Write those from 1 to `of` that are not among sorted numbers as "1, 4 to 6"."""
    found = pairwise((0, *numbers, of + 1))
    gaps = [(before + 1, after - 1) for before, after in found if after - before > 1]
    return ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in gaps)
