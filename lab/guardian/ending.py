"""Ends what runs for a lab: its machines, their libvirt daemons, its wire, and its guardian.

Each is addressed through a pidfd taken before it is looked at, so a reused pid is never hit. Logs,
disks and captures are left alone.
"""

from __future__ import annotations

import os
import select
import signal
import stat
import time
from collections.abc import Collection
from contextlib import ExitStack, suppress
from pathlib import Path

from lab.errors import LabError
from lab.guardian.belonging import LabProcess, name_in, pids, processes_of

PATIENCE = 2.0
"""Seconds a process has for SIGTERM before SIGKILL comes."""

_GUARDIAN = "guardian"
_ROUNDS = 4  # a daemon may start a machine while it is being ended
_AFTER_KILL = 3.0


def end_processes_of(lab_directory: Path, *, guardian: bool = True) -> list[LabProcess]:
    """End every process of the lab, remove its socket files, and return what was ended.

    The guardian is the last, or not among them: it ends by itself when it has nothing to guard.
    First SIGTERM, after `PATIENCE` SIGKILL. Raises LabError when one will not end.
    """
    directory = lab_directory.resolve()
    ended: list[LabProcess] = []
    for _ in range(_ROUNDS):
        round_ended = _end_once(directory, but=(_GUARDIAN,))
        if not round_ended:
            break
        ended += round_ended
    if guardian:
        ended += _end_once(directory, but=())
    left = [one for one in processes_of(directory) if guardian or one.name != _GUARDIAN]
    if left:
        listed = ", ".join(f"{process.name} ({process.pid})" for process in left)
        raise LabError(f"{lab_directory}: will not end: {listed}", hint="end them by hand")
    with suppress(FileNotFoundError):  # the lab's directory is being removed, with all of them
        _remove_sockets(lab_directory)
    return ended


def _end_once(directory: Path, *, but: Collection[str]) -> list[LabProcess]:
    with ExitStack() as held:
        mine: dict[int, LabProcess] = {}  # by pidfd
        for pid in pids():
            if name_in(pid, directory) in ("", *but):
                continue
            try:
                pidfd = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            held.callback(os.close, pidfd)
            name = name_in(pid, directory)  # again: now it cannot be another's pid
            if name not in ("", *but):
                mine[pidfd] = LabProcess(pid, name)
        _signal(mine, signal.SIGTERM)
        stubborn = _still_running(mine, PATIENCE)
        _signal(stubborn, signal.SIGKILL)
        _still_running(stubborn, _AFTER_KILL)
        return [LabProcess(one.pid, one.name, fd in stubborn) for fd, one in mine.items()]


def _signal(processes: dict[int, LabProcess], number: signal.Signals) -> None:
    for pidfd in processes:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, number)


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


def _remove_sockets(directory: Path) -> None:
    """Remove socket files below `directory`, through no symbolic link, itself included."""
    for _, _, files, folder in os.fwalk(directory, follow_symlinks=False):
        for name in files:
            with suppress(FileNotFoundError):
                if stat.S_ISSOCK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                    os.unlink(name, dir_fd=folder)
