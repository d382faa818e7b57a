"""What makes a directory among the images one of ours, and how it is removed.

A cache may be set to any directory, and what goes there goes by its name. So each directory that an
image is made in, lies in, or is removed in, has a marker. An image of a version before markers is
known by its manifest: of this user, and of the image that the directory is named by. What is
neither is left alone.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.cache import locked
from lab.image.manifest import MARKER, Manifest
from lab.made_once import is_free
from lab.marker import own

DAMAGED, GONE, UNFINISHED = ".damaged", ".gone-", ".unfinished-"
_BEGINNING = "images-begun"
_IMAGE = r"[a-z0-9.-]+-[0-9a-f]{16}"
_RANDOM = r"[a-z0-9_]{8}"  # what `mkdtemp` adds
_PLACE = re.compile(_IMAGE)
_PASSING = re.compile(rf"{re.escape(GONE)}{_RANDOM}|{re.escape(UNFINISHED)}{_IMAGE}-{_RANDOM}")


def is_image(path: Path) -> bool:
    """Whether `path` is an image of ours, sound or not, or one that was set aside."""
    if not (_PLACE.fullmatch(path.name) or path.name == DAMAGED) or not own(path, stat.S_ISDIR):
        return False
    if own(path / MARKER, stat.S_ISREG):
        return True
    manifest = Manifest.read(path)
    if manifest is None or manifest.owner != os.geteuid():
        return False
    named = path.name.startswith(f"{manifest.name}-") and path.name.endswith(manifest.key[:16])
    return named or path.name == DAMAGED


def is_passing(path: Path) -> bool:
    """Whether an image of ours was made in `path`, or removed; it may hold nothing yet."""
    if not _PASSING.fullmatch(path.name) or not own(path, stat.S_ISDIR):
        return False
    return own(path / MARKER, stat.S_ISREG) or _is_empty(path)


def left_alone(directory: Path) -> list[Path]:
    """Return what is called like something of ours in the directory of images, and is not."""
    return [
        path
        for path in sorted(directory.iterdir())
        if (_PLACE.fullmatch(path.name) or path.name == DAMAGED or _PASSING.fullmatch(path.name))
        and not (is_image(path) or is_passing(path))
    ]


def mark(path: Path) -> None:
    """Make a directory ours."""
    (path / MARKER).touch(mode=0o600)


@contextmanager
def begun(destination: Path) -> Iterator[Path]:
    """Give a directory to make an image in, which is held until the end, and removed if it stays.

    Its marker is its lock: nobody else removes it meanwhile.
    """
    directory, prefix = destination.parent, f"{UNFINISHED}{destination.name}-"
    with locked(_BEGINNING):  # nobody sees one that is not locked yet
        fresh = Path(tempfile.mkdtemp(prefix=prefix, dir=directory))
        mark(fresh)
        held = os.open(fresh / MARKER, os.O_RDWR | os.O_CLOEXEC)  # NFS locks no other
        fcntl.flock(held, fcntl.LOCK_EX)
    try:
        yield fresh
    finally:
        remove(fresh)
        os.close(held)


def sweep(directory: Path) -> None:
    """Remove what those that died while they made an image left in the directory of images."""
    with locked(_BEGINNING):
        for left in directory.glob(f"{UNFINISHED}*"):
            if is_passing(left) and is_free(left / MARKER):
                remove(left)


def remove(path: Path) -> None:
    """Remove what `is_passing`; the marker last, so that the next goes on where this stops."""
    try:
        for entry in path.iterdir():
            if entry.name == MARKER:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink(missing_ok=True)
        (path / MARKER).unlink(missing_ok=True)
        path.rmdir()
    except OSError:  # whatever it is, the next removal meets it again
        return


def _is_empty(path: Path) -> bool:
    try:
        return not any(path.iterdir())
    except OSError:  # it is gone, or nothing that we could remove
        return False
