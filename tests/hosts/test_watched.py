"""What was started on a host before its tether is there ends with the connection, or with home."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.errors import HostLost, LabError
from lab.hosts.connection import Connection, Said
from lab.wait import until
from tests.hosts.playing import PROJECT, Stage
from tests.hosts.suite import alive

LONG = """mkdir -p {marks}
(trap '' TERM; echo here >{marks}/ready; exec sleep 300) & echo $! >{marks}/deaf
echo $$ >{marks}/shell
wait
"""
HOME = """
import sys
from pathlib import Path
from lab.hosts.connection import Connections
from lab.hosts.file import read_hosts
(host,) = [one for one in read_hosts(Path(sys.argv[1])).hosts if one.name == "one"]
one = Connections([host]).each["one"]
one.open()
one.run(sys.argv[2], within_s=300)
"""


class Left:
    """A command that reads nothing and says nothing, and a child of its that is deaf to SIGTERM."""

    def __init__(self, marks: Path) -> None:
        self._marks = marks
        self.line = LONG.format(marks=marks)

    @property
    def pids(self) -> list[int]:
        return [int((self._marks / name).read_text()) for name in ("shell", "deaf")]

    def begun(self) -> bool:
        return all((self._marks / name).exists() for name in ("ready", "shell"))

    def ended(self) -> bool:
        return not any(map(alive, self.pids))


@pytest.fixture
def left(tmp_path: Path) -> Iterator[Left]:
    one = Left(tmp_path / "marks")
    yield one
    for pid in filter(alive, one.pids if one.begun() else []):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_home(two: Stage, left: Left, how: signal.Signals) -> None:
    command = [sys.executable, "-c", HOME, str(two.file()), left.line]
    own = {**os.environ, "TMPDIR": str(two.folder)}
    with subprocess.Popen(command, cwd=PROJECT, env=own) as home:
        until(left.begun, 60, "the command to begin")
        home.send_signal(how)
    until(left.ended, 60, "the command to end")


@pytest.fixture
def running(host: Connection, left: Left) -> Iterator[Future[Said]]:
    with ThreadPoolExecutor(1) as beside:
        future = beside.submit(host.run, left.line, within_s=300)
        try:
            until(left.begun, 60, "the command to begin")
            yield future
        finally:
            host.close()


def test_it_ends_when_the_connection_is_cut(two: Stage, left: Left, running: Future[Said]) -> None:
    two.hosts["one"].server.drop()
    until(left.ended, 60, "the command to end")
    with pytest.raises(HostLost):
        running.result(60)


def test_it_ends_when_home_closes_the_connection(
    host: Connection, left: Left, running: Future[Said]
) -> None:
    host.close()
    until(left.ended, 60, "the command to end")
    with pytest.raises(HostLost):
        running.result(60)


def test_it_ends_when_it_takes_too_long(host: Connection, left: Left) -> None:
    with pytest.raises(HostLost, match=r"did not end in 5 s"):
        host.run(left.line, within_s=5)
    if left.begun():
        until(left.ended, 60, "the command to end")


def test_it_is_heard_as_any_other(host: Connection) -> None:
    said = host.run("echo out; echo err >&2; cat; exit 7")
    assert (said.status, said.out, said.err) == (7, b"out\n", "err\n")
    with pytest.raises(LabError, match="one: it's why"):
        host.need("""echo "it's why" >&2; exit 1""")
