"""Which scenarios a run collects: all but the long ones, unless it is told to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
LONG = "scenarios/failover/test_returning.py::test_a_node_that_reboots_over_and_over_moves_nothing"
SHORT = "scenarios/failover/test_heartbeat.py::test_tcpdump_on_the_standby_prints_the_guides_lines"


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


def test_what_looks_back_at_all_others_comes_last() -> None:
    found = collected("scenarios/harness", "scenarios/multi_node").splitlines()
    names = [line for line in found if "::" in line]
    assert "harness/test_verdicts.py" in names[-1]
    assert sum("harness/test_verdicts.py" in name for name in names) == 1


def test_a_sign_off_run_leaves_nothing_out() -> None:
    found = collected("scenarios/", "--full")
    assert LONG in found
    assert "deselected" not in found


def test_a_scenario_that_is_named_runs_however_long_it_takes() -> None:
    found = collected(LONG, "scenarios/failover/test_survival.py", SHORT)
    assert LONG in found
    assert SHORT in found
    assert "test_survival" not in found


def test_a_name_stands_for_all_its_parameters() -> None:
    assert "[vrrp-v3]" in collected(
        "scenarios/failover/test_keepalived.py::test_keepalived_keeps_what_the_guide_promises"
    )


def test_a_run_in_the_directory_of_another_is_refused_before_anything_starts(
    tmp_path: Path,
) -> None:
    (tmp_path / "run.json").write_text("{}")
    command = [sys.executable, "-m", "pytest", SHORT, f"--evidence={tmp_path}", "--lab=local"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "holds a run already" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
