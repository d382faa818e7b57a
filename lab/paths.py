"""Where labs lie on this host: one short directory each (what lasts is in `lab.cache`).

A lab's directory holds all its run state. It must be short: libvirt puts Unix sockets deep below
it, and their names end at 107 bytes. A directory of labs holds labs and nothing else: where
anything else lies, no lab is made and none is removed.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import marker
from lab.errors import LabError

LAB_FILE = "lab.json"

#: Ours, beside the labs (`lab.quiet` has two of them), and what a file system's own root holds.
_BESIDE = frozenset({".quiet-gate.lock", ".quiet-floor.lock", ".making.lock", "lost+found"})
_SHOWN = 3


def labs() -> Path:
    """Return this user's directory of labs (VPNPROOF_LABS overrides it), made private."""
    directory = _chosen()
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.lstat()
    except OSError as error:
        raise LabError(
            f"{directory} cannot be made: {error.strerror}",
            hint="set VPNPROOF_LABS to a directory that you can write to",
        ) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise LabError(
            f"{directory} is not a private directory of yours: its mode is "
            f"{stat.filemode(found.st_mode)}",
            hint=f"chmod 700 {directory}, if it is yours; or set VPNPROOF_LABS to another",
        )
    return directory


def new_lab_directory(name: str) -> Path:
    """Make a directory for a lab called `name`, marked as this process' own, and return it.

    It has its marker before it has its name: whoever is killed meanwhile leaves an `unfinished`
    directory, which the next `remove_unfinished` takes away.
    """
    if not marker.is_name(f"{name}-0000"):
        raise LabError(f"{name!r} is no name for a lab", hint="write a-z first, then a-z, 0-9, _")
    parent = _only_labs(labs())
    with _making(parent):
        while os.path.lexists(directory := parent / f"{name}-{secrets.token_hex(2)}"):
            continue
        fresh = marker.unfinished(directory)
        if marker.is_unfinished(fresh):
            _discard(fresh)
        fresh.mkdir(mode=0o700)
        marker.mark(fresh)
        fresh.rename(directory)
    return directory


def lab_directories() -> Iterator[Path]:
    """Yield the directories of all labs of this user, running or left over."""
    yield from sorted(path for path in _only_labs(labs()).iterdir() if marker.is_lab(path))


def is_here(directory: Path) -> bool:
    """Whether a lab lies where this process looks for labs."""
    return directory.absolute().parent == _chosen().absolute()


def remove_unfinished() -> list[str]:
    """Remove what those that were killed while they made or removed a lab left; its names."""
    parent = labs()
    with _making(parent):  # whoever makes one now is waited for
        left = [path for path in parent.iterdir() if marker.is_unfinished(path)]
        for path in left:
            _discard(path)
    return [path.name for path in left]


def remove_emptied(directory: Path) -> None:
    """Remove a lab's directory that holds nothing any more but its marker."""
    marker.require_lab(directory)
    gone = marker.unfinished(directory)
    with _making(directory.parent):
        directory.rename(gone)
        _discard(gone)


def _chosen() -> Path:
    chosen = os.environ.get("VPNPROOF_LABS")
    return Path(chosen) if chosen else Path(f"/var/tmp/vpnproof-{os.getuid()}")  # noqa: S108 - checked in `labs`


def _only_labs(directory: Path) -> Path:
    """Return a directory of labs; LabError when there is anything else in it."""
    found = sorted(path for path in directory.iterdir() if not _belongs(path))
    if not found:
        return directory
    names = ", ".join(repr(path.name) for path in found[:_SHOWN])
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    raise LabError(
        f"{directory} is no directory of labs, it holds {names}{more}",
        hint="nothing in it was touched; set VPNPROOF_LABS to a directory for labs alone. (Labs of "
        "a version before markers: when nothing of them runs, remove them by hand.)",
    )


def _belongs(path: Path) -> bool:
    if path.name in _BESIDE or marker.is_lab(path) or marker.is_unfinished(path):
        return True
    return not os.path.lexists(path)  # finished or removed since it was listed


def _discard(path: Path) -> None:
    """Remove an unfinished directory; it stays when somebody put a thing in it."""
    (path / marker.MARKER).unlink(missing_ok=True)
    path.rmdir()


@contextmanager
def _making(parent: Path) -> Iterator[None]:
    """Let nobody else make a lab in `parent`, or take away an unfinished one."""
    lock = os.open(parent / ".making.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
