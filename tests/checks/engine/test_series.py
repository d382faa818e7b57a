"""Repetitions: their names, and a requirement judged over all of them, now and again later."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.cli import main
from checks.engine.judging import judge_again, judge_now
from checks.engine.repetition import Repetition, identity
from checks.engine.series import SERIES_JUDGE, judge_series
from checks.engine.verdict import Status, Verdict, unknown
from checks.engine.verdicts import read_verdicts, record_verdict
from evidence.history import History, read_history
from tests.checks.factories import good_config

SERIES = "scenarios/multi_node/test_it.py::test_it"
BAD = "10.1.0.64/26"


def name(number: int, of: int = 3) -> str:
    return f"{SERIES}[{identity(number, of)}]"


def repetition(
    directory: Path, scenario: str, range_of_b: str = "", *, judged: bool = True
) -> None:
    """Record a repetition; with a wrong range the check must reject it."""
    with History(directory / "history.jsonl", scenario) as history:
        history.record("scenario.start", "pytest", lab="lab", requirements=["MN-05"])
        config = good_config()
        if range_of_b:
            config["config"]["vpnProfiles"]["node-b"]["range"] = range_of_b
        history.record("controller.config", "controller", **config)
        if judged:
            judge_now(directory, history, "MN-05")
            history.record("scenario.end", "pytest")


def combined(directory: Path) -> Verdict:
    (one,) = judge_series(directory)
    assert (one.series.name, one.series.requirement) == (SERIES, "MN-05")
    assert read_verdicts(directory).by_requirement["MN-05"][SERIES] == one.verdict
    return one.verdict


@pytest.mark.parametrize(
    ("scenario", "series"),
    [("f.py::test_it[3/20]", "f.py::test_it"), ("f.py::test_it[a-b-3/20]", "f.py::test_it[a-b]")],
)
def test_a_repetition_is_told_by_its_name(scenario: str, series: str) -> None:
    assert Repetition.named(scenario) == Repetition(series, 3, 20)


@pytest.mark.parametrize("scenario", ["f.py::test_it", "f.py::test_it[vrrp-v3]", "a/b[3/20] more"])
def test_other_scenarios_are_no_repetitions(scenario: str) -> None:
    assert Repetition.named(scenario) is None


@given(st.from_regex(r"[a-z][a-z0-9/_-]*", fullmatch=True), st.integers(1, 99), st.integers(1, 99))
def test_whatever_case_is_repeated_its_series_is_the_case(case: str, number: int, of: int) -> None:
    found = Repetition.named(f"f.py::test_it[{case}-{identity(number, of)}]")
    assert found == Repetition(f"f.py::test_it[{case}]", number, of)


def test_a_series_of_which_all_repetitions_pass_passes(tmp_path: Path) -> None:
    for number in (2, 1, 3):
        repetition(tmp_path, name(number))
    verdict = combined(tmp_path)
    assert verdict.status is Status.PASS, verdict.text
    assert verdict.reasons[0] == "3 of 3 repetitions"
    single = read_verdicts(tmp_path).by_requirement["MN-05"][name(1)]
    assert set(single.reasons) <= set(verdict.reasons)


def test_one_repetition_that_fails_fails_the_series_and_is_named(tmp_path: Path) -> None:
    repetition(tmp_path, name(1))
    repetition(tmp_path, name(2), BAD)
    repetition(tmp_path, name(3))
    verdict = combined(tmp_path)
    assert verdict.status is Status.FAIL
    assert any(reason.startswith("2/3: ") for reason in verdict.reasons)


def test_a_series_with_fewer_than_planned_shows_nothing(tmp_path: Path) -> None:
    for number in (1, 3, 7):
        repetition(tmp_path, name(number, 20))
    (one,) = judge_series(tmp_path)
    assert one.only_incomplete
    assert one.verdict.status is Status.UNKNOWN
    assert one.verdict.reasons == ("3 of 20 repetitions; not judged: 2, 4 to 6, 8 to 20",)


def test_a_repetition_whose_worker_died_is_missing_whatever_it_had_recorded(tmp_path: Path) -> None:
    repetition(tmp_path, name(1))
    repetition(tmp_path, name(2), judged=False)
    repetition(tmp_path, name(3))
    verdict = combined(tmp_path)
    assert verdict == unknown("2 of 3 repetitions; not judged: 2", evidence=verdict.evidence)


def test_that_none_was_judged_is_unknown(tmp_path: Path) -> None:
    repetition(tmp_path, name(2), judged=False)
    assert combined(tmp_path).status is Status.UNKNOWN


def test_a_failure_outweighs_what_is_missing_and_is_no_mere_gap(tmp_path: Path) -> None:
    repetition(tmp_path, name(1), BAD)
    (one,) = judge_series(tmp_path)
    assert one.verdict.status is Status.FAIL
    assert not one.only_incomplete
    assert "not judged: 2 to 3" in one.verdict.text


def test_a_run_again_with_more_repetitions_goes_by_those(tmp_path: Path) -> None:
    repetition(tmp_path, name(1))
    repetition(tmp_path, name(7, 20))
    assert combined(tmp_path).reasons[0].startswith("1 of 20 repetitions")


def test_the_verdict_over_all_stands_for_its_repetitions(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        repetition(tmp_path, name(number))
    record_verdict(tmp_path, "MN-05", name(1), unknown("of another time"))
    assert read_verdicts(tmp_path).of("MN-05").status is Status.UNKNOWN
    verdict = combined(tmp_path)
    assert read_verdicts(tmp_path).of("MN-05") == verdict
    tables = json.loads((tmp_path / "verdicts.json").read_text())["requirements"]["MN-05"]
    assert tables["reasons"] == list(verdict.reasons)
    assert set(tables["scenarios"]) == {SERIES, *map(name, (1, 2, 3))}


def test_a_series_is_judged_again_by_the_evidence_alone(tmp_path: Path, capsys) -> None:
    for number in (1, 2, 3):
        repetition(tmp_path, name(number))
    verdict = combined(tmp_path)
    again = {one.scenario: one for one in judge_again(tmp_path)}
    assert again[SERIES].again == verdict
    assert all(one.same for one in again.values())
    assert main(["verify", str(tmp_path)]) == 0
    assert f"MN-05  PASS, as recorded: {SERIES}\n" in capsys.readouterr().out


def test_a_series_altered_since_is_told(tmp_path: Path) -> None:
    repetition(tmp_path, name(1))
    combined(tmp_path)
    history = tmp_path / "history.jsonl"
    history.write_text(history.read_text().replace("[1/3]", "[1/1]"))
    again = {one.scenario: one for one in judge_again(tmp_path)}
    assert again[SERIES].again.status is Status.PASS
    assert not again[SERIES].same


def test_what_comes_after_the_judging_is_no_evidence_for_it(tmp_path: Path) -> None:
    repetition(tmp_path, name(1))
    verdict = combined(tmp_path)
    repetition(tmp_path, name(2))
    again = {one.scenario: one for one in judge_again(tmp_path)}
    assert again[SERIES].again == verdict


def test_a_run_without_repetitions_has_no_series(tmp_path: Path) -> None:
    assert judge_series(tmp_path) == []
    repetition(tmp_path, SERIES)
    assert judge_series(tmp_path) == []
    assert not read_history(tmp_path / "history.jsonl").events(SERIES_JUDGE)
