"""A lab's processes are told by what they have open, a stranger's by nothing it says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lab.guardian.belonging import processes_of
from lab.guardian.ending import end_processes_of
from tests.guardian.conftest import Lab

QEMU = "qemu-system-x86_64"


def named(lab: Lab) -> list[str]:
    return [process.name for process in processes_of(lab.directory)]


@pytest.mark.parametrize(
    ("program", "path"),
    [
        (QEMU, "disks/one.qcow2"),
        (QEMU, "run/libvirt/qemu/run/one.pid"),
        (QEMU, "cfg/libvirt/qemu/lib/qmp-x7/qmp.pid"),
        ("qemu-kvm", "disks/one.qcow2"),
        ("libvirtd", "run/libvirt/libvirtd.pid"),
        ("libvirtd", "libvirt.log"),
        ("virtqemud", "run/libvirt/virtqemud.pid"),
    ],
)
def test_machines_and_daemons_are_known_by_the_file_they_write(
    lab: Lab, program: str, path: str
) -> None:
    lab.process(program, writes=lab.directory / path)
    assert named(lab) == [program]


@pytest.mark.parametrize(
    ("program", "path"),
    [
        ("editor", "disks/one.qcow2"),
        ("qemu-img", "disks/one.qcow2"),
        (QEMU, "notes.txt"),
        (QEMU, "libvirt.log"),
        ("libvirtd", "disks/one.qcow2"),
        (QEMU, "../lab-10/disks/one.qcow2"),
        (QEMU, "../disks/one.qcow2"),
    ],
)
def test_another_program_or_another_file_is_a_strangers(lab: Lab, program: str, path: str) -> None:
    lab.process(program, writes=lab.directory / path)
    assert named(lab) == []


def test_a_machine_that_only_reads_a_labs_disk_is_a_strangers(lab: Lab) -> None:
    lab.process(QEMU, reads=lab.directory / "disks" / "one.qcow2")
    assert named(lab) == []


def test_what_a_process_says_of_itself_proves_nothing(lab: Lab) -> None:
    """Its arguments, its environment (a shell's OLDPWD), its working directory, a file's name."""
    disk = f"{lab.directory}/disks/one.qcow2"
    said = {"OLDPWD": str(lab.directory), "PWD": str(lab.directory), "HOME": str(lab.directory)}
    said |= {"XDG_RUNTIME_DIR": f"{lab.directory}/run"}
    for name in (QEMU, "libvirtd"):
        lab.process(name, "-drive", f"file={disk}", env=said, cwd=lab.directory)
    lab.process(QEMU, writes=lab.directory.parent / f"{lab.directory.name} (deleted)")
    assert named(lab) == []
    assert end_processes_of(lab.directory) == []


def test_a_machine_whose_lab_was_removed_under_it_is_still_known(lab: Lab) -> None:
    lab.machine()
    shutil.rmtree(lab.directory)
    assert named(lab) == [QEMU]


def test_a_lab_is_known_by_every_way_to_its_directory(lab: Lab, tmp_path: Path) -> None:
    lab.machine()
    (tmp_path / "way").symlink_to(lab.directory.parent)
    assert [one.name for one in processes_of(tmp_path / "way" / lab.directory.name)] == [QEMU]


def test_a_machine_of_another_user_is_not_an_ordinary_users_to_end(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.machine()
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert named(lab) == []


@pytest.mark.parametrize("module", ["lab.wire", "lab.guardian"])
def test_our_own_are_known_by_their_program_and_their_log(lab: Lab, module: str) -> None:
    name = module.partition(".")[2]
    script = "import sys; print('up', flush=True); sys.stdin.readline()"

    def start(log: str, *arguments: str) -> None:
        with (lab.directory / log).open("wb") as file:
            command = [sys.executable, "-c", script, *arguments, str(lab.directory)]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": file}
            started = lab.held(subprocess.Popen(command, **pipes))
        assert started.stdout.readline() == b"up\n"

    start("other.log", "-m", module)
    start(f"{name}.log", "--module", module)
    assert named(lab) == []
    start(f"{name}.log", "-m", module)
    assert named(lab) == [name]
