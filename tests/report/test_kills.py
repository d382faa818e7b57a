"""The kill table in a report, and a run of mutants, which nobody may take for a sign-off."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from checks.engine import kills as shipped
from checks.engine.verdict import Status, Verdict
from checks.engine.verdicts import record_verdict
from evidence.events.harness import MutantApplied
from evidence.events.run import Judged, ScenarioEnded, ScenarioStarted
from evidence.history import History
from report.content import content_of
from report.page import page
from report.tables import as_json
from tests.report.conftest import facts

SCENARIO = "scenarios/failover/test_it.py::test_it[FO-24]"


def mutated(directory: Path, *verdicts: Verdict, **told: object) -> Path:
    facts(directory, **told)
    for number, verdict in enumerate(verdicts, start=1):
        name = f"FO-24-{number}"
        scenario = f"{SCENARIO}{number}"
        with History(directory / "history.jsonl", scenario) as history:
            history.record(ScenarioStarted(source="pytest", lab="lab"))
            history.record(
                MutantApplied(
                    source="scenario",
                    mutant=name,
                    machine="secondary",
                    done="a dead ratio of 10",
                    requirement="FO-24",
                    words=("few seconds",),
                )
            )
            history.record(Judged(source="judge", requirement="FO-24"))
            history.record(ScenarioEnded(source="pytest", events=3))
        record_verdict(directory, "FO-24", scenario, verdict)
    return directory


FAIL = Verdict(Status.FAIL, ("more than the guide's few seconds",))
PASS = Verdict(Status.PASS, ("all in time",))


def test_a_run_of_mutants_is_no_pass_and_says_so_first(tmp_path: Path) -> None:
    content = content_of(mutated(tmp_path, FAIL, mutants=True))
    assert content.summary.status is Status.UNKNOWN
    assert content.summary.sentence == (
        "No sign-off: deployments were broken on purpose here. "
        "1 of 1 deployments were detected for the expected reason."
    )
    html = page(content)
    assert html.index("No sign-off: deployments were broken") < html.index("What was tested")
    assert "I have read this report" not in html
    assert "Not to be signed" in html
    assert "<td>yes, FO-24 is FAIL</td><td>more than the guide&#39;s few seconds</td>" in html


def test_one_that_lives_is_named(tmp_path: Path) -> None:
    content = content_of(mutated(tmp_path, FAIL, PASS, mutants=True))
    assert content.summary.sentence.endswith(
        "1 of 2 deployments were detected for the expected reason"
        " and not detected: FO-24-2 (FO-24 is PASS)."
    )
    assert "<td>no, FO-24 is PASS</td>" in page(content)


@pytest.mark.parametrize("told", [{}, {"mutants": False}, {"mutants": "no"}])
def test_a_run_of_mutants_whose_facts_deny_it_is_one_all_the_same(
    tmp_path: Path, told: dict[str, object]
) -> None:
    assert content_of(mutated(tmp_path, PASS, **told)).of_mutants


def test_a_run_of_mutants_in_which_nothing_was_judged_is_one(tmp_path: Path) -> None:
    content = content_of(mutated(tmp_path, mutants=True))
    assert content.summary.sentence.endswith("None of them was judged.")


def test_a_usual_run_can_be_signed_and_shows_what_the_checks_reject(good_run: Path) -> None:
    content = content_of(good_run)
    assert not content.of_mutants
    html = page(content)
    assert "I have read this report" in html
    first = content.kills[0]
    assert f"<summary>{first.id}: {first.failed} FAIL, {first.unknown} UNKNOWN</summary>" in html


def test_a_kill_table_that_cannot_be_read_spoils_no_report(
    good_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped.read_kills, "__defaults__", (good_run / "none.json",))
    assert "No kill table of the checks can be read" in page(content_of(good_run))


def test_both_tables_are_there_for_programs(tmp_path: Path) -> None:
    told = json.loads(as_json(content_of(mutated(tmp_path, FAIL, mutants=True))))
    assert told["of_mutants"] is True
    assert [(one["mutant"], one["killed"]) for one in told["mutants"]] == [("FO-24-1", True)]
    assert told["kills"]["FO-16"]
