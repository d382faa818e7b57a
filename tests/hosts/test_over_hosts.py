"""A tiny suite over two hosts: workers by SSH, evidence home, and what becomes of a host that dies.

The suite has no machines; all else is as it is: the hosts are SSH servers of this process, and the
workers are started there by OpenSSH's client and execnet.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from checks.engine.coming_home import take_home
from evidence.event import Event
from evidence.events.hosts import EvidenceArrived, HostJoined, HostLost, HostMissing, ScenarioTaken
from evidence.events.run import ScenarioEnded, ScenarioStarted
from evidence.parts import read_histories
from tests.hosts.playing import PROJECT, Stage, played

TINY = Path(__file__).parent / "tiny"
SETUP = """#!/bin/sh
[ "$1" = --missing ] && exit 0
mkdir -p .venv/bin
printf '#!/bin/sh\\nexec {python} "$@"\\n' > .venv/bin/python
chmod +x .venv/bin/python
"""


@dataclass
class Tiny:
    """The suite in a checkout of its own, and the hosts that it runs on."""

    stage: Stage
    root: Path
    play: Path

    def start(self, *options: str, **more: str) -> subprocess.Popen[str]:
        file = self.stage.file(**{"head": "labs = 1", **more})
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--lab={file}"]
        command += [f"--evidence={self.run}", *(options or ("test_tiny.py",))]
        return subprocess.Popen(
            command,
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )

    def carried_out(self, *options: str, **more: str) -> tuple[int, str]:
        with self.start(*options, **more) as process:
            said, _ = process.communicate(timeout=120)
        return process.returncode, said

    @property
    def run(self) -> Path:
        return self.stage.folder / "run"

    def wants(self, name: str, what: str) -> None:
        (self.play / name).write_text(what)

    def own(self, kind: type[Event]) -> list[Event]:
        return list(read_histories(self.run).own.of(kind))

    def where(self, name: str) -> list[str]:
        return [
            h.name for h in self.stage.hosts.values() if (h.directory / "marks" / name).exists()
        ]

    def until(self, so: Callable[[], bool], seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not so():
            assert time.monotonic() < end
            time.sleep(0.05)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tiny]:
    with played("one", "two") as stage:
        root, play = stage.folder / "tiny", stage.folder / "play"
        play.mkdir()
        shutil.copytree(TINY, root, ignore=shutil.ignore_patterns("__pycache__"))
        (root / ".gitignore").write_text("__pycache__\n.venv\n")
        (root / "lab").mkdir()
        (root / "lab" / "setup").write_text(SETUP.format(python=sys.executable))
        (root / "lab" / "setup").chmod(0o755)
        subprocess.run(["git", "init", "-q", str(root)], check=True)
        for host in stage.hosts.values():
            host.program("python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
            host.server.environment["TINY_PLAY"] = str(play)
        yield Tiny(stage, root, play)


def outcome(said: str) -> set[str]:
    """Return the parts of pytest's last line, warnings with it: there are to be none."""
    counted = said.strip().splitlines()[-1].strip("= ").rpartition(" in ")[0]
    return set(counted.split(", "))


def test_every_scenario_runs_once_and_its_evidence_comes_home(tiny: Tiny) -> None:
    status, said = tiny.carried_out()
    assert status == 0, said
    assert "6 passed" in said
    assert all(len(tiny.where(f"something-{number}")) == 1 for number in range(6))
    histories = read_histories(tiny.run)
    assert {part.host for part, _ in histories} == {"", "one", "two"}
    ended = [one.scenario for _, each in histories for one in each.of(ScenarioEnded)]
    assert len(ended) == len(set(ended)) == 6
    assert not any(each.damage for _, each in histories)
    arrived = histories.own.of(EvidenceArrived)
    assert {one.ended for one in arrived} >= set(ended)
    assert not any(one.wrong for one in arrived)
    assert take_home(tiny.run).wrong == ()
    joined = histories.own.of(HostJoined)
    assert [(one.host, one.labs, one.clock is None) for one in joined] == [
        ("one", 1, True),
        ("two", 1, False),
    ]


def test_a_scenario_whose_worker_was_killed_is_taken_once(tiny: Tiny) -> None:
    tiny.wants("something-3", "die once")
    status, said = tiny.carried_out()
    assert status == 0, said
    assert outcome(said) == {"6 passed", "1 lost"}, said
    (lost,) = tiny.own(HostLost)
    assert isinstance(lost, HostLost)
    assert lost.cut == ("test_tiny.py::test_something[3]",)
    assert "a worker on it died" in lost.why
    (taken,) = tiny.own(ScenarioTaken)
    assert isinstance(taken, ScenarioTaken)
    assert (taken.cut, taken.lost) == (lost.cut[0], lost.host)


def test_a_scenario_that_kills_each_worker_is_not_taken_again_and_again(tiny: Tiny) -> None:
    tiny.wants("something-3", "die")
    status, said = tiny.carried_out()
    assert status == 1, said
    assert outcome(said) == {"1 failed", "5 passed", "1 lost"}, said
    assert len(tiny.own(HostLost)) == 2
    assert "it was taken once before, and is not again" in said


def pids(tiny: Tiny, host: str) -> set[int]:
    marks = tiny.stage.hosts[host].directory / "marks"
    return {int(path.read_text()) for path in marks.iterdir()}


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_host_that_is_gone_loses_its_scenario_to_another_and_is_left_with_nothing(
    tiny: Tiny,
) -> None:
    tiny.wants("something-0", "wait")
    with tiny.start() as process:
        tiny.until(lambda: bool(tiny.where("something-0")))
        (gone,) = tiny.where("something-0")
        tiny.stage.hosts[gone].go()
        tiny.until(lambda: not any(map(alive, pids(tiny, gone))))
        (tiny.play / "something-0").unlink()
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert outcome(said) == {"6 passed", "1 lost"}, said
    assert f"host {gone} was lost: " in said
    (lost,) = tiny.own(HostLost)
    (taken,) = tiny.own(ScenarioTaken)
    assert isinstance(lost, HostLost)
    assert isinstance(taken, ScenarioTaken)
    assert (lost.host, lost.cut) == (gone, ("test_tiny.py::test_something[0]",))
    assert {lost.host, taken.host} == {"one", "two"}


def test_when_every_host_is_gone_the_run_ends_and_says_so(tiny: Tiny) -> None:
    tiny.wants("something-0", "wait")
    with tiny.start() as process:
        tiny.until(lambda: bool(tiny.where("something-0")))
        for host in tiny.stage.hosts.values():
            host.go()
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 2, said
    assert "every host was lost" in said


def test_ctrl_c_ends_everything_on_every_host(tiny: Tiny) -> None:
    for name in range(6):
        tiny.wants(f"something-{name}", "wait")
    with tiny.start() as process:
        tiny.until(lambda: all((h.directory / "marks").exists() for h in tiny.stage.hosts.values()))
        tiny.until(lambda: bool(pids(tiny, "one")) and bool(pids(tiny, "two")))
        os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 2, said
    assert not any(alive(pid) for host in tiny.stage.hosts for pid in pids(tiny, host))
    begun = [each.of(ScenarioStarted) for part, each in read_histories(tiny.run) if part.host]
    assert all(begun), "what had been recorded came home"


def test_hosts_that_are_not_fit_stop_the_run_before_it_starts(tiny: Tiny) -> None:
    tiny.stage.hosts["one"].program("python3", "#!/bin/sh\nexit 1\n")
    other = f'directory = "{tiny.stage.hosts["two"].directory}"\nuser = "nobody"'
    status, said = tiny.carried_out(two=other)
    assert status == 4
    errors = [
        line for line in said.splitlines() if "nothing was started" in line or "two (" in line
    ]
    assert len(errors) == 2
    assert not tiny.run.exists()
    assert not any(host.directory.exists() for host in tiny.stage.hosts.values())


def test_the_run_goes_on_with_the_others_if_it_may(tiny: Tiny) -> None:
    status, said = tiny.carried_out(
        "test_tiny.py", "--allow-missing-hosts", "-k", "0 or 1", two='user = "nobody"'
    )
    assert status == 0, said
    assert "2 passed" in said
    (missing,) = tiny.own(HostMissing)
    assert isinstance(missing, HostMissing)
    assert (missing.host, "does not let nobody in" in missing.why) == ("two", True)
