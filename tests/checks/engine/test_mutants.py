"""Whether a deployment that was broken on purpose counts as found out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from checks.engine.mutants import FILE_NAME, objection, outcomes, write_outcomes
from checks.engine.verdict import Status, Verdict
from checks.engine.verdicts import Verdicts
from evidence.events.harness import MutantApplied
from evidence.events.run import ScenarioEnded, ScenarioStarted
from evidence.history import FILE_NAME as HISTORY
from evidence.history import History, read_history

SCENARIO = "scenarios/failover/test_it.py::test_it[FO-24]"


def applied(**others: object) -> MutantApplied:
    told = {
        "source": "scenario",
        "mutant": "FO-24",
        "machine": "secondary",
        "done": "a dead ratio of 10",
        "requirement": "FO-24",
        "words": ["few seconds"],
        "depends": ["FO-25"],
    }
    return MutantApplied.model_validate({**told, **others})


FAIL = Verdict(Status.FAIL, ("something else", "more than the guide's few seconds"))
OTHER = Verdict(Status.FAIL, ("something else",))
PASS, UNKNOWN = Verdict(Status.PASS, ("fine",)), Verdict(Status.UNKNOWN, ("not told",))


@pytest.mark.parametrize(
    ("requirement", "verdict", "words"),
    [
        ("FO-24", FAIL, ""),
        ("FO-24", OTHER, "FAIL for another reason than ('few seconds',): something else"),
        ("FO-24", PASS, "FO-24 is PASS, not FAIL: fine"),
        ("FO-24", UNKNOWN, "FO-24 is UNKNOWN, not FAIL: not told"),
        ("FO-25", OTHER, ""),
        ("FO-26", OTHER, "FO-26 does not depend on it, and is FAIL: something else"),
        ("FO-26", PASS, ""),
        ("FO-26", UNKNOWN, ""),
    ],
)
def test_only_the_named_requirement_fails_and_for_the_named_reason(
    requirement: str, verdict: Verdict, words: str
) -> None:
    said = objection(applied(), requirement, verdict)
    assert words in said
    assert bool(words) == bool(said)


def recorded(directory: Path, *attempts: int) -> None:
    with History(directory / HISTORY, SCENARIO) as history:
        for number in attempts:
            history.record(ScenarioStarted(source="pytest", lab="lab", attempt=number))
            history.record(applied())
            history.record(ScenarioEnded(source="pytest", events=1))


def test_each_attempt_has_an_outcome_of_its_own(tmp_path: Path) -> None:
    recorded(tmp_path, 1, 2)
    verdicts = Verdicts({"FO-24": {SCENARIO: {1: PASS, 2: FAIL}}})
    found = outcomes(read_history(tmp_path / HISTORY), verdicts)
    assert [one.killed for one in found] == [False, True]
    assert found[1].reason == "more than the guide's few seconds"
    assert "NOT KILLED: FO-24 is PASS: fine" in str(found[0])


def test_one_that_breaks_what_does_not_depend_on_it_is_not_killed(tmp_path: Path) -> None:
    recorded(tmp_path, 1)
    verdicts = Verdicts({"FO-24": {SCENARIO: {1: FAIL}}, "FO-26": {SCENARIO: {1: OTHER}}})
    (one,) = outcomes(read_history(tmp_path / HISTORY), verdicts)
    assert not one.killed
    assert one.beside == ("FO-26 does not depend on it, and is FAIL: something else",)


def test_one_whose_requirement_was_never_judged_is_not_killed(tmp_path: Path) -> None:
    recorded(tmp_path, 1)
    (one,) = outcomes(read_history(tmp_path / HISTORY), Verdicts())
    assert (one.killed, one.status, one.reason) == (False, Status.UNKNOWN, "it was not judged")


def test_the_kill_table_is_a_file_of_the_run(tmp_path: Path) -> None:
    recorded(tmp_path, 1)
    verdicts = Verdicts({"FO-24": {SCENARIO: {1: FAIL}}})
    write_outcomes(tmp_path, outcomes(read_history(tmp_path / HISTORY), verdicts))
    (row,) = json.loads((tmp_path / FILE_NAME).read_text())
    assert (row["mutant"], row["killed"], row["status"]) == ("FO-24", True, "FAIL")
