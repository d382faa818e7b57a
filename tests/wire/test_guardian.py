"""Whoever dies, nothing of the lab is left running."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab.errors import WireError
from lab.wire import Wire, end_processes_of, processes_of

WITHIN = 10.0


class Lab:
    """A lab's directory and dummies that look like its machines."""

    def __init__(self, directory: Path, held: ExitStack) -> None:
        self.directory = directory
        self._programs = directory.parent / "programs"
        self._programs.mkdir(exist_ok=True)
        self._held = held

    def process(self, name: str, *, directory: Path, stubborn: bool = False) -> subprocess.Popen:
        """Start a copy of the shell under `name`, with `directory` in its arguments."""
        program = self._programs / name
        if not program.exists():
            shutil.copy("/bin/sh", program)
        trap = "trap '' TERM; " if stubborn else ""
        started = subprocess.Popen(
            [program, "-c", f"{trap}echo up; read line", name, f"{directory}/disk.qcow2"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._held.callback(self._end, started)
        assert started.stdout.readline() == b"up\n"
        return started

    @staticmethod
    def _end(process: subprocess.Popen) -> None:
        process.kill()
        process.communicate()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    directory = tmp_path / "lab-1"
    directory.mkdir()
    with ExitStack() as held:
        yield Lab(directory, held)


def test_machines_of_the_lab_are_ended_and_only_those(lab):
    machine = lab.process("qemu-system-x86_64", directory=lab.directory)
    neighbour = lab.process("qemu-system-x86_64", directory=lab.directory.parent / "lab-10")
    editor = lab.process("editor", directory=lab.directory)
    assert [process.pid for process in end_processes_of(lab.directory)] == [machine.pid]
    assert machine.wait(WITHIN) == -signal.SIGTERM
    assert neighbour.poll() is None
    assert editor.poll() is None


def test_a_daemon_is_known_by_its_environment(lab):
    program = lab.directory.parent / "libvirtd"
    shutil.copy("/bin/sleep", program)
    environment = {"XDG_RUNTIME_DIR": str(lab.directory / "run")}
    with subprocess.Popen([program, "60"], env=environment) as daemon:
        assert [process.name for process in end_processes_of(lab.directory)] == ["libvirtd"]
        assert daemon.wait(WITHIN) == -signal.SIGTERM


def test_a_machine_that_ignores_sigterm_is_killed(lab, monkeypatch):
    monkeypatch.setattr("lab.wire.guardian.PATIENCE", 0.1)
    machine = lab.process("qemu-system-x86_64", directory=lab.directory, stubborn=True)
    assert [process.killed for process in end_processes_of(lab.directory)] == [True]
    assert machine.wait(WITHIN) == -signal.SIGKILL


def test_sockets_are_removed_and_logs_stay(lab):
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(lab.directory / "monitor.sock"))
    (lab.directory / "console.log").write_text("Kernel panic")
    end_processes_of(lab.directory)
    assert [path.name for path in lab.directory.iterdir()] == ["console.log"]


OWNER = """
import sys
from pathlib import Path
from lab.wire import Wire
directory = Path(sys.argv[1])
wire = Wire.start(directory, [], capture=directory / "wire.pcapng")
if "disown" in sys.argv:
    wire.disown()
print(wire.pid, flush=True)
sys.stdin.readline()
"""


def owner_of(lab: Lab, *options: str) -> tuple[subprocess.Popen, int]:
    """Start a process that owns a wire; return it, and a pidfd of the wire."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(lab.directory), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    lab._held.callback(lab._end, owner)
    pidfd = os.pidfd_open(int(owner.stdout.readline()))
    lab._held.callback(os.close, pidfd)
    return owner, pidfd


def ends(pidfd: int) -> bool:
    return bool(select.select([pidfd], [], [], WITHIN)[0])


def test_when_the_owner_is_killed_machines_and_wire_end(lab):
    machine = lab.process("qemu-system-x86_64", directory=lab.directory)
    owner, wire = owner_of(lab)
    owner.kill()
    assert machine.wait(WITHIN) == -signal.SIGTERM
    assert ends(wire)
    assert not (lab.directory / "wire.sock").exists()
    assert processes_of(lab.directory) == []


def test_sigterm_to_the_wire_ends_the_machines_too(lab):
    machine = lab.process("qemu-system-x86_64", directory=lab.directory)
    with Wire.start(lab.directory, [], capture=lab.directory / "wire.pcapng") as wire:
        os.kill(wire.pid, signal.SIGTERM)
        assert machine.wait(WITHIN) == -signal.SIGTERM


def test_stopping_the_wire_leaves_the_machines_to_its_owner(lab):
    machine = lab.process("qemu-system-x86_64", directory=lab.directory)
    with Wire.start(lab.directory, [], capture=lab.directory / "wire.pcapng"):
        pass
    assert machine.poll() is None


def test_a_disowned_lab_outlives_its_owner_and_can_be_adopted(lab):
    machine = lab.process("qemu-system-x86_64", directory=lab.directory)
    owner, wire = owner_of(lab, "disown")
    owner.kill()
    owner.wait(WITHIN)
    adopter = Wire.connect(lab.directory)
    adopter.adopt()
    assert machine.poll() is None
    adopter.close()  # as if its process had died
    assert machine.wait(WITHIN) == -signal.SIGTERM
    assert ends(wire)


def test_an_owned_lab_cannot_be_adopted(lab):
    with (
        Wire.start(lab.directory, [], capture=lab.directory / "wire.pcapng"),
        Wire.connect(lab.directory) as other,
        pytest.raises(WireError, match="has an owner"),
    ):
        other.adopt()


def test_the_owner_learns_that_the_wire_was_killed(lab):
    died = threading.Event()
    with Wire.start(
        lab.directory, [], capture=lab.directory / "wire.pcapng", on_death=died.set
    ) as wire:
        os.kill(wire.pid, signal.SIGKILL)
        assert died.wait(WITHIN)
        assert not wire.alive


def test_a_wire_that_is_stopped_is_not_reported_dead(lab):
    died = threading.Event()
    with Wire.start(
        lab.directory, [], capture=lab.directory / "wire.pcapng", on_death=died.set
    ) as wire:
        wire.stop()
    assert not died.is_set()


def test_a_wire_left_behind_is_ended_with_its_lab(lab):
    owner, wire = owner_of(lab, "disown")
    owner.kill()
    assert [process.name for process in end_processes_of(lab.directory)] == ["wire"]
    assert ends(wire)
