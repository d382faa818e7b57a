"""What runs on a host ends when its line to home is cut, whichever way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evidence.clock import HostClock
from lab.hosts import tether
from lab.hosts.connection import Connections
from lab.hosts.line import Line, _slept_since
from tests.hosts.playing import PROJECT, Stage

WORKER = """
import signal, sys, time
from pathlib import Path
from lab.hosts.tether import bind
bind(Path(sys.argv[1]), "one-0")
if sys.argv[2:] == ["deaf"]:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
print("bound", flush=True)
time.sleep(60)
"""


@pytest.fixture
def held(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-m", "lab.hosts.tether", str(tmp_path)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


@pytest.fixture
def worker(tmp_path: Path, held: subprocess.Popen[bytes]) -> Iterator[Callable[..., object]]:
    started = []

    def start(*options: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path), *options],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"bound\n"
        return process

    yield start
    for one in started:
        one.kill()
        one.communicate()


Start = Callable[..., "subprocess.Popen[bytes]"]


def test_home_that_closes_its_end_ends_the_workers(
    held: subprocess.Popen[bytes], worker: Start
) -> None:
    one = worker()
    assert held.stdin is not None
    held.stdin.close()
    assert held.wait(30) == 0
    assert one.poll() is not None, "the tether waits for them"


def test_a_tether_that_is_killed_ends_the_workers(
    held: subprocess.Popen[bytes], worker: Start
) -> None:
    one = worker()
    held.kill()
    assert one.wait(30) != 0


def test_a_worker_that_does_not_listen_ends_too(
    held: subprocess.Popen[bytes], worker: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = worker("deaf")
    assert held.stdin is not None
    held.stdin.close()
    assert held.wait(30) == 0
    assert one.wait(1) == 1


def test_a_host_that_lost_its_tether_is_said_once(two: Stage) -> None:
    connections = Connections(two.read().hosts)
    try:
        one = connections.each["one"]
        one.open()
        lost: list[tuple[str, str]] = []
        where = two.folder / "tether"
        command = f"exec {sys.executable} -m lab.hosts.tether {where}"
        line = Line(one, command, lambda *said: lost.append(said))
        assert line.stands()
        assert abs(line.offset().behind_ns) <= line.offset().uncertainty_ns
        two.hosts["one"].server.drop()
        assert not line.stands()
        line._thread.join(10)
        assert [name for name, _ in lost] == ["one"]
        line.cut()
        line.wait(5)
    finally:
        connections.close()
        line.close()


def test_a_line_that_is_cut_from_here_is_no_loss(two: Stage) -> None:
    connections = Connections(two.read().hosts)
    try:
        one = connections.each["one"]
        one.open()
        lost: list[tuple[str, str]] = []
        command = f"exec {sys.executable} -m lab.hosts.tether {two.folder / 'tether'}"
        line = Line(one, command, lambda *said: lost.append(said))
        line.cut()
        line.wait(20)
        assert (lost, line.stands()) == ([], False)
    finally:
        connections.close()
        line.close()


def test_what_home_may_wait_is_less_than_ten_seconds() -> None:
    assert tether.ENDS_WITHIN_S + 1 < 10


def test_a_line_that_this_machine_slept_through_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _slept_since(HostClock.now().asleep_ns) == ""
    monkeypatch.setattr(HostClock, "now", lambda: HostClock(0, 3605 * 10**9))
    assert _slept_since(5 * 10**9) == "; this machine slept for 3600 s"
