"""How long scenarios take: as they did last time on this machine, or by estimate before that.

It only decides which scenario is begun first. The repetitions of one share a figure, and a
case that nobody knows is taken to last as long as other cases of its test. A lab that is made,
thawed or waited for is no scenario's own: whichever is the first to need it would be taken for a
long one the next time.
"""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest

from checks.engine.repetition import Repetition
from lab.cache import cache_root, locked, replacing

_ESTIMATES_S = {
    "::test_maintenance_that_ends_with_a_reboot": 400.0,
    "::test_an_installation_that_is_all_in_one": 310.0,
    "::test_the_tightened_firewall": 290.0,
    "::test_a_node_that_reboots_over_and_over": 270.0,
    "/test_keepalived.py": 270.0,
    "/test_platforms.py": 260.0,
    "::test_apply_changes_twice": 250.0,
    "::test_after_a_takeover_changes_go": 235.0,
    "/test_sessions.py": 210.0,
    "::test_whoever_is_killed": 200.0,
    "::test_what_the_last_sync_held_survives": 170.0,
    "::test_clients_of_a_node_that_dies": 170.0,
    "::test_a_controller_that_is_off": 165.0,
    "::test_who_is_disabled_or_deleted": 165.0,
    "::test_maintenance_in_the_guides_order": 140.0,
    "::test_an_active_node_that_comes_back": 120.0,
    "::test_a_node_deploys_the_profiles_of_its_list": 120.0,
    "::test_another_order_is_named_wrong": 115.0,
    "::test_nothing_but_clients_packets_and_answers": 110.0,
    "::test_validate_shows_four_good_rows": 90.0,
    "::test_restarting_the_active_secondary": 60.0,
    "::test_clients_that_connect_by_the_shared_name": 60.0,
    "::test_merged_profiles": 50.0,
    "/test_heartbeat.py": 50.0,
    "/harness/": 50.0,
    "::test_a_client_gets_into_each_node": 30.0,
    "/failover/": 40.0,
}
"""By a part of a scenario's name, the first that fits; rough, as in a sign-off run without KVM."""
LAST = "/harness/test_verdicts.py"
"""Scenarios with this in their names are begun when all others are: they look back at them."""
_OTHERS_S = 10.0
_LEAST_S = 0.1

LAB_S = "vpnproof_lab_s"
"""Of an item's properties: how long its set-up took to have a lab."""


class Durations:
    """Seconds by scenario, kept from run to run."""

    def __init__(self, known: Mapping[str, float]) -> None:
        self._known = known
        self._cases: dict[str, list[float]] = defaultdict(list)
        for name, seconds in known.items():
            self._cases[test_of(name)].append(seconds)

    @classmethod
    def remembered(cls) -> Durations:
        """Return what earlier runs took; a damaged file is as good as none."""
        return cls.of(_path())

    @classmethod
    def of(cls, path: Path) -> Durations:
        """Return what a file says; a damaged one is as good as none."""
        return cls(_read(path))

    def knows(self, scenario: str) -> bool:
        """Whether earlier runs have told, or it is an estimate."""
        return bool(self._known.get(_key(scenario)))

    def expected_s(self, scenario: str) -> float:
        """Return how long a scenario will take, as far as anybody knows; 0 for the last ones."""
        if LAST in scenario:
            return 0.0
        if known := self._known.get(_key(scenario)) or self.of_other_cases_s(scenario):
            return known
        guesses = (seconds for part, seconds in _ESTIMATES_S.items() if part in scenario)
        return next(guesses, _OTHERS_S)

    def of_other_cases_s(self, scenario: str) -> float | None:
        """Return what cases of a scenario's test took in the middle; None where none is known."""
        cases = self._cases.get(test_of(scenario))
        return statistics.median(cases) if cases else None


class Stopwatch:
    """A plugin of pytest that remembers how long each scenario took that passed."""

    def __init__(self) -> None:
        self._took: dict[str, float] = defaultdict(float)
        self._passed: dict[str, bool] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add up what a scenario's phases took, wherever it ran."""
        self._took[report.nodeid] += report.duration
        lab_s = dict(report.user_properties).get(LAB_S)
        if report.when == "setup" and isinstance(lab_s, float):
            self._took[report.nodeid] -= lab_s
        self._passed[report.nodeid] = self._passed.get(report.nodeid, True) and report.passed

    def pytest_sessionfinish(self) -> None:
        """Remember all of it for the next run; 0 would be as good as nothing known."""
        took = {
            _key(name): max(self._took[name], _LEAST_S)
            for name, good in self._passed.items()
            if good
        }
        if took:
            remember(took)


def remember(took: Mapping[str, float]) -> None:
    """Put newer figures in the place of older ones."""
    path = _path()
    with locked("durations"):
        known = {**_read(path), **{name: round(seconds, 1) for name, seconds in took.items()}}
        with replacing(path) as fresh:
            fresh.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")


def _path() -> Path:
    return cache_root() / "durations.json"


def test_of(scenario: str) -> str:
    """Return the test that a scenario is a case of, or a repetition."""
    return scenario.partition("[")[0]


def _key(scenario: str) -> str:
    repetition = Repetition.named(scenario)
    return scenario if repetition is None else repetition.series


def _read(path: Path) -> dict[str, float]:
    try:
        return {str(name): float(value) for name, value in json.loads(path.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
