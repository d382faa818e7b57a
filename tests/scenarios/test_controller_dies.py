"""A worker of xdist does not outlive the process that started it, nor do its labs."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scenarios.pretended import PROJECT, outside

SCENARIO = """
import os, signal, time
from pathlib import Path
import execnet.gateway_base
import pytest

# It would do the same, 5 and 15 seconds later.
execnet.gateway_base.WorkerGateway._terminate_execution = lambda gateway: None

@pytest.fixture(scope="session")
def lab():
    yield
    Path("down").write_text("in order")

def test_it(lab):
    if Path("deaf").exists():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    Path("begun.new").write_text(str(os.getpid()))
    Path("begun.new").rename("begun")
    time.sleep(600)
"""
PATIENCE_S = 60


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["scenarios.plugin.workers"]\n')
    (tmp_path / "test_one.py").write_text(SCENARIO)
    return tmp_path


def heeds_sigint() -> None:
    """Take back what a shell does to what it starts in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def killed_in_the_middle(suite: Path, number: signal.Signals) -> int:
    """Run the suite on one worker and end the controller; return a pidfd of the worker."""
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "1", "test_one.py"],
        cwd=suite,
        env=outside() | {"PYTHONPATH": str(PROJECT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=heeds_sigint,
    ) as controller:
        while not (suite / "begun").exists():
            assert controller.poll() is None
            select.select([], [], [], 0.05)
        worker = os.pidfd_open(int((suite / "begun").read_text()))
        controller.send_signal(number)
        assert controller.wait(30) == -number
    return worker


def ended(pidfd: int) -> bool:
    ended = bool(select.select([pidfd], [], [], PATIENCE_S)[0])
    if not ended:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    os.close(pidfd)
    return ended


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_worker_takes_its_labs_down_when_its_controller_is_ended(
    suite: Path, number: signal.Signals
) -> None:
    assert ended(killed_in_the_middle(suite, number))
    assert (suite / "down").read_text() == "in order"


def test_a_worker_that_cannot_be_interrupted_leaves_its_labs_to_their_guardians(
    suite: Path,
) -> None:
    (suite / "deaf").touch()
    assert ended(killed_in_the_middle(suite, signal.SIGTERM))
    assert not (suite / "down").exists()
