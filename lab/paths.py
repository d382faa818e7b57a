"""Where labs lie on this host: one short directory each (what lasts is in `lab.cache`).

A lab's directory holds all its run state. It must be short: libvirt puts Unix sockets deep below
it, and their names end at 107 bytes.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

import psutil

from lab.errors import LabError

LAB_FILE = "lab.json"

_SAME_SECONDS = 1.0


def labs() -> Path:
    """Return this user's directory of labs (VPNPROOF_LABS overrides it), made private."""
    chosen = os.environ.get("VPNPROOF_LABS")
    directory = Path(chosen) if chosen else Path(f"/var/tmp/vpnproof-{os.getuid()}")  # noqa: S108 - checked below
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
    """Make a directory for a lab called `name`, marked as this process' own, and return it."""
    parent = labs()
    while (directory := parent / f"{name}-{secrets.token_hex(2)}").exists():
        continue
    directory.mkdir(mode=0o700)
    me = psutil.Process()
    (directory / "owner").write_text(f"{me.pid} {me.create_time()}")
    return directory


def owner_alive(directory: Path) -> bool:
    """Whether the process that made the lab at `directory` still runs."""
    try:
        pid, created = (directory / "owner").read_text().split()
        owner = psutil.Process(int(pid))
        # Another process may have the pid by now. A clock that was set moves the time a little.
        same = abs(owner.create_time() - float(created)) < _SAME_SECONDS
        return same and owner.status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, psutil.Error):
        return False


def lab_directories() -> Iterator[Path]:
    """Yield the directories of all labs of this user, running or left over."""
    yield from sorted(path for path in labs().iterdir() if path.is_dir())
