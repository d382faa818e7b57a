"""Which scenarios a run collects: all but the long ones, unless it is told to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]
LONG = "scenarios/failover/test_returning.py::test_a_node_that_reboots_over_and_over_moves_nothing"
SHORT = "scenarios/failover/test_returning.py::test_an_active_node_that_comes_back_stays_standby"


def collected(*arguments: str) -> str:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    said = subprocess.run(
        [*command, *arguments], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    return said.stdout


def test_what_takes_many_minutes_waits_for_a_sign_off_run() -> None:
    found = collected("scenarios/")
    assert SHORT in found
    assert LONG not in found
    assert "deselected" in found


def test_a_sign_off_run_leaves_nothing_out() -> None:
    found = collected("scenarios/", "--full")
    assert LONG in found
    assert "deselected" not in found


#: A plugin that looks when a worker of xdist does, and prints the groups of all items.
LOOKING_LATE = """
import pytest

class Worker:
    def pytest_collection_modifyitems(self, items):
        groups = [[mark.args[0] for mark in item.iter_markers("xdist_group")] for item in items]
        print("groups:", *sorted({"+".join(names) for names in groups}))

class Late:
    def pytest_sessionstart(self, session):
        session.config.pluginmanager.register(Worker())

pytest.main(["--collect-only", "-qq", "-s", "-p", "no:cacheprovider", "scenarios/"], [Late()])
"""


def test_with_workers_each_guide_is_a_group_of_its_own() -> None:
    command = [sys.executable, "-c", LOOKING_LATE]
    said = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert "groups: failover multi_node\n" in said.stdout


def test_a_scenario_that_is_named_runs_however_long_it_takes() -> None:
    found = collected(LONG, "scenarios/failover/test_survival.py", SHORT)
    assert LONG in found
    assert SHORT in found
    assert "test_survival" not in found


def test_a_name_stands_for_all_its_parameters() -> None:
    assert "[vrrp-v3]" in collected(
        "scenarios/failover/test_keepalived.py::test_keepalived_keeps_what_the_guide_promises"
    )
