"""How long scenarios take: remembered from run to run, and guessed before the first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scenarios.durations import LAB_S, Durations, Stopwatch, remember
from tests.scenarios.pretended import PROJECT, outside

LONG = "scenarios/failover/test_returning.py::test_a_node_that_reboots_over_and_over_moves_nothing"
SHORT = "scenarios/multi_node/test_controller.py::test_profiles_share_neither_number_nor_range"
FAULT = "scenarios/failover/test_takeover.py::test_it"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VPNPROOF_CACHE", str(tmp_path))
    return tmp_path


def report(
    scenario: str, seconds: float, *, passed: bool = True, when: str = "call", lab_s: float = 0.0
) -> Any:
    told = [(LAB_S, lab_s)] if lab_s else []
    return SimpleNamespace(
        nodeid=scenario, duration=seconds, passed=passed, when=when, user_properties=told
    )


def test_what_looks_back_at_the_others_is_shorter_than_any_of_them() -> None:
    last = "scenarios/harness/test_verdicts.py::test_what_was_judged"
    remember({last: 40.0, SHORT: 0.1})
    durations = Durations.remembered()
    assert durations.expected_s(last) < durations.expected_s(SHORT)


def test_before_the_first_run_long_ones_are_known_to_be_long() -> None:
    durations = Durations.remembered()
    assert durations.expected_s(LONG) > durations.expected_s(FAULT) > durations.expected_s(SHORT)


def test_all_phases_of_a_scenario_count(cache: Path) -> None:
    watch = Stopwatch()
    for when, seconds in {"setup": 2.0, "call": 70.0, "teardown": 1.0}.items():
        watch.pytest_runtest_logreport(report(SHORT, seconds, when=when))
    watch.pytest_sessionfinish()
    assert Durations.remembered().expected_s(SHORT) == 73.0


def test_the_lab_that_a_scenario_is_the_first_to_need_does_not_count(cache: Path) -> None:
    watch = Stopwatch()
    for when, seconds in {"setup": 1042.0, "call": 18.0, "teardown": 1.0}.items():
        watch.pytest_runtest_logreport(report(SHORT, seconds, when=when, lab_s=1040.0))
    watch.pytest_sessionfinish()
    assert Durations.remembered().expected_s(SHORT) == 21.0


def test_what_took_next_to_no_time_is_known_all_the_same(cache: Path) -> None:
    watch = Stopwatch()
    watch.pytest_runtest_logreport(report(SHORT, 0.0001))
    watch.pytest_sessionfinish()
    assert Durations.remembered().knows(SHORT)
    assert Durations.remembered().expected_s(SHORT) == 0.1


@pytest.mark.parametrize("option", ["--setup-plan", "--collect-only"])
def test_a_run_that_only_shows_scenarios_remembers_nothing(option: str, cache: Path) -> None:
    command = [sys.executable, "-m", "pytest", option, "-q", "-p", "no:cacheprovider"]
    subprocess.run(
        [*command, "scenarios/multi_node/test_requirements.py"],
        cwd=PROJECT,
        env=outside() | {"VPNPROOF_CACHE": str(cache)},
        capture_output=True,
        check=True,
    )
    assert not (cache / "durations.json").exists()


def test_repetitions_share_a_figure() -> None:
    remember({FAULT: 33.0})
    assert Durations.remembered().expected_s(f"{FAULT}[7/20]") == 33.0


def test_a_case_that_nobody_knows_lasts_as_others_of_its_test() -> None:
    remember({"a.py::t[x]": 100.0, "a.py::t[y-z]": 120.0, "a.py::test": 1.0})
    durations = Durations.remembered()
    assert durations.expected_s("a.py::t[new]") == 110.0
    assert durations.expected_s("a.py::t[new-3/20]") == 110.0
    assert durations.expected_s("a.py::t[x]") == 100.0
    assert not durations.knows("a.py::t[new]")
    assert durations.expected_s("a.py::other[x]") < 100.0


def test_what_failed_says_nothing_about_how_long_it_takes() -> None:
    watch = Stopwatch()
    watch.pytest_runtest_logreport(report(SHORT, 5.0))
    watch.pytest_runtest_logreport(report(SHORT, 500.0, passed=False))
    watch.pytest_sessionfinish()
    assert Durations.remembered().expected_s(SHORT) < 100


def test_what_did_not_run_this_time_is_not_forgotten() -> None:
    remember({SHORT: 3.0, LONG: 4.0})
    remember({SHORT: 5.0})
    durations = Durations.remembered()
    assert (durations.expected_s(SHORT), durations.expected_s(LONG)) == (5.0, 4.0)


@pytest.mark.parametrize("content", ["", "[1]", '{"a": "b"}', "\0"])
def test_a_damaged_file_is_as_good_as_none(cache: Path, content: str) -> None:
    (cache / "durations.json").write_text(content)
    assert Durations.remembered().expected_s(SHORT) > 0
    remember({SHORT: 5.0})
    assert Durations.remembered().expected_s(SHORT) == 5.0
