"""What makes a directory a lab of ours, and whether that lab lives.

A lab's directory has a name of our pattern, belongs to this user, and holds a marker. Nothing is
removed that lacks one of them. The marker names the lab's owner by process id, start ticks and boot
of this host: a clock that is set changes none of them. It is also the lab's lock: the wire and the
guardian share it for as long as they run, so a lab lives while its owner runs or its lock is held,
whoever asks, and wherever the lab lies.

Takes the standard library only: the guardian has to start fast.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.errors import LabError

MARKER = ".vpnproof-lab"
_NAME = r"[a-z][a-z0-9_]{0,20}-[0-9a-f]{4}"
_LAB = re.compile(_NAME)
_UNFINISHED = re.compile(rf"\.{_NAME}\.unfinished")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_FIRST_FIELD, _START_TICKS = 3, 22  # of /proc/PID/stat, counted from 1; the name is the second


def is_name(name: str) -> bool:
    """Whether a lab's directory can be called `name`."""
    return bool(_LAB.fullmatch(name))


def is_lab(path: Path) -> bool:
    """Whether `path` is a lab's directory: its name, its owner and its marker say so."""
    return is_name(path.name) and own(path, stat.S_ISDIR) and own(path / MARKER, stat.S_ISREG)


def is_unfinished(path: Path) -> bool:
    """Whether `path` is a lab that was being made or removed; it holds no more than a marker."""
    if not (_UNFINISHED.fullmatch(path.name) and own(path, stat.S_ISDIR)):
        return False
    try:
        return all(entry.name == MARKER for entry in path.iterdir())
    except OSError:  # it was finished, or removed, meanwhile
        return False


def unfinished(directory: Path) -> Path:
    """Return what the lab `directory` is called while it is being made or removed."""
    return directory.with_name(f".{directory.name}.unfinished")


def require_lab(directory: Path) -> None:
    """Raise LabError unless `directory` is a lab's."""
    if not is_lab(directory):
        raise LabError(
            f"{str(directory)!r} is no lab's directory: it lacks {MARKER}, or our kind of name",
            hint="nothing in it was touched; remove it by hand if it is yours to remove",
        )


def mark(directory: Path) -> None:
    """Make `directory` a lab of this process."""
    pid = os.getpid()
    (directory / MARKER).write_text(f"{pid} {_start_ticks(pid)} {_boot_id()}\n")


def owner_runs(directory: Path) -> bool:
    """Whether the process that made the lab at `directory` still runs."""
    try:
        pid, ticks, boot = (directory / MARKER).read_text().split()
        return boot == _boot_id() and int(ticks) == _start_ticks(int(pid))
    except (OSError, ValueError):
        return False


def hold(directory: Path) -> int | None:
    """Share the lab's lock until the returned descriptor is closed; None if there is no marker."""
    marker = _open(directory)
    if marker is not None:
        fcntl.flock(marker, fcntl.LOCK_SH)
    return marker


def lives(directory: Path) -> bool:
    """Whether the lab at `directory` has an owner that runs, a wire, or a guardian."""
    if owner_runs(directory):
        return True
    with seized(directory) as free:
        return not free


@contextmanager
def seized(directory: Path) -> Iterator[bool]:
    """Take the lab's lock for the block if nobody holds it; gives whether nobody did."""
    marker = _open(directory)
    if marker is None:
        yield True
        return
    try:
        fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        free = False
    else:
        free = True
    try:
        yield free
    finally:
        os.close(marker)


def _open(directory: Path) -> int | None:
    try:
        return os.open(directory / MARKER, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)  # NFS
    except OSError:
        return None


def own(path: Path, is_kind: Callable[[int], bool]) -> bool:
    """Whether `path` itself, not what it may point at, is of a kind and belongs to this user."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return is_kind(found.st_mode) and found.st_uid == os.getuid()


def _start_ticks(pid: int) -> int | None:
    """Return when process `pid` was started, in ticks since the boot; None if it has ended."""
    try:
        fields = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    if fields[0] in ("Z", "X"):  # ended, and only not yet waited for by its parent
        return None
    return int(fields[_START_TICKS - _FIRST_FIELD])


def _boot_id() -> str:
    return _BOOT_ID.read_text().strip()
