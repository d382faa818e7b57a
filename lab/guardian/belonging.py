"""Which processes are a lab's: by what the kernel says of them, never by what they say themselves.

A process belongs to a lab when its executable is QEMU, libvirt's daemon or our own, and it has a
file of the lab open for writing that only such a process writes to: a machine's disk, a pid file of
libvirt, our own logs. Command lines, environments and working directories are anybody's to choose
(a shell's OLDPWD may name the lab, too); they prove nothing here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: What a process of each executable has open for writing, by its path below the lab's directory.
_WRITES = (
    (
        re.compile(r"qemu-system-\w+|qemu-kvm"),
        re.compile(r"disks/[^/]+\.qcow2|(?:run|cfg)/.+\.pid"),
    ),
    (
        re.compile(r"libvirtd|virtqemud|virtlogd|virtlockd"),
        re.compile(r"(?:run|cfg)/.+\.pid|libvirt\.log"),
    ),
)
_PYTHON = re.compile(r"python[\d.]*")
_OWN = {"wire": b"lab.wire", "guardian": b"lab.guardian"}
_DELETED = " (deleted)"


@dataclass(frozen=True)
class LabProcess:
    """A process of a lab: its id, its executable's name, and whether it had to be killed."""

    pid: int
    name: str
    killed: bool = False


def processes_of(lab_directory: Path) -> list[LabProcess]:
    """Return the running processes of the lab in `lab_directory`, this one excepted."""
    directory = lab_directory.resolve()
    found = ((pid, name_in(pid, directory)) for pid in pids())
    return [LabProcess(pid, name) for pid, name in found if name]


def pids() -> Iterator[int]:
    """Yield the ids of all processes but this one."""
    own = os.getpid()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != own:
            yield int(entry.name)


def name_in(pid: int, directory: Path) -> str:
    """Return the name of process `pid` if it is one of the lab at `directory`, else ""."""
    about = Path("/proc", str(pid))
    try:
        # Root's labs may run in the system's libvirt, whose machines are another user's.
        if os.geteuid() not in (0, about.stat().st_uid) or _ended(about):
            return ""
        executable = (about / "exe").readlink().name.removesuffix(_DELETED)
        if _PYTHON.fullmatch(executable):
            return _own_name(about, directory)
        for programs, writes in _WRITES:
            if programs.fullmatch(executable):
                opened = _written_below(about, directory)
                return executable if any(map(writes.fullmatch, opened)) else ""
    except OSError:  # it ended meanwhile, or may not be looked at: not ours to end
        pass
    return ""


def _own_name(about: Path, directory: Path) -> str:
    """Return "wire" or "guardian" for those of the lab: what they run, and their log."""
    command = (about / "cmdline").read_bytes().split(b"\0")
    for name, module in _OWN.items():
        if module in command and command[command.index(module) - 1] == b"-m":
            return name if f"{name}.log" in _written_below(about, directory) else ""
    return ""


def _written_below(about: Path, directory: Path) -> Iterator[str]:
    """Yield the files below `directory` that a process has open for writing."""
    start = f"{directory}/"
    for descriptor in (about / "fd").iterdir():
        try:
            target = str(descriptor.readlink()).removesuffix(_DELETED)
            if target.startswith(start) and _writes(about / "fdinfo" / descriptor.name):
                yield target.removeprefix(start)
        except FileNotFoundError:  # closed since it was listed
            continue


def _writes(descriptor: Path) -> bool:
    for line in descriptor.read_text().splitlines():
        if line.startswith("flags:"):
            return int(line.split()[1], 8) & os.O_ACCMODE != os.O_RDONLY
    return False


def _ended(about: Path) -> bool:
    """Whether it is a zombie: ended, and only not yet waited for by its parent."""
    return (about / "stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X")
