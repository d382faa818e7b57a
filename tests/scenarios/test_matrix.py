"""`--matrix`: what is one, and that every combination is run, whatever becomes of the others."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from evidence.combinations import Combination, Outcome, outcomes_of
from scenarios.combinations import Breaking, exit_status
from scenarios.matrix import Plan, planned
from scenarios.plugin import matrix
from tests.scenarios.pretended import PROJECT, outside, pretend

FAILOVER, MULTI_NODE = "scenarios/failover", "scenarios/multi_node"
HEARTBEATS, IMAGES = "heartbeat=ucarp,keepalived", "image=debian-12,centos-stream-9"


def plan(command: str, words: int = 1) -> Plan:
    """Plan a run as pytest would ask for it: its paths are the words that are no options."""
    given = command.split()
    at = [number for number, word in enumerate(given) if word == "--matrix"]
    values = [given[number + 1] for number in at]
    taken = {number + offset for number in at for offset in (0, 1)}
    paths = [word for n, word in enumerate(given) if n not in taken and not word.startswith("-")]
    return planned(given, values, paths)


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)


def test_every_value_is_run_with_every_other_in_the_order_of_the_words() -> None:
    made = plan(f"scenarios/ --full --matrix {HEARTBEATS} {IMAGES}")
    assert [tuple(one.values()) for one in made.settings] == [
        ("ucarp", "debian-12"),
        ("ucarp", "centos-stream-9"),
        ("keepalived", "debian-12"),
        ("keepalived", "centos-stream-9"),
    ]
    assert list(made.settings[0]) == ["heartbeat", "image"]


@pytest.mark.parametrize(
    "command",
    [
        f"{FAILOVER} --full --matrix {HEARTBEATS} {IMAGES}",
        f"--matrix {HEARTBEATS} {IMAGES} --full {FAILOVER}",
        f"--full --matrix {HEARTBEATS} --matrix {IMAGES} {FAILOVER}",
        f"{IMAGES} {FAILOVER} --full --matrix {HEARTBEATS}",
    ],
)
def test_no_path_is_swallowed_wherever_the_words_stand(command: str) -> None:
    made = plan(command)
    assert len(made.settings) == 4
    assert made.paths == (FAILOVER,)
    assert sorted(made.arguments) == ["--full", FAILOVER]


def test_names_of_scenarios_with_parameters_are_no_settings() -> None:
    name = f"{FAILOVER}/test_takeover.py::test_a_crash_makes_the_standby_active[a=b]"
    assert plan(f"{name} --matrix {HEARTBEATS}").arguments == (name,)


def test_the_matrix_and_the_directory_are_not_passed_on() -> None:
    words = [
        f"--matrix={HEARTBEATS}",
        "--evidence",
        "there",
        "-n",
        "1",
        "--evidence=here",
        FAILOVER,
    ]
    assert planned(words, [HEARTBEATS], [FAILOVER]).arguments == ("-n", "1", FAILOVER)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (f"{FAILOVER} --matrix ucarp", "'ucarp' is not KEY=VALUE,VALUE"),
        (f"--matrix {FAILOVER} {HEARTBEATS}", f"'{FAILOVER}' is not KEY=VALUE,VALUE"),
        (f"{FAILOVER} --matrix engine=ucarp", "no key 'engine': there are heartbeat, image"),
        (f"{FAILOVER} --matrix heartbeat=vrrp", "heartbeat: no value 'vrrp': there are ucarp"),
        (f"{FAILOVER} --matrix heartbeat=", "heartbeat: no value ''"),
        (f"{FAILOVER} --matrix image=windows", "image: no value 'windows': there are"),
        (f"{MULTI_NODE} --matrix software=auto", "software: no value 'auto': there are genuine"),
        (f"{FAILOVER} --matrix heartbeat=ucarp,ucarp", "heartbeat: ucarp is given twice"),
        (f"{FAILOVER} --matrix heartbeat=ucarp heartbeat=keepalived", "heartbeat is given twice"),
        (f"--matrix {HEARTBEATS}", "name the scenarios"),
        (f"tests --matrix {HEARTBEATS}", "name the scenarios"),
        (f"{MULTI_NODE} --matrix {HEARTBEATS}", "heartbeat: is about the guide failover"),
        (f"{FAILOVER} --matrix software=drop-in", "software: is about the guide multi_node"),
        (f"{FAILOVER} --heartbeat=ucarp --matrix {HEARTBEATS}", "heartbeat: --heartbeat says"),
        (f"scenarios/harness --matrix {HEARTBEATS}", "no scenario of it is asked for"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(command: str, why: str) -> None:
    with pytest.raises(pytest.UsageError) as refused:
        plan(command)
    assert why in str(refused.value)
    assert str(refused.value).startswith("--matrix: ")
    assert "\n" not in str(refused.value)


def test_a_matrix_that_is_not_on_the_command_line_would_be_one_of_every_combination() -> None:
    with pytest.raises(pytest.UsageError, match="give it on the command line"):
        planned([FAILOVER], [HEARTBEATS], [FAILOVER])


@pytest.mark.parametrize(
    ("statuses", "broken_off", "status"),
    [
        ([0, 0], False, 0),
        ([0, 1], False, 1),
        ([4, 1], False, 1),
        ([0, 4], False, 2),
        ([4, 4], False, 4),
        ([5, 5], False, 5),
        ([-9, -9], False, 2),
        ([1, 0], True, 2),
        ([0, None], True, 2),
    ],
)
def test_the_exit_status_is_as_pytest_means_it(
    statuses: list[int | None], broken_off: bool, status: int
) -> None:
    became = {str(n): Outcome(status=one) for n, one in enumerate(statuses)}
    assert exit_status(became, broken_off=broken_off) == status


@pytest.mark.parametrize(("ended", "status"), [(0, 2), (1, 1)])
def test_a_run_that_cannot_be_sealed_is_no_success(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    ended: int,
    status: int,
) -> None:
    def all_ran(_run: Path, each: Sequence[Combination], *_: object) -> dict[str, Outcome]:
        return {one.name: Outcome(status=ended) for one in each}

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(matrix, "ROOT", tmp_path)
    monkeypatch.setattr(matrix, "run_all", all_ran)
    monkeypatch.setattr(matrix, "keep", full)
    made = plan(f"{FAILOVER} --matrix {HEARTBEATS}")
    assert matrix._run(made, tmp_path / "run") == status
    assert "the run could not be sealed: [Errno 28] No space left" in capsys.readouterr().out


#: A suite whose scenarios take no time, do what the files beside it say, and leave a run behind.
CONFTEST = """
import json, pathlib, pytest
from scenarios import arguments
HERE = pathlib.Path(__file__).parent
arguments.SCENARIOS = HERE / "scenarios"
pytest_plugins = ["scenarios.plugin.matrix"]

def pytest_addoption(parser):
    for option in ("--heartbeat", "--image"):
        parser.addoption(option)
    parser.addoption("--evidence", type=pathlib.Path)

def pytest_configure(config):
    if config.getoption("image") == "centos-7":
        if config.getoption("heartbeat") == "ucarp":
            raise pytest.UsageError("the image centos-7\\ncannot be had")
        raise RuntimeError("no such platform")

@pytest.fixture
def begun(request):
    option = request.config.option
    directory = request.config.getoption("evidence")
    directory.mkdir()
    (directory / "run.json").write_text(json.dumps({"of": option.heartbeat}))
    with (HERE / "begun").open("a") as file:
        print(option.heartbeat, option.image, directory.name, file=file, flush=True)
    yield option.heartbeat
    with (HERE / "ended").open("a") as file:
        print(option.heartbeat, file=file, flush=True)
"""
SCENARIO = """
import pathlib, time
def test_it(begun):
    while (pathlib.Path(__file__).parents[2] / "wait").exists():
        time.sleep(0.05)
    assert begun == "ucarp"
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "scenarios" / "failover").mkdir(parents=True)
    (tmp_path / "scenarios" / "failover" / "test_it.py").write_text(SCENARIO)
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").touch()
    return tmp_path


def started(suite: Path, *matrix: str) -> subprocess.Popen[str]:
    words = ["scenarios/failover", "--matrix", *matrix, "--evidence", "run"]
    options = ["-p", "no:cacheprovider", "-p", "no:xdist"]
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, *words],
        cwd=suite,
        env={**outside(), "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def became(suite: Path) -> Mapping[str, Outcome]:
    return outcomes_of(suite / "run").combinations


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 300
    while not path.exists() or not path.stat().st_size:
        assert time.monotonic() < deadline, f"{path} was never written"
        time.sleep(0.05)


@pytest.fixture
def waiting(suite: Path) -> Iterator[subprocess.Popen[str]]:
    """Yield a run of two combinations, whose first one is in the middle of its scenario."""
    (suite / "wait").touch()
    with started(suite, "heartbeat=ucarp,keepalived") as run:
        try:
            wait_for(suite / "begun")
            yield run
        finally:
            (suite / "wait").unlink(missing_ok=True)
            run.kill()


def test_all_combinations_run_and_one_that_cannot_says_why(suite: Path) -> None:
    run = started(suite, "heartbeat=ucarp,keepalived", "image=debian-12,centos-7")
    said, _ = run.communicate()
    assert run.returncode == 1, said
    assert lines(suite / "begun") == [
        "ucarp debian-12 ucarp_debian-12",
        "keepalived debian-12 keepalived_debian-12",
    ]
    told = became(suite)
    assert [(name, one.status) for name, one in told.items()] == [
        ("ucarp_debian-12", 0),
        ("ucarp_centos-7", 4),
        ("keepalived_debian-12", 1),
        ("keepalived_centos-7", 3),
    ]
    assert told["ucarp_centos-7"].why == "pytest did not begin: the image centos-7 cannot be had"
    assert "no such platform" in told["keepalived_centos-7"].why
    facts = json.loads((suite / "run" / "run.json").read_text())
    assert facts["matrix"]["ucarp_centos-7"] == {"heartbeat": "ucarp", "image": "centos-7"}
    assert facts["command"].endswith("--evidence run")
    there = sorted(path.name for path in (suite / "run" / "matrix").iterdir())
    assert there == ["keepalived_debian-12", "ucarp_debian-12"]
    assert f"evidence sealed: {outcomes_of(suite / 'run').seal}" in said.splitlines()
    assert "combination 4 of 4: keepalived, centos-7" in said


def test_a_directory_that_holds_something_is_left_alone(suite: Path) -> None:
    (suite / "run").mkdir()
    (suite / "run" / "mine").touch()
    run = started(suite, "heartbeat=ucarp")
    said, _ = run.communicate()
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert "holds something already" in said
    assert [path.name for path in (suite / "run").iterdir()] == ["mine"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whoever_asks_for_the_end_the_combination_is_told_once(
    number: signal.Signals, tmp_path: Path
) -> None:
    script = 'trap "echo told >> told; [ -e twice ] && exit 7; touch twice" INT; echo > begun; '
    script += "while :; do sleep 0.05; [ -e twice ] && [ -e asked ] && exit 6; done"

    def ask() -> None:
        wait_for(tmp_path / "begun")
        os.kill(os.getpid(), number)
        wait_for(tmp_path / "told")
        (tmp_path / "asked").touch()

    breaking, asking = Breaking(), threading.Thread(target=ask)
    before = signal.getsignal(number)
    with breaking.heeded():
        asking.start()
        status = breaking.run(["sh", "-c", f"cd {tmp_path}; {script}"], os.environ)
    asking.join()
    assert breaking.asked
    assert status == 6, "it was told more than once"
    assert lines(tmp_path / "told") == ["told"]
    assert signal.getsignal(number) is before


def test_who_breaks_it_off_ends_all_of_it_in_order(
    suite: Path, waiting: subprocess.Popen[str]
) -> None:
    waiting.send_signal(signal.SIGINT)
    said, _ = waiting.communicate()
    assert waiting.returncode == pytest.ExitCode.INTERRUPTED, said
    assert lines(suite / "ended") == ["ucarp"], "it was not tidied up"
    assert len(lines(suite / "begun")) == 1
    told = became(suite)
    assert (told["ucarp"].status, told["ucarp"].why) == (2, "it was broken off")
    assert told["keepalived"].why == "it was not begun: the run was broken off before"
    assert "evidence sealed: " in said


def test_who_kills_it_ends_the_combination_too(suite: Path, waiting: subprocess.Popen[str]) -> None:
    waiting.kill()
    wait_for(suite / "ended")
    assert len(lines(suite / "begun")) == 1


def test_a_run_of_the_project_has_a_directory_and_verdicts_for_each(tmp_path: Path) -> None:
    scenario = f"{FAILOVER}/test_takeover.py::test_a_power_failure_makes_the_standby_active[1/3]"
    run = pretend(
        tmp_path, "-n", "0", scenario, "--matrix", "heartbeat=keepalived", "image=debian-12"
    )
    assert run.begun == [scenario], run.said
    assert (run.evidence / "matrix" / "keepalived_debian-12" / "verdicts.json").is_file()
    assert outcomes_of(run.evidence).combinations["keepalived_debian-12"].seal
    assert "evidence sealed" in run.said


def test_who_only_looks_is_shown_and_nothing_is_begun(tmp_path: Path) -> None:
    run = pretend(tmp_path, "--collect-only", "-q", FAILOVER, "--matrix", HEARTBEATS, IMAGES)
    assert run.status == 0, run.said
    assert "test_a_power_failure" in run.said
    assert not run.evidence.exists()
