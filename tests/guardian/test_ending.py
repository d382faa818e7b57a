"""Ending a lab's processes, and only those; what lies in its directory stays."""

from __future__ import annotations

import signal
import socket

import pytest

from lab.errors import LabError
from lab.guardian import ending
from lab.guardian.ending import end_processes_of
from lab.wire import Wire
from tests.guardian.conftest import WITHIN, Lab, ends


def test_machines_of_the_lab_are_ended_and_only_those(lab: Lab) -> None:
    machine = lab.machine()
    neighbour = lab.machine(lab.directory.parent / "lab-10")
    assert [process.pid for process in end_processes_of(lab.directory)] == [machine.pid]
    assert machine.wait(WITHIN) == -signal.SIGTERM
    assert neighbour.poll() is None


def test_a_machine_that_ignores_sigterm_is_killed(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "PATIENCE", 0.1)
    machine = lab.machine(stubborn=True)
    assert [process.killed for process in end_processes_of(lab.directory)] == [True]
    assert machine.wait(WITHIN) == -signal.SIGKILL


def test_one_that_will_not_end_is_named(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = lab.machine()
    monkeypatch.setattr(ending, "_signal", lambda *_: None)
    monkeypatch.setattr(ending, "PATIENCE", 0.0)
    monkeypatch.setattr(ending, "_AFTER_KILL", 0.0)
    with pytest.raises(LabError, match=rf"will not end: qemu-system-x86_64 \({machine.pid}\)"):
        end_processes_of(lab.directory)


def test_sockets_are_removed_and_logs_stay(lab: Lab) -> None:
    (lab.directory / "run").mkdir()
    for path in ("monitor.sock", "run/libvirt-sock"):
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(lab.directory / path))
    (lab.directory / "console.log").write_text("Kernel panic")
    end_processes_of(lab.directory)
    assert [path.name for path in sorted(lab.directory.rglob("*"))] == ["console.log", "run"]


def test_a_socket_that_a_link_leads_to_stays(lab: Lab) -> None:
    outside = lab.directory.parent / "outside"
    outside.mkdir()
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(str(outside / "agent.sock"))
    (lab.directory / "run").symlink_to(outside)
    (lab.directory / "agent.sock").symlink_to(outside / "agent.sock")
    lab.directory.with_name("link").symlink_to(outside)
    end_processes_of(lab.directory)
    end_processes_of(lab.directory.with_name("link"))
    assert (outside / "agent.sock").is_socket()


def test_a_lab_that_is_gone_has_nothing_to_end(lab: Lab) -> None:
    assert end_processes_of(lab.directory / "gone") == []


def test_a_wire_left_behind_is_ended_with_its_lab_and_its_guardian_last(lab: Lab) -> None:
    owner, watched = lab.owner("disown")
    owner.kill()
    assert [one.name for one in end_processes_of(lab.directory)] == ["wire", "guardian"]
    assert ends(watched)
    assert ending.processes_of(lab.directory) == []


def test_the_guardian_can_be_left_to_itself(lab: Lab) -> None:
    machine = lab.machine()
    with Wire.start(lab.directory, [], capture=lab.directory / "wire.pcapng"):
        end_processes_of(lab.directory, guardian=False)
        assert machine.wait(WITHIN) == -signal.SIGTERM
