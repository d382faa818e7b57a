"""A run's evidence directory: what it says of itself, and that runs do not meet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from evidence.errors import BadEvidence
from evidence.events.run import LabBooted, ScenarioStarted
from evidence.history import read_history
from evidence.moment import NS
from lab.clock import ClockOffset
from lab.lab import Lab
from lab.wire import SEED
from scenarios.requirements import collected, to_be_judged
from scenarios.run import (
    COMMAND_OF_RUN,
    TERMINAL_OF_RUN,
    Revision,
    Run,
    forget_run,
    terminal_of_run,
)

PROJECT = Path(__file__).parents[2]


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    root.mkdir()
    git(root, "init", "-q")
    (root / "file").write_text("first")
    git(root, "add", "file")
    git(root, "commit", "-q", "-m", "first")
    return root


def test_nothing_is_made_before_it_is_needed(checkout: Path) -> None:
    Run(Run.fresh_directory(checkout), checkout)
    assert not (checkout / "runs").exists()


def test_a_run_says_what_must_be_known_to_repeat_it(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(COMMAND_OF_RUN, raising=False)
    monkeypatch.setattr(sys, "argv", ["pytest", "scenarios/multi_node", "-k", "one or two"])
    run = Run(checkout / "evidence" / "one", checkout)
    run.open(image="debian-12 (abcd)", accelerator="tcg (asked for)")
    told = json.loads((run.directory / "run.json").read_text())
    assert told["command"] == "pytest scenarios/multi_node -k 'one or two'"
    assert told["revision"]["uncommitted_changes"] is False
    assert len(told["revision"]["commit"]) == 40
    assert told["image"] == "debian-12 (abcd)"
    assert told["accelerator"] == "tcg (asked for)"
    assert told["processors"] == os.cpu_count()
    assert told["seed"] == SEED
    assert {"vpnproof", "pytest", "libvirt-python"} <= set(told["packages"])
    assert (run.directory / "wire").is_dir()


def test_a_worker_tells_the_command_line_of_the_run_and_not_its_own(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["-c"])
    monkeypatch.setenv(COMMAND_OF_RUN, "pytest scenarios/ --full")
    run = Run(checkout / "evidence" / "one", checkout)
    run.open()
    assert run.files.facts()["command"] == "pytest scenarios/ --full"


def test_uncommitted_changes_are_said(checkout: Path) -> None:
    (checkout / "file").write_text("second")
    assert Revision.here(checkout).uncommitted_changes


def test_outside_of_git_the_revision_is_unknown(tmp_path: Path) -> None:
    assert Revision.here(tmp_path) == Revision("unknown", uncommitted_changes=False)


def test_opening_twice_keeps_what_was_said_first(checkout: Path) -> None:
    run = Run(checkout / "evidence" / "one", checkout)
    run.open(image="first")
    run.open(image="second")
    assert json.loads((run.directory / "run.json").read_text())["image"] == "first"


@pytest.mark.parametrize("holds", ["run.json", "history.jsonl"])
def test_a_directory_that_holds_a_run_takes_no_other(checkout: Path, holds: str) -> None:
    """What is said once of a run would be said of both, and its seal made anew over the other."""
    run = Run(checkout / "evidence" / "one", checkout)
    run.refuse_a_former_one()
    run.directory.mkdir(parents=True)
    (run.directory / holds).write_text("{}")
    with pytest.raises(BadEvidence, match="one: holds a run already"):
        run.refuse_a_former_one()


def test_latest_points_at_the_run_that_was_opened_last(checkout: Path) -> None:
    for name in ("one", "two"):
        Run(checkout / "evidence" / name, checkout).open()
    latest = checkout / "evidence" / "latest"
    assert str(latest.readlink()) == "two"
    assert (latest / "run.json").exists()


def test_what_is_a_part_of_a_run_leaves_latest_to_it(checkout: Path) -> None:
    whole = Run(checkout / "evidence" / "one", checkout)
    whole.open()
    Run(whole.directory / "matrix" / "part", checkout).open()
    assert str((checkout / "evidence" / "latest").readlink()) == "one"
    assert not (whole.directory / "matrix" / "latest").exists()


def test_a_latest_whose_run_was_removed_is_replaced(checkout: Path) -> None:
    (checkout / "evidence").mkdir()
    (checkout / "evidence" / "latest").symlink_to("gone")
    Run(checkout / "evidence" / "one", checkout).open()
    assert str((checkout / "evidence" / "latest").readlink()) == "one"


def test_a_file_called_latest_is_left_alone(checkout: Path) -> None:
    (checkout / "evidence").mkdir()
    (checkout / "evidence" / "latest").write_text("mine")
    Run(checkout / "evidence" / "one", checkout).open()
    assert (checkout / "evidence" / "latest").read_text() == "mine"


@pytest.mark.parametrize("target", [".", "../file", "mine"])
def test_a_link_called_latest_that_is_not_ours_is_left_alone(checkout: Path, target: str) -> None:
    (checkout / "evidence" / "mine").mkdir(parents=True)
    link = checkout / "evidence" / "latest"
    link.symlink_to(target)
    Run(checkout / "evidence" / "one", checkout).open()
    assert str(link.readlink()) == target


@pytest.mark.parametrize("name", ["letter.txt", "history.jsonl", "verdicts.json"])
def test_a_directory_that_holds_other_things_is_no_runs(checkout: Path, name: str) -> None:
    place = checkout / "evidence"
    place.mkdir()
    (place / name).write_text("dear")
    with pytest.raises(BadEvidence, match=f"it holds '{name}'"):
        Run(place, checkout).open()
    assert [path.name for path in place.iterdir()] == [name]


@pytest.mark.parametrize("content", ["{}", '{"scripts": {}}', "no json", "[]"])
def test_a_run_json_of_something_else_is_not_replaced(checkout: Path, content: str) -> None:
    place = checkout / "evidence"
    place.mkdir()
    (place / "run.json").write_text(content)
    with pytest.raises(BadEvidence, match=r"run\.json"):
        Run(place, checkout).open()
    assert (place / "run.json").read_text() == content


def test_runs_at_once_have_directories_of_their_own_and_leave_nothing_half_written(
    checkout: Path,
) -> None:
    script = (
        "import sys; from pathlib import Path; from scenarios.run import Run\n"
        "root = Path(sys.argv[1]); run = Run(Run.fresh_directory(root), root)\n"
        "run.open(); print(run.directory)\n"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(checkout)], stdout=subprocess.PIPE, cwd=PROJECT
        )
        for _ in range(3)
    ]
    directories = {Path(each.communicate()[0].decode().strip()) for each in started}
    assert len(directories) == 3
    for directory in directories:
        assert json.loads((directory / "run.json").read_text())["revision"]
    latest = checkout / "runs" / "latest"
    assert latest.resolve() in {directory.resolve() for directory in directories}
    left = {path.name for path in (checkout / "runs").iterdir()}
    assert left == {directory.name for directory in directories} | {"latest"}


def test_the_history_of_a_run_is_one_file_for_all_its_scenarios(checkout: Path) -> None:
    run = Run(checkout / "evidence" / "one", checkout)
    run.open()
    for scenario in ("first", "second"):
        with run.history(scenario) as history:
            history.record(ScenarioStarted(source="pytest", lab="lab"))
    read = read_history(run.files.history)
    assert [event.scenario for event in read] == ["first", "second"]
    assert not read.damage


class LabThatRuns:
    """What a run notes of a lab; it stands on no checkpoint."""

    directory = Path("/labs/one")
    started_ns, started_uncertainty_ns = 1_700_000_000_000_000_000, 5
    clock = ClockOffset(4150 * NS, 7)

    def __init__(self) -> None:
        self.wire = self

    def counters(self) -> dict[str, int]:
        return {"generation": 3}


def test_a_lab_is_noted_with_its_clock_in_the_facts_and_in_the_history(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scenarios.run.stands_on", lambda _lab: None)
    run = Run(checkout / "evidence" / "one", checkout)
    run.open(requirements=["FO-24"])
    run.note_lab("failover-2", cast(Lab, LabThatRuns()))
    (booted,) = read_history(run.files.history).of(LabBooted)
    assert (booted.lab, booted.generation) == ("failover-2", 3)
    assert booted.clock.behind_ns == 4150 * NS
    assert run.files.facts()["labs"]["failover-2"]["clock"]["behind_ns"] == 4150 * NS
    assert run.files.requirements() == ("FO-24",)


def test_a_run_says_what_was_to_be_judged_by_all_who_opened_it(checkout: Path) -> None:
    run = Run(checkout / "evidence" / "one", checkout)
    run.open(requirements=["FO-24", "FO-01"], image="first")
    Run(run.directory, checkout).open(requirements=["FO-01", "MN-02"], image="second")
    assert run.files.requirements() == ("FO-01", "FO-24", "MN-02")


def scenario(
    *requirements: str,
    skipped: bool = False,
    name: str = "",
    records: str = "",
    engine: str | None = None,
) -> Any:
    marks = [pytest.mark.requirement(*requirements, engine=engine).mark]
    closest = pytest.mark.skip.mark if skipped else None
    return SimpleNamespace(
        config=SimpleNamespace(getoption={"heartbeat": "keepalived"}.__getitem__),
        iter_markers=lambda _name: iter(marks),
        get_closest_marker=lambda _name: closest,
        nodeid=name,
        fixturenames=(records,),
    )


def test_what_is_skipped_is_not_to_be_judged() -> None:
    chosen = [scenario("FO-24", "FO-20"), scenario("FO-24"), scenario("FO-47", skipped=True)]
    assert to_be_judged(chosen) == {"FO-20", "FO-24"}


def test_what_another_heartbeat_has_is_not_to_be_judged() -> None:
    chosen = [scenario("FO-20", engine="ucarp"), scenario("FO-47", engine="keepalived")]
    assert to_be_judged(chosen) == {"FO-47"}


def test_what_is_skipped_or_records_nothing_is_not_to_be_carried_out() -> None:
    chosen = [
        scenario(name="a::test_one", records="history"),
        scenario(name="a::test_two[1/3]", records="history"),
        scenario(name="a::test_two[2/3]", records="history"),
        scenario(name="a::test_skipped", records="history", skipped=True),
        scenario(name="a::test_silent"),
    ]
    found = collected(chosen, full=True, deselected=7)
    assert found.scenarios == {"a::test_one": 1, "a::test_two": 2}
    assert (found.full, found.deselected) == (True, 7)


def test_a_worker_says_what_it_does_where_its_run_does(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    monkeypatch.setenv(TERMINAL_OF_RUN, f"/proc/self/fd/{writing}")
    with terminal_of_run(in_worker=True) as terminal:
        terminal.write("thawing\n")
    assert os.read(reading, 100) == b"thawing\n"
    os.close(reading)
    os.close(writing)


def test_a_workers_words_overwrite_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    log.write_text("what pytest said")
    monkeypatch.setenv(TERMINAL_OF_RUN, str(log))
    with terminal_of_run(in_worker=True) as terminal:
        terminal.write("thawing\n")
    assert log.read_text() == "what pytest said"


def test_a_run_within_a_run_speaks_for_itself(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(TERMINAL_OF_RUN, "/dev/null")
    with terminal_of_run(in_worker=False) as terminal:
        terminal.write("thawing\n")
    assert capfd.readouterr().out == "thawing\n"


def test_a_run_that_is_over_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TERMINAL_OF_RUN, "/dev/null")
    forget_run()
    assert TERMINAL_OF_RUN not in os.environ
