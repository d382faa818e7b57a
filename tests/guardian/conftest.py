"""A lab's directory, and dummies that are to the kernel what a lab's processes are."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

WITHIN = 10.0

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


class Lab:
    """A lab's directory, and processes with files of it open."""

    def __init__(self, directory: Path, held: ExitStack) -> None:
        self.directory = directory
        self._programs = directory.parent / "programs"
        self._programs.mkdir(exist_ok=True)
        self._held = held

    def machine(self, directory: Path | None = None, *, stubborn: bool = False) -> subprocess.Popen:
        """Start what looks like a machine: it has its disk open."""
        disk = (directory or self.directory) / "disks" / "one.qcow2"
        return self.process("qemu-system-x86_64", writes=disk, stubborn=stubborn)

    def process(
        self,
        name: str,
        *arguments: str,
        writes: Path | None = None,
        reads: Path | None = None,
        stubborn: bool = False,
        **options: object,
    ) -> subprocess.Popen:
        """Start a copy of the shell under `name`, with a file open."""
        program = self._programs / name
        if not program.exists():
            shutil.copy("/bin/sh", program)
        script = "trap '' TERM; " if stubborn else ""
        for path, redirect in ((writes, "exec 5>>"), (reads, "exec 5<")):
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
                script += f"{redirect}'{path}'; "
        started = subprocess.Popen(
            [program, "-c", f"{script}echo up; read line", name, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            **options,
        )
        self.held(started)
        assert started.stdout.readline() == b"up\n"
        return started

    def owner(self, *options: str) -> tuple[subprocess.Popen, int]:
        """Start a process that owns a wire; return it, and a pidfd of the wire."""
        owner = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(self.directory), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.held(owner)
        return owner, self.watch(int(owner.stdout.readline()))

    def held(self, process: subprocess.Popen) -> subprocess.Popen:
        """End a process with the test."""
        self._held.callback(self._end, process)
        return process

    def watch(self, pid: int) -> int:
        """Return a pidfd of a process."""
        pidfd = os.pidfd_open(pid)
        self._held.callback(os.close, pidfd)
        return pidfd

    @staticmethod
    def _end(process: subprocess.Popen) -> None:
        process.kill()
        process.communicate()


def ends(pidfd: int, within: float = WITHIN) -> bool:
    return bool(select.select([pidfd], [], [], within)[0])


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    directory = tmp_path / "lab-1"
    directory.mkdir()
    with ExitStack() as held:
        yield Lab(directory, held)
