"""MN-28 and MN-29: what a firewall has counted is compared only where it went on counting."""

from collections.abc import Callable
from pathlib import Path

import pytest

from checks.engine.verdict import Status
from tests.checks.factories import Data, Run
from tests.checks.multi_node.access_runs import ruleset, run_mn_28, run_mn_29
from tests.checks.multi_node.runs import judge_mutant

WRITERS: dict[str, Callable[[], Run]] = {"MN-28": run_mn_28, "MN-29": run_mn_29}
SAID = {"MN-28": "by its counters no", "MN-29": "were refused by its counters"}


def readings(run: Run) -> tuple[Data, Data]:
    """Return the two readings of node-a that are compared."""
    before, after = run.all("firewall.shown", "node-a")[-2:]
    return before, after


def count(reading: Data, counted: int) -> None:
    for family in (4, 6):
        reading[f"ipv{family}"] = ruleset("node-a", family, counted=counted)


@pytest.mark.parametrize("requirement", WRITERS)
@pytest.mark.parametrize(("before", "after"), [(400, 3), (3, 3)])
def test_a_node_that_was_rebooted_in_between_counts_from_0(
    requirement: str, before: int, after: int, tmp_path: Path
) -> None:
    run = WRITERS[requirement]()
    first, then = readings(run)
    count(first, before)
    count(then, after)
    then["boot"] = "yet another"
    verdict = run.judge(requirement, tmp_path)
    assert verdict.status is Status.UNKNOWN, verdict.text
    assert SAID[requirement] in verdict.text
    assert "but they were set back in between" in verdict.text


@pytest.mark.parametrize("requirement", WRITERS)
def test_rules_that_were_loaded_anew_count_from_0(requirement: str, tmp_path: Path) -> None:
    run = WRITERS[requirement]()
    first, then = readings(run)
    count(first, 400)
    count(then, 3)
    verdict = run.judge(requirement, tmp_path)
    assert verdict.status is Status.UNKNOWN, verdict.text


@pytest.mark.parametrize("requirement", WRITERS)
def test_rules_that_go_on_and_count_nothing_are_named(requirement: str, tmp_path: Path) -> None:
    run = WRITERS[requirement]()
    for reading in readings(run):
        count(reading, 3)
    assert SAID[requirement] in judge_mutant(run, requirement, tmp_path)


@pytest.mark.parametrize("requirement", WRITERS)
def test_rules_that_have_counted_enough_since_they_were_set_back_show_it(
    requirement: str, tmp_path: Path
) -> None:
    run = WRITERS[requirement]()
    readings(run)[1]["boot"] = "yet another"
    verdict = run.judge(requirement, tmp_path)
    assert verdict.status is Status.PASS, verdict.text
