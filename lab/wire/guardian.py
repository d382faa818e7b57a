"""Ends what runs for a lab: its machines, their libvirt daemons, and its wire.

Used by the wire when its owner dies, by whoever sees the wire die, and by `python -m lab gc`. A
process belongs to a lab when its executable is one of those below and its command line or its
environment names the lab's directory. Each is addressed through a pidfd taken before it is looked
at, so a reused pid is never hit. Logs, disks and captures are left alone.
"""

from __future__ import annotations

import os
import re
import select
import signal
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError

PATIENCE = 2.0
"""Seconds a process has for SIGTERM before SIGKILL comes."""

_EXECUTABLE = re.compile(r"qemu-system-\w+|qemu-kvm|libvirtd|virtqemud|virtlogd|virtlockd")
_WIRE = b"\0-m\0lab.wire\0"
_ROUNDS = 4  # a daemon may start a machine while it is being ended
_AFTER_KILL = 3.0


@dataclass(frozen=True)
class LabProcess:
    """A process of a lab: its id, its executable's name, and whether it had to be killed."""

    pid: int
    name: str
    killed: bool = False


def processes_of(lab_directory: Path) -> list[LabProcess]:
    """Return the running processes of the lab in `lab_directory`, this one excepted."""
    names = _names_of(lab_directory)
    found = ((pid, _belonging(pid, names)) for pid in _pids())
    return [LabProcess(pid, name) for pid, name in found if name]


def end_processes_of(lab_directory: Path) -> list[LabProcess]:
    """End every process of the lab, remove its socket files, and return what was ended.

    First SIGTERM, after `PATIENCE` SIGKILL. Raises LabError when one will not end.
    """
    ended: list[LabProcess] = []
    for _ in range(_ROUNDS):
        round_ended = _end_once(_names_of(lab_directory))
        if not round_ended:
            break
        ended += round_ended
    left = processes_of(lab_directory)
    if left:
        listed = ", ".join(f"{process.name} ({process.pid})" for process in left)
        raise LabError(f"{lab_directory}: will not end: {listed}", hint="end them by hand")
    _remove_sockets(lab_directory)
    return ended


def _end_once(directory: re.Pattern[bytes]) -> list[LabProcess]:
    with ExitStack() as held:
        mine: dict[int, LabProcess] = {}  # by pidfd
        for pid in _pids():
            if not _belonging(pid, directory):
                continue
            try:
                pidfd = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            held.callback(os.close, pidfd)
            if name := _belonging(pid, directory):  # again: now it cannot be another's pid
                mine[pidfd] = LabProcess(pid, name)
        _signal(mine, signal.SIGTERM)
        stubborn = _still_running(mine, PATIENCE)
        _signal(stubborn, signal.SIGKILL)
        _still_running(stubborn, _AFTER_KILL)
        return [LabProcess(one.pid, one.name, fd in stubborn) for fd, one in mine.items()]


def _signal(processes: dict[int, LabProcess], number: signal.Signals) -> None:
    for pidfd in processes:
        try:
            signal.pidfd_send_signal(pidfd, number)
        except ProcessLookupError:
            continue


def _still_running(processes: dict[int, LabProcess], seconds: float) -> dict[int, LabProcess]:
    """Return those that did not end within `seconds`."""
    poll = select.poll()
    for pidfd in processes:
        poll.register(pidfd, select.POLLIN)
    running = dict(processes)
    deadline = time.monotonic() + seconds
    while running and (left := deadline - time.monotonic()) > 0:
        for pidfd, _ in poll.poll(left * 1000):
            poll.unregister(pidfd)
            del running[pidfd]
    return running


def _pids() -> Iterator[int]:
    own = os.getpid()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != own:
            yield int(entry.name)


def _names_of(lab_directory: Path) -> re.Pattern[bytes]:
    """Match the directory's name where it ends as a path component ends."""
    spellings = {os.fsencode(lab_directory.absolute()), os.fsencode(lab_directory.resolve())}
    return re.compile(rb"(?:%b)(?![\w.-])" % b"|".join(map(re.escape, spellings)))


def _belonging(pid: int, directory: re.Pattern[bytes]) -> str:
    """Return the name of process `pid` if it is one of the lab's, else ""."""
    about = Path("/proc", str(pid))
    try:
        if os.geteuid() not in (0, about.stat().st_uid):
            return ""
        command = (about / "cmdline").read_bytes()
        name = (about / "exe").readlink().name.removesuffix(" (deleted)")
        if _ended(about):
            return ""
        if _WIRE in command:
            return "wire" if directory.search(command) else ""
        if not _EXECUTABLE.fullmatch(name):
            return ""
        mentioned = directory.search(command) or directory.search((about / "environ").read_bytes())
    except OSError:  # it ended meanwhile, or may not be looked at: not ours to end
        return ""
    return name if mentioned else ""


def _ended(about: Path) -> bool:
    """Whether it is a zombie: ended, and only not yet waited for by its parent."""
    return (about / "stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X")


def _remove_sockets(lab_directory: Path) -> None:
    for folder, _, files in os.walk(lab_directory):
        for name in files:
            path = Path(folder, name)
            try:
                if stat.S_ISSOCK(path.lstat().st_mode):
                    path.unlink()
            except FileNotFoundError:
                continue
