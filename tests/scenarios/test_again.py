"""What a busy host left undecided is carried out again, seen in small runs of pytest."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
_CONFTEST = """
import pathlib, pytest
from lab.errors import LabError
from scenarios.again import HostTooBusy, Again

TOLD = pathlib.Path(__file__).parent / "told"

def pytest_configure(config):
    config.pluginmanager.register(Again())

begun = {}

def tell(*words):
    with TOLD.open("a") as file:
        print(*words, file=file)

@pytest.fixture(scope="session")
def labs():
    tell("labs")
    yield
    tell("labs end")

@pytest.fixture
def lab(labs, request):
    name = request.node.nodeid
    begun[name] = begun.get(name, 0) + 1
    tell("lab", name, begun[name])
    yield
    tell("lab ends")

@pytest.fixture
def attempt(lab, request):
    return begun[request.node.nodeid]
"""
_TEST = """
import pytest
from lab.errors import LabError, MachineHung
from scenarios.again import HostTooBusy

busy, broken = HostTooBusy("FO-24: late"), LabError("FO-24: no capture")

@pytest.mark.parametrize("repetition", [1], ids=["1/{of}"])
def test_it(attempt, repetition):
    {body}

def test_after(lab):
    pass
"""


@dataclass(frozen=True)
class Ended:
    """What such a run printed, and what its fixtures told."""

    status: int
    said: str
    told: list[str]

    @property
    def scenarios(self) -> list[str]:
        """The scenarios of `test_it` that were begun."""
        begun = [line.partition("::")[2] for line in self.told if line.startswith("lab test")]
        return [name for name in begun if name.startswith("test_it")]


def run(place: Path, body: str, *options: str, of: int = 1) -> Ended:
    (place / "conftest.py").write_text(_CONFTEST)
    (place / "test_small.py").write_text(_TEST.format(body=body, of=of))
    (place / "pytest.ini").write_text("[pytest]\n")
    chosen = options or ("-p", "no:xdist")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *chosen],
        cwd=place,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(place), str(PROJECT)))},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    told = (place / "told").read_text().splitlines()
    return Ended(done.returncode, done.stdout + done.stderr, told)


def test_a_repetition_that_was_decided_is_carried_out_once(tmp_path: Path) -> None:
    ended = run(tmp_path, "pass")
    assert ended.scenarios == ["test_it[1/1] 1"]
    assert ended.status == 0, ended.said


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "side by side"])
def test_one_that_the_host_was_too_busy_for_is_carried_out_again(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    ended = run(tmp_path, "if attempt == 1: raise busy", *options)
    assert ended.scenarios == ["test_it[1/1] 1", "test_it[1/1] 2"]
    assert "2 passed, 1 repeated" in ended.said
    assert ended.status == 0, ended.said


@pytest.mark.parametrize("of", [1, 2, 20])
def test_it_is_carried_out_again_only_twice(tmp_path: Path, of: int) -> None:
    ended = run(tmp_path, "raise busy", of=of)
    assert ended.scenarios == [f"test_it[1/{of}] {attempt}" for attempt in (1, 2, 3)]
    assert "1 failed, 1 passed, 2 repeated" in ended.said
    assert ended.status == 1


def test_one_of_a_series_is_carried_out_up_to_three_times(tmp_path: Path) -> None:
    ended = run(tmp_path, "if attempt < 3: raise busy", of=20)
    assert ended.scenarios == [f"test_it[1/20] {attempt}" for attempt in (1, 2, 3)]
    assert "2 passed, 2 repeated" in ended.said
    assert ended.status == 0, ended.said


def test_nor_is_it_carried_out_a_fourth_time(tmp_path: Path) -> None:
    ended = run(tmp_path, "raise busy", of=20)
    assert len(ended.scenarios) == 3
    assert ended.status == 1


def test_what_comes_of_the_second_one_counts(tmp_path: Path) -> None:
    ended = run(tmp_path, "raise busy if attempt == 1 else broken")
    assert "no capture" in ended.said
    assert ended.status == 1


@pytest.mark.parametrize(
    "body",
    ["raise broken", "assert False", 'raise ExceptionGroup("2 of 2", [busy, broken])'],
    ids=["unknown for another reason", "failed", "late and broken"],
)
def test_what_is_wrong_beside_lateness_is_not_tried_again(tmp_path: Path, body: str) -> None:
    ended = run(tmp_path, body)
    assert ended.scenarios == ["test_it[1/1] 1"]
    assert ended.status == 1


def test_one_whose_machine_hung_as_it_booted_is_carried_out_again(tmp_path: Path) -> None:
    ended = run(tmp_path, 'if attempt == 1: raise MachineHung("node-b: its kernel stopped")')
    assert ended.scenarios == ["test_it[1/1] 1", "test_it[1/1] 2"]
    assert ended.status == 0, ended.said


def test_several_requirements_that_are_late_are_one_reason(tmp_path: Path) -> None:
    ended = run(tmp_path, 'if attempt == 1: raise ExceptionGroup("2 of 2", [busy, busy])')
    assert ended.scenarios == ["test_it[1/1] 1", "test_it[1/1] 2"]
    assert ended.status == 0, ended.said


def test_the_second_one_has_a_lab_of_its_own_and_what_is_shared_stays(tmp_path: Path) -> None:
    ended = run(tmp_path, "if attempt == 1: raise busy")
    assert ended.told == [
        "labs",
        "lab test_small.py::test_it[1/1] 1",
        "lab ends",
        "lab test_small.py::test_it[1/1] 2",
        "lab ends",
        "lab test_small.py::test_after 1",
        "lab ends",
        "labs end",
    ]


def test_a_scenario_of_one_repetition_is_carried_out_again_too(tmp_path: Path) -> None:
    once = "pass\n\ndef test_other(attempt):\n    if attempt == 1: raise busy"
    ended = run(tmp_path, once)
    assert sum("test_other" in line for line in ended.told) == 2
    assert "1 repeated" in ended.said
    assert ended.status == 0, ended.said


def test_what_needs_no_lab_is_left_to_pytest(tmp_path: Path) -> None:
    other = "pass\n\nseen = []\n\ndef test_other():\n    seen.append(1)\n    raise busy"
    ended = run(tmp_path, other + "\n\ndef test_seen():\n    assert seen == [1]")
    assert "1 failed, 3 passed" in ended.said
    assert ended.status == 1
