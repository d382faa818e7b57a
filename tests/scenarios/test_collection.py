"""Which scenarios a run collects: all but the long ones, unless it is told to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from checks.engine.collected import Collected
from tests.scenarios.pretended import outside

PROJECT = Path(__file__).parents[2]
LONG = "scenarios/failover/test_returning.py::test_a_node_that_reboots_over_and_over_moves_nothing"
SHORT = "scenarios/failover/test_heartbeat.py::test_tcpdump_on_the_standby_prints_the_guides_lines"


def collected(*arguments: str) -> str:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    said = subprocess.run(
        [*command, *arguments],
        cwd=PROJECT,
        env=outside(),
        capture_output=True,
        text=True,
        check=True,
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


_TELLS = """
import json, pathlib, pytest

@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session):
    from scenarios.plugin.labs import _asked

    pathlib.Path(__file__).with_name("asked").write_text(
        json.dumps({**_asked(session.config), "requirements": None})
    )
"""


def asked(place: Path, *arguments: str) -> Collected:
    """Return what a run of these says in its `run.json` that it was to carry out."""
    (place / "tells.py").write_text(_TELLS)
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    environment = {**outside(), "PYTHONPATH": os.pathsep.join((str(place), str(PROJECT)))}
    subprocess.run(
        [*command, "-p", "tells", *arguments],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        check=True,
    )
    told = Collected.told(json.loads((place / "asked").read_text()))
    assert told is not None
    return told


def test_a_run_says_what_it_was_to_carry_out(tmp_path: Path) -> None:
    quick = asked(tmp_path, "scenarios/failover", "-k", "not tcpdump")
    assert not quick.full
    assert quick.deselected > 20
    assert SHORT not in quick.scenarios
    assert not [name for name in quick.scenarios if "power_failure" in name and "/3]" in name]
    assert 3 in quick.scenarios.values()
    named = asked(tmp_path, SHORT, "--full")
    assert (named.scenarios, named.full, named.deselected) == ({SHORT: 1}, True, 0)


def test_a_run_in_the_directory_of_another_is_refused_before_anything_starts(
    tmp_path: Path,
) -> None:
    (tmp_path / "run.json").write_text("{}")
    command = [sys.executable, "-m", "pytest", SHORT, f"--evidence={tmp_path}", "--lab=local"]
    done = subprocess.run(
        command, cwd=PROJECT, env=outside(), capture_output=True, text=True, check=False
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "holds a run already" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
