"""Judging a scenario while it runs, and a whole run again later, by the same evidence.

`judge_now` marks the moment of judging in the history first; what is recorded after the mark
(the tidying up, other scenarios) is no evidence for this verdict. `judge_again` finds the marks,
also those of series, which `checks.engine.series` judges once a run is over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from checks.engine.registry import judge
from checks.engine.requirements import catalogue
from checks.engine.series import judge_marked_series
from checks.engine.verdict import Verdict, unknown
from checks.engine.verdicts import read_verdicts, record_verdict
from evidence.history import FILE_NAME, History, read_history
from evidence.scenario import JUDGE, START, Evidence


@dataclass(frozen=True)
class Rejudged:
    """A verdict of a run beside the one made again from the same evidence."""

    requirement: str
    scenario: str
    recorded: Verdict | None
    again: Verdict

    @property
    def same(self) -> bool:
        """Whether both say the same, for the same reasons."""
        return self.recorded == self.again


def judge_now(directory: Path, history: History, requirement_id: str) -> Verdict:
    """Judge a requirement by what `history`'s scenario has recorded so far; keep the verdict.

    The capture must have been flushed before. Raises UnknownRequirement for a wrong id.
    """
    catalogue().get(requirement_id)
    history.record(JUDGE, "judge", requirement=requirement_id)
    verdict = judge(requirement_id, Evidence(directory, history.scenario, requirement_id))
    record_verdict(directory, requirement_id, history.scenario, verdict)
    return verdict


def broke_off(directory: Path, scenario: str) -> None:
    """Keep an UNKNOWN for each requirement that a scenario whose process died has not judged.

    Which these are, its beginning says in the history; one that had not begun is passed over.
    """
    if not (directory / FILE_NAME).exists():
        return
    judged = read_verdicts(directory).by_requirement
    for event in read_history(directory / FILE_NAME).events(START, scenario=scenario)[-1:]:
        for requirement in event.data.get("requirements", ()):
            if scenario not in judged.get(requirement, {}):
                reason = "its process died before it was judged"
                record_verdict(directory, requirement, scenario, unknown(reason))


def judge_again(directory: Path) -> Iterator[Rejudged]:
    """Judge a recorded run again: every mark in its history, every verdict in its file.

    A verdict that has no mark was never judged by a check (its scenario broke before, say): it
    is what the scenario itself reported, and stands as it is unless it claims a PASS.
    """
    recorded = read_verdicts(directory).by_requirement
    marks = dict.fromkeys(
        (str(event["requirement"]), event.scenario)
        for event in read_history(directory / FILE_NAME).events(JUDGE)
    )
    for requirement, scenario in marks:
        again = judge(requirement, Evidence(directory, scenario, requirement))
        yield Rejudged(requirement, scenario, recorded.get(requirement, {}).get(scenario), again)
    for one in judge_marked_series(directory):
        requirement, scenario = one.series.requirement, one.series.name
        marks[requirement, scenario] = None
        said = recorded.get(requirement, {}).get(scenario)
        yield Rejudged(requirement, scenario, said, one.verdict)
    for requirement, parts in recorded.items():
        for scenario, verdict in parts.items():
            if (requirement, scenario) not in marks:
                yield Rejudged(requirement, scenario, verdict, _unmarked(verdict))


def _unmarked(verdict: Verdict) -> Verdict:
    if verdict.status == "PASS":
        return unknown("the history has no trace of this having been judged")
    return verdict
