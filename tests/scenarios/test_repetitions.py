"""Repetitions as items: how many there are, and a run that fails by what they show together."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.engine.requirements import catalogue
from checks.engine.seal import sealed
from checks.engine.series import Series, SeriesVerdict
from checks.engine.verdict import Status, Verdict, unknown
from checks.engine.verdicts import read_verdicts
from scenarios.failover.test_returning import FULL_FAILBACKS
from scenarios.repetitions import FULL_TIMES, fail_the_run, in_words
from tests.checks.engine.verdicts import BAD, GOOD
from tests.scenarios.pretended import pretend

FILE = "scenarios/failover/test_takeover.py"
POWER_OFF = f"{FILE}::test_a_power_failure_makes_the_standby_active"
CRASH = f"{FILE}::test_a_crash_makes_the_standby_active"
ALONE = ("-n", "0")


def test_each_repetition_is_an_item_that_is_told_by_its_number(tmp_path: Path) -> None:
    assert pretend(tmp_path, *ALONE, POWER_OFF).begun == [
        f"{POWER_OFF}[{number}/3]" for number in (1, 2, 3)
    ]


def test_a_sign_off_run_has_20_of_each_fault(tmp_path: Path) -> None:
    begun = pretend(tmp_path, *ALONE, "--full", "-k", "power_failure or pause", FILE).begun
    assert begun == [
        *(f"{POWER_OFF}[{number}/20]" for number in range(1, 21)),
        *(f"{CRASH}[pause-{number}/20]" for number in range(1, 21)),
    ]


def test_a_sign_off_run_has_as_many_as_requirements_ask_for() -> None:
    asked = {one.id: one.repetitions for one in catalogue() if one.repetitions > 1}
    of = dict.fromkeys(("FO-24", "FO-25", "FO-26"), FULL_TIMES) | {"FO-30": FULL_FAILBACKS}
    assert asked == of


def test_a_run_of_all_repetitions_passes_and_says_how_many_there_were(tmp_path: Path) -> None:
    run = pretend(tmp_path, *ALONE, POWER_OFF)
    assert run.status == 0, run.said
    assert "test_a_power_failure_makes_the_standby_active: 3 of 3 repetitions" in run.said
    assert "3 of 3 repetitions; the requirement asks for 20" in run.said
    assert "never judged" not in run.said
    assert f"evidence sealed: {sealed(run.evidence)}" in run.said
    assert f"report: {run.evidence / 'report.html'}" in run.said
    assert (
        "All 5 requirements of this run were judged PASS"
        in (run.evidence / "report.html").read_text()
    )
    assert read_verdicts(run.evidence).by_requirement["FO-24"][POWER_OFF].status is Status.PASS


def test_a_series_that_fails_fails_a_run_whose_items_passed(tmp_path: Path) -> None:
    run = pretend(tmp_path, *ALONE, POWER_OFF, bad=f"{POWER_OFF}[2/3]")
    assert "3 passed" in run.said
    assert run.status == 1
    assert "2/3: as told" in run.said
    assert read_verdicts(run.evidence).of("FO-24").status is Status.FAIL


def test_repetitions_left_out_fail_the_run(tmp_path: Path) -> None:
    run = pretend(tmp_path, *ALONE, POWER_OFF, "-k", "not 2/3")
    assert "2 of 3 repetitions; not judged: 2" in run.said
    assert run.status == 1


def test_a_single_repetition_that_was_asked_for_may_pass(tmp_path: Path) -> None:
    run = pretend(tmp_path, *ALONE, "--full", f"{POWER_OFF}[7/20]")
    assert run.begun == [f"{POWER_OFF}[7/20]"]
    assert "1 of 20 repetitions" in run.said
    assert run.status == 0
    assert read_verdicts(run.evidence).of("FO-24").status is Status.UNKNOWN


def verdict_of(name: str, status: str) -> SeriesVerdict:
    series = Series(name, "FO-24", 3, {})
    one = {"PASS": GOOD, "FAIL": BAD, "UNKNOWN": unknown("dark")}[status]
    return SeriesVerdict(series, {1: one}, unknown("2 missing") if one is GOOD else one)


@pytest.mark.parametrize(
    ("judged", "argument", "fails"),
    [
        ("PASS", f"{POWER_OFF}[1/3]", False),
        ("PASS", "./" + f"{POWER_OFF}[1/3]", False),
        ("PASS", f"{CRASH}[pause-1/3]", True),
        ("PASS", POWER_OFF, True),
        ("PASS", "scenarios/", True),
        ("UNKNOWN", f"{POWER_OFF}[1/3]", True),
        ("FAIL", f"{POWER_OFF}[1/3]", True),
    ],
)
def test_only_what_was_chosen_by_name_may_be_incomplete(
    judged: str, argument: str, fails: bool
) -> None:
    assert fail_the_run([verdict_of(POWER_OFF, judged)], [argument]) is fails


def test_a_run_without_series_is_not_failed_by_them() -> None:
    assert not fail_the_run([], ["scenarios/"])


def test_the_words_on_a_series_are_those_of_its_requirement() -> None:
    verdict = Verdict(Status.PASS, ("3 of 3 repetitions", "silence: n=3"))
    one = SeriesVerdict(Series(POWER_OFF, "FO-24", 3, {}), {}, verdict)
    assert list(in_words([one], "FO-24")) == [
        "test_a_power_failure_makes_the_standby_active: 3 of 3 repetitions",
        "  silence: n=3",
    ]
    assert list(in_words([one], "FO-25")) == []
