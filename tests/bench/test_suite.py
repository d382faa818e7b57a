"""Where the suite's time goes: what is run, what comes of it, and a run that fails."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from bench import suite
from bench.__main__ import main
from lab.errors import LabError
from lab.timing import Account, Kind, Share
from scenarios.timings import Phase, Timing, write

#: A project whose scenarios take no time and leave the timings of others: those of `told`.
CONFTEST = """
import pathlib, shutil, sys
def pytest_addoption(parser):
    for option in ("--lab", "--image", "--accel", "--evidence"):
        parser.addoption(option)
    parser.addoption("--full", action="store_true")
def pytest_configure(config):
    here = pathlib.Path(__file__).parent
    with (here / "commands").open("a") as commands:
        print(*sys.argv[1:], file=commands)
    pathlib.Path(config.getoption("evidence")).mkdir()
    told = here / "told" / "timings.json"
    if told.exists():
        shutil.copy(told, config.getoption("evidence"))
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in ("scenarios/failover", "scenarios/multi_node", "told", "cache"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "pytest.ini").touch()
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "scenarios" / "failover" / "test_it.py").write_text("def test_it(): pass\n")
    monkeypatch.setattr(suite, "_ROOT", tmp_path)
    monkeypatch.setattr(suite, "prepare", lambda *_, **__: "image")
    monkeypatch.setattr(suite, "choose", lambda _: "tcg")
    monkeypatch.setattr(suite, "Deployer", lambda guide, *_: PretendDeployer(guide.topology))
    monkeypatch.setenv("VPNPROOF_CACHE", str(tmp_path / "cache"))
    PretendDeployer.frozen.clear()
    return tmp_path


class PretendDeployer:
    """Says which labs were made, and taken down."""

    frozen: list[str] = []  # noqa: RUF012 - cleared by the fixture

    def __init__(self, topology: str) -> None:
        self._topology = topology

    def deploy(self) -> PretendDeployer:
        return self

    def down(self) -> None:
        self.frozen.append(self._topology)


def told(project: Path, *names: str) -> None:
    spent = {Kind.WAIT: Share(2, 4, 4, 3), Kind.COMMAND: Share(7, 9, 6, 5), Kind.THAW: Share(1)}
    account = Account(10.0, 2.0, dict.fromkeys(Kind, Share()) | spent)
    write(
        [Timing(name, "", (Phase("call", "passed", 5, account),)) for name in names],
        project / "told",
    )


def given(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    suite.add_arguments(parser)
    return parser.parse_args(words)


def commands(project: Path) -> list[str]:
    return (project / "commands").read_text().splitlines()


def test_the_figures_of_each_scenario_and_of_all_are_returned(project: Path) -> None:
    told(project, "scenarios/failover/test_it.py::test_a", "scenarios/failover/test_it.py::test_b")
    figures = suite.measure(given())
    assert figures["cold"] is None
    warm = figures["warm"]
    assert warm["run_s"] > 0
    assert [row["scenario"][-6:] for row in warm["scenarios"]] == ["test_a", "test_b"]
    one, both = warm["scenarios"][0], warm["all"]
    assert (one["wall_s"], one["protocol_wait_s"], one["commands_s"], one["other_s"]) == (
        10,
        3,
        5,
        2,
    )
    assert (both["wall_s"], both["protocol_wait_s"], both["commands"]) == (20, 6, 14)
    assert {"thaws_s", "logins_s", "judging_s", "heartbeat_silent_s"} <= both.keys()


def test_what_the_scenarios_need_is_frozen_before_a_warm_run(project: Path) -> None:
    told(project, "a")
    suite.measure(given())
    assert PretendDeployer.frozen == ["multi_node", "failover"]
    assert len(commands(project)) == 1


@pytest.mark.parametrize(
    ("named", "run"),
    [
        ("failover", "scenarios/failover"),
        ("scenarios/failover/test_it.py", "scenarios/failover/test_it.py"),
    ],
)
def test_one_guides_scenarios_need_one_lab(project: Path, named: str, run: str) -> None:
    told(project, "a")
    suite.measure(given("--guide", named, "--image", "debian-12", "--full", "-n", "0"))
    assert PretendDeployer.frozen == ["failover"]
    (command,) = commands(project)
    assert {run, "--image=debian-12", "--full", "--lab=local"} <= set(command.split())
    assert "-n 0" in command


def test_a_cold_run_begins_with_a_cache_of_its_own_and_a_warm_one_follows(project: Path) -> None:
    told(project, "a")
    figures = suite.measure(given("--cold"))
    assert figures["cold"]["all"]["wall_s"] == figures["warm"]["all"]["wall_s"] == 10
    assert PretendDeployer.frozen == []
    assert len(commands(project)) == 2
    assert list((project / "cache").iterdir()) == []


def test_a_scenario_that_fails_makes_the_figures_worthless(project: Path) -> None:
    told(project, "a")
    failing = project / "scenarios" / "failover" / "test_it.py"
    failing.write_text("def test_it(): assert 'the standby' == 'asleep'\n")
    with pytest.raises(LabError, match="asleep"):
        suite.measure(given())


def test_a_run_of_no_scenario_has_no_figures(project: Path) -> None:
    with pytest.raises(LabError, match="no scenario ran"):
        suite.measure(given())


def test_the_table_has_a_line_for_each_scenario_and_one_for_all(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("bench.__main__._ROOT", project)
    told(project, "scenarios/failover/test_it.py::test_one_takes_over")
    assert main(["suite"]) == 0
    said = capsys.readouterr().out
    assert "one_takes_over" in said
    assert any(line.split()[:1] == ["all"] for line in said.splitlines())
    assert "warm:" in said
    assert "cold" not in said
    assert "…" not in said
