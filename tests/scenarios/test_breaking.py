"""How a deployment is broken: files, programs, and what waits until the history says it is time."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from checks.engine.verdict import Status, Verdict
from evidence.events.pair import SteadyBegan
from evidence.events.run import ScenarioStarted
from evidence.history import FILE_NAME, History, read_history
from lab.errors import ConformanceFailure, LabError, ScenarioError
from lab.lab import Lab
from scenarios.mutants.mutant import Broken, Mutant, MutantNotApplied, applied
from scenarios.mutants.plugin import hold

SCENARIO = "scenarios/failover/test_it.py::test_it"


class LocalMachine:
    """This machine, where a lab's would be."""

    def run(self, command: str, **_: object) -> Any:
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
        return SimpleNamespace(status=0, stdout=done.stdout)

    def get(self, path: str) -> bytes:
        return Path(path).read_bytes()

    def put(self, content: str, path: str, *, mode: int = 0o644, **_: object) -> None:
        Path(path).write_text(content)
        Path(path).chmod(mode)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with History(tmp_path / FILE_NAME, SCENARIO) as history:
        history.record(ScenarioStarted(source="pytest", lab="lab"))
        yield history


@pytest.fixture
def broken(history: History) -> Broken:
    lab = cast(Lab, {"it": LocalMachine()})
    return Broken(lab, history, None, ExitStack())


def test_a_file_is_changed_and_keeps_its_mode(broken: Broken, tmp_path: Path) -> None:
    file = tmp_path / "conf"
    file.write_text("a = 1\n")
    file.chmod(0o640)
    broken.edit("it", str(file), "a = 1", "a = 2")
    assert file.read_text() == "a = 2\n"
    assert file.stat().st_mode & 0o777 == 0o640


def test_what_is_not_there_to_be_broken_is_no_mutant(broken: Broken, tmp_path: Path) -> None:
    (tmp_path / "conf").write_text("b = 1\n")
    with pytest.raises(MutantNotApplied, match="does not hold 'a = 1'"):
        broken.edit("it", str(tmp_path / "conf"), "a = 1", "a = 2")


def test_a_script_stands_in_for_a_program_and_finds_it(
    broken: Broken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "library").write_text("says\n")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    program = tmp_path / "bin" / "speak"
    program.write_text('#!/bin/sh\necho "${0##*/} $(cat "${0%/*}/../library") $@"\n')
    program.chmod(0o755)
    broken.wrap("it", "speak", 'exec "$genuine" "$@" --louder')
    said = subprocess.run([program, "hello"], capture_output=True, text=True, check=True)
    assert said.stdout == "speak says hello --louder\n"


def test_what_waits_for_an_event_acts_once_it_is_there(broken: Broken, history: History) -> None:
    acted: list[str] = []
    broken.after(SteadyBegan, lambda: acted.append("it"), lambda one: one.active == "secondary")
    history.record(SteadyBegan(source="scenario", active="primary"))
    assert acted == []
    history.record(SteadyBegan(source="scenario", active="secondary"))
    broken._later[0].result(30)
    broken.end()
    assert acted == ["it"]


def test_what_is_never_due_does_nothing_and_is_no_broken_deployment(broken: Broken) -> None:
    broken.after(SteadyBegan, lambda: pytest.fail("nothing began"))
    with pytest.raises(MutantNotApplied, match="the scenario ended before"):
        broken.end()


def test_what_is_done_after_the_scenario_came_too_late(broken: Broken) -> None:
    begun, over = threading.Event(), threading.Event()

    def act() -> None:
        begun.set()
        over.wait(60)

    broken.once(lambda: True, act)
    assert begun.wait(60)
    threading.Timer(0.2, over.set).start()
    with pytest.raises(MutantNotApplied, match="the scenario ended before"):
        broken.end()


def test_what_was_broken_in_time_is_broken(broken: Broken) -> None:
    done = threading.Event()
    broken.once(lambda: True, done.set)
    assert done.wait(60)
    broken.end()


def test_what_goes_wrong_beside_the_scenario_is_raised(broken: Broken) -> None:
    def fail() -> None:
        raise LabError("it cannot be done")

    broken.once(lambda: True, fail)
    with pytest.raises(LabError, match="it cannot be done"):
        broken.end()


def test_a_scenario_without_a_pair_has_none_to_break(broken: Broken) -> None:
    with pytest.raises(ScenarioError, match="its scenario has none"):
        broken.standby  # noqa: B018 - it raises


ONE = Mutant("FO-24", "test_it.py::test_it", "it", "it is slow", ("few",), lambda _: None)


def test_what_is_broken_is_recorded_before_it_is_broken(history: History) -> None:
    with applied(ONE, cast(Lab, {}), history, None):
        pass
    events = [line.event for line in read_history(history.path).lines]
    assert events[-1].model_dump()["kind"] == "mutant.applied"


@pytest.mark.parametrize(
    ("status", "reason", "error"),
    [
        (Status.PASS, "few", LabError),
        (Status.UNKNOWN, "few", LabError),
        (Status.FAIL, "many", ConformanceFailure),
    ],
)
def test_an_item_of_a_mutant_that_lives_fails(
    status: Status, reason: str, error: type[Exception]
) -> None:
    with pytest.raises(error, match="FO-24 is not killed"):
        hold(ONE, "FO-24", Verdict(status, (reason,)))


def test_an_item_of_a_mutant_that_is_killed_goes_on() -> None:
    verdict = Verdict(Status.FAIL, ("few seconds",))
    assert hold(ONE, "FO-24", verdict) is verdict
