"""What stands on an image: labs, frozen labs, and programs that have its disk open.

Disks tell it themselves: a qcow2 file names the one below it. And QEMU holds locks on what it has
open, wherever its lab lies. Changes nothing.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from lab.cache import cache_root
from lab.paths import lab_directories

_QCOW2 = struct.Struct(
    ">4sIQI"
)  # magic, version, where the name of the backing file is, its length
_LOCK = struct.Struct("hhqqi4x")  # struct flock of 64-bit Linux
_LONGEST_NAME = 1023


def labs_on() -> Mapping[Path, list[str]]:
    """Return the names of this user's labs by the directory of the image that they stand on."""
    return _by_image((lab.name, lab) for lab in lab_directories())


def checkpoints_on() -> Mapping[Path, list[str]]:
    """Return the short keys of checkpoints by the directory of the image that they stand on."""
    frozen = (cache_root() / "checkpoints").glob("[!.]*/")
    return _by_image((one.name[:12], one) for one in frozen)


def opened(disk: Path) -> bool:
    """Whether a QEMU has `disk` open; its locks are asked for, and none is taken."""
    try:
        handle = os.open(disk, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        asked = _LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind: int = _LOCK.unpack(fcntl.fcntl(handle, fcntl.F_OFD_GETLK, asked))[0]
        return kind != fcntl.F_UNLCK
    finally:
        os.close(handle)


def backing_of(disk: Path) -> Path | None:
    """Return the file that a qcow2 disk lies on; None if it lies on none, or is no such disk."""
    try:
        with disk.open("rb") as file:
            magic, _, offset, length = _QCOW2.unpack(file.read(_QCOW2.size))
            if magic != b"QFI\xfb" or not 0 < length <= _LONGEST_NAME:
                return None
            file.seek(offset)
            return disk.parent / os.fsdecode(file.read(length))
    except (OSError, struct.error):
        return None


def _by_image(places: Iterator[tuple[str, Path]]) -> Mapping[Path, list[str]]:
    found = defaultdict[Path, list[str]](list)
    for name, place in places:
        below = {backing_of(disk) for disk in place.glob("disks/*.qcow2")}
        for directory in {path.parent.resolve() for path in below if path is not None}:
            found[directory].append(name)
    return found
