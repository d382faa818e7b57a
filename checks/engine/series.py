"""Judging a requirement over all repetitions of a scenario, which may have run anywhere, any time.

Each repetition is judged by the requirement's check, on evidence of its own. The series is as good
as its worst repetition; and UNKNOWN when fewer were judged than are planned: a worker died, or the
run was broken off, or some were left out. `history.jsonl` says all of it: which repetitions began
(`scenario.start`: which requirements they are for, their names: how many there are to be), which of
them came to be judged (`scenario.judge`), and that the series was (`series.judge`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from checks.engine.registry import figures, judge
from checks.engine.repetition import Repetition, identity
from checks.engine.verdict import Status, Verdict, worst
from checks.engine.verdicts import record_verdict
from evidence.history import FILE_NAME, History, Recording, read_history
from evidence.scenario import JUDGE, START, Evidence

SERIES_JUDGE = "series.judge"
_REQUIREMENTS = "requirements"


@dataclass(frozen=True)
class Series:
    """The repetitions of one scenario for one requirement: those begun, by number, of all."""

    name: str
    requirement: str
    of: int
    begun: Mapping[int, str]


@dataclass(frozen=True)
class SeriesVerdict:
    """The verdict over a series, and `judged`: the verdict of each repetition that came so far."""

    series: Series
    judged: Mapping[int, Verdict]
    verdict: Verdict

    @property
    def only_incomplete(self) -> bool:
        """Whether all that is wrong with it is that repetitions are missing."""
        return self.verdict.status is Status.UNKNOWN and all(
            one.status is Status.PASS for one in self.judged.values()
        )


def series_in(recording: Recording) -> list[Series]:
    """Find every series that was begun, once for each of its requirements, in order of beginning.

    One whose repetitions are counted anew (in the same directory, say with --full) goes by the
    larger count.
    """
    begun: dict[tuple[str, str], dict[int, str]] = {}
    planned: dict[tuple[str, str], int] = {}
    for event in recording.events(START):
        repetition = Repetition.named(event.scenario)
        if repetition is None:
            continue
        for requirement in event.data.get(_REQUIREMENTS, ()):
            key = (repetition.series, str(requirement))
            if repetition.of > planned.get(key, 0):
                planned[key], begun[key] = repetition.of, {}
            if repetition.of == planned[key]:
                begun[key][repetition.number] = event.scenario
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
    recording = read_history(path)
    for series in series_in(recording):
        with History(path, series.name) as history:
            history.record(SERIES_JUDGE, "judge", requirement=series.requirement)
        verdict = _judge(directory, series, recording)
        record_verdict(directory, series.requirement, series.name, verdict.verdict)
        verdicts.append(verdict)
    return verdicts


def judge_marked_series(directory: Path) -> list[SeriesVerdict]:
    """Judge again every series that the history says was judged, by what stood there by then."""
    recording = read_history(directory / FILE_NAME)
    marks = {
        (event.scenario, str(event["requirement"])): event.line
        for event in recording.events(SERIES_JUDGE)
    }
    found = []
    for (name, requirement), line in marks.items():
        before = Recording([event for event in recording if event.line < line])
        found += [
            _judge(directory, series, recording)
            for series in series_in(before)
            if (series.name, series.requirement) == (name, requirement)
        ]
    return found


def _judge(directory: Path, series: Series, recording: Recording) -> SeriesVerdict:
    marked = {
        event.scenario
        for event in recording.events(JUDGE)
        if event["requirement"] == series.requirement
    }
    evidence = {
        number: Evidence(directory, scenario, series.requirement, recording)
        for number, scenario in sorted(series.begun.items())
        if scenario in marked
    }
    judged = {number: judge(series.requirement, one) for number, one in evidence.items()}
    measured = figures(series.requirement, list(evidence.values()))
    return SeriesVerdict(series, judged, _over_all(series, judged, measured))


def _over_all(series: Series, judged: Mapping[int, Verdict], measured: list[str]) -> Verdict:
    missing = [number for number in range(1, series.of + 1) if number not in judged]
    statuses = [one.status for one in judged.values()]
    status = worst([*statuses, Status.UNKNOWN] if missing else statuses)
    reasons = [f"{len(judged)} of {series.of} repetitions"]
    if missing:
        reasons[0] += f"; not judged: {_ranges(missing)}"
    reasons += [
        f"{identity(number, series.of)}: {reason}"
        for number, one in judged.items()
        if one.status is not Status.PASS
        for reason in one.reasons
    ]
    if status is Status.PASS:
        reasons += _common(list(judged.values()))
    places = (place for one in judged.values() for place in one.evidence)
    return Verdict(status, (*reasons, *measured), tuple(dict.fromkeys(places)))


def _common(verdicts: list[Verdict]) -> list[str]:
    """Return what every repetition says; its figures are its own."""
    first, *others = verdicts
    return [reason for reason in first.reasons if all(reason in other.reasons for other in others)]


def _ranges(numbers: list[int]) -> str:
    """Write sorted numbers as "1, 4 to 6"."""
    parts: list[tuple[int, int]] = []
    for number in numbers:
        if parts and parts[-1][1] == number - 1:
            parts[-1] = (parts[-1][0], number)
        else:
            parts.append((number, number))
    return ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in parts)
