"""Images made in no time: a few bytes, entered as real ones are."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from lab.cache import cache_root
from lab.image.cache import Image, entering, images_root
from lab.image.manifest import SEEN


def image(number: int = 1) -> Image:
    """Return what a Debian guest would be; it need not be in the cache."""
    key = f"{number:x}" * 64
    place = images_root() / f"debian-12-{key[:16]}"
    files = {name: place / name for name in ("kernel", "initrd")}
    return Image("debian-12", "debian", key, place / "disk.qcow2", **files)


def make(
    number: int = 1, *, kib: int = 4, used: float | None = None, content: bytes | None = None
) -> Image:
    """Put an image into the cache, with a disk of `kib` KiB, last used then."""
    made = image(number)
    with entering(made) as unfinished:
        for path in made.files:
            (unfinished / path.name).write_bytes((content or bytes([number])) * kib * 1024)
    if used is not None:
        (made.disk.parent / SEEN).write_text("")
        os.utime(made.disk.parent / SEEN, (used, used))
    return made


def stand_on(made: Image, place: Path) -> Path:
    """Make a disk on an image, where labs and checkpoints have theirs."""
    disk = place / "disks" / "one.qcow2"
    disk.parent.mkdir(parents=True)
    backing = ["-b", str(made.disk), "-F", "raw"]
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *backing, str(disk)], check=True)
    return disk


def checkpoint_on(made: Image, key: str) -> Path:
    """Make what of a checkpoint lies on an image."""
    return stand_on(made, cache_root() / "checkpoints" / key)
