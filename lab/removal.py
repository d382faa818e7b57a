"""Ending a lab and removing its directory: never another's, nor what a symbolic link points at.

The marker goes last, so a removal that was cut short is gone on with by the next `gc`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from pathlib import Path

from lab.errors import LabError, MachineError
from lab.guardian.ending import end_processes_of
from lab.hypervisor import Hypervisor
from lab.marker import MARKER, require_lab
from lab.paths import remove_emptied
from lab.state import LabState


def remove(directory: Path) -> None:
    """End whatever still runs for the lab at `directory`, and remove its files.

    LabError, and nothing is touched, when that is no lab's directory.
    """
    there = os.path.lexists(directory)
    if there:
        require_lab(directory)
        _end_machines_elsewhere(directory)
    end_processes_of(directory)
    if there:
        remove_files(directory)


def remove_files(directory: Path) -> None:
    """Remove the lab's directory; LabError, and all is kept that is left, when something stays."""
    if not os.path.lexists(directory):  # somebody else was faster
        return
    require_lab(directory)
    try:
        _empty(directory)
        remove_emptied(directory)
    except OSError as error:
        if not os.path.lexists(directory):
            return
        raise LabError(
            f"{directory} cannot be removed: {error.strerror}: {error.filename!r}",
            hint="see to that, then `python -m lab gc`",
        ) from error


def _empty(directory: Path) -> None:
    """Remove everything but the marker. Whatever is named is named below one open directory."""
    top = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        for name in os.listdir(top):  # noqa: PTH208 - a path could lead elsewhere by now
            if name == MARKER:
                continue
            if stat.S_ISDIR(os.stat(name, dir_fd=top, follow_symlinks=False).st_mode):
                shutil.rmtree(name, dir_fd=top)
            else:
                os.unlink(name, dir_fd=top)
    finally:
        os.close(top)


def _end_machines_elsewhere(directory: Path) -> None:
    """End the lab's machines in a libvirt that is not its own, if it uses one."""
    try:
        state = LabState.read(directory)
        if state.uri is None:
            return
        hypervisor = Hypervisor.open(state.uri)
    except LabError:  # half-made, or that libvirt is gone, and its machines with it
        return
    for name in state.machines:
        domain = f"{directory.name}-{name}"
        if not hypervisor.has_files_below(domain, directory):  # a name may be anybody's
            continue
        with contextlib.suppress(MachineError):  # it was never defined there
            hypervisor.kill(domain)
        hypervisor.forget(domain)
    hypervisor.close()
