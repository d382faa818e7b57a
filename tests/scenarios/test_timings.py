"""Where a run's time went: what reports carry, `timings.json`, and the table of --timings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.timing import Account, Kind, Share
from scenarios.timings import Phase, Timing, account_of, read, write

PROJECT = Path(__file__).parents[2]

#: Scenarios without a lab: what takes their time is known.
SCENARIOS = """
import pytest
from lab.timing import Kind, spending
from lab.wait import pause

@pytest.fixture
def labs(tmp_path):
    with spending(Kind.THAW):
        pause(0.2)
    yield
    pause(0.1)

@pytest.mark.parametrize("number", range(12))
def test_waits(labs, number):
    pause(0.01 * number)

def test_asks(labs):
    with spending(Kind.COMMAND):
        pause(0.5)
    assert False

def test_of_no_lab():
    pause(0.01)
"""


def ran(tmp_path: Path, *options: str) -> tuple[str, list[dict[str, object]]]:
    (tmp_path / "test_timed.py").write_text(SCENARIOS)
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", "pyproject.toml"]
    command += ["--rootdir", str(PROJECT), "--confcutdir", str(PROJECT), "-p", "conftest"]
    usual = {name: value for name, value in os.environ.items() if "EVIDENCE" not in name}
    done = subprocess.run(
        [*command, f"--evidence={evidence}", *options, str(tmp_path / "test_timed.py")],
        cwd=PROJECT,
        env=usual | {"COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout, json.loads((evidence / "timings.json").read_text())


@pytest.mark.parametrize("workers", ["0", "2"])
def test_each_scenario_has_a_row_and_the_ten_worst_are_printed(
    workers: str, tmp_path: Path
) -> None:
    said, rows = ran(tmp_path, "--timings", "-n", workers)
    assert len(rows) == 13
    assert {bool(row["worker"]) for row in rows} == {workers != "0"}
    asks = next(row for row in rows if str(row["scenario"]).endswith("test_asks"))
    assert asks["outcome"] == "failed"
    # No upper limits: nobody knows what else this machine has to do.
    assert asks["thaws_s"] >= 0.2
    assert asks["commands_s"] >= 0.5
    assert asks["protocol_wait_s"] >= 0.1
    assert asks["parts"]["wait"]["wall_s"] >= asks["protocol_wait_s"] + 0.7
    owned = sum(part["own_s"] for part in asks["parts"].values())
    assert owned + asks["other_s"] == pytest.approx(asks["wall_s"], abs=0.02)
    assert list(asks["phases_s"]) == ["setup", "call", "teardown"]
    assert "the 10 worst of 13 scenarios" in said
    table = said[said.index("the 10 worst") :].splitlines()
    first = [line.split()[0] for line in table if line.split()]
    worst = [name for name in first if name.startswith(("asks", "waits"))]
    assert len(worst) == 10
    assert worst[0] == "asks"
    assert "all" in first
    assert "…" not in said[said.index("the 10 worst") :]


def test_nothing_is_printed_unless_it_is_asked_for(tmp_path: Path) -> None:
    said, rows = ran(tmp_path)
    assert "worst" not in said
    assert len(rows) == 13


def test_a_run_without_a_row_has_none_to_read(tmp_path: Path) -> None:
    assert read(tmp_path) == []


def timing(name: str, ended_s: int, *outcomes: str) -> Timing:
    account = Account(2.0, 0.5, dict.fromkeys(Kind, Share()) | {Kind.WAIT: Share(3, 2, 1.5, 1.5)})
    phases = [Phase("call", one, ended_s * 10**9, account) for one in outcomes]
    return Timing(name, "", tuple(phases))


def test_rows_are_in_the_order_of_time_and_give_their_account_back(tmp_path: Path) -> None:
    write([timing("later", 20, "passed"), timing("earlier", 10, "passed")], tmp_path)
    rows = read(tmp_path)
    assert [row["scenario"] for row in rows] == ["earlier", "later"]
    assert rows[0]["ended_ns"] - rows[0]["began_ns"] == 2 * 10**9
    assert account_of(rows[0]) == timing("earlier", 10, "passed").account
    assert list(tmp_path.iterdir()) == [tmp_path / "timings.json"]


def test_a_scenario_ends_as_its_first_phase_that_did_not_pass() -> None:
    assert timing("one", 1, "passed", "failed", "passed").outcome == "failed"
    assert timing("one", 1, "passed", "passed").outcome == "passed"


def test_a_phase_is_told_from_process_to_process_as_it_is() -> None:
    phase = timing("one", 1, "passed").phases[0]
    assert Phase.from_json(phase.as_json()) == phase
