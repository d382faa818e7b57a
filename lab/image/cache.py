"""Where images lie, and what one is.

A cached image is a directory named after the image and the hash of everything that shaped it.
It is filled in a directory beside it and enters by one rename, so that it is there whole or
not at all. Fetches and builds nothing.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

from lab.errors import ImageError

_UNFINISHED = ".unfinished-"


@dataclass(frozen=True)
class Image:
    """A guest image, ready to be a backing file.

    `disk` is qcow2 and read-only. With `kernel` the guest is started with kernel, `initrd` and
    the command line `append` directly; without, it boots from its disk. `key` changes with
    anything that shaped the image. `min_cpu` is the least CPU its programs run on (x86-64-v1,
    v2 or v3), `user` its ordinary user ("" when it has none), `source` where it came from.
    """

    name: str
    family: str
    key: str
    disk: Path
    kernel: Path | None = None
    initrd: Path | None = None
    append: str = ""
    user: str = ""
    min_cpu: str = "x86-64-v1"
    source: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.key[:12]})"


def cache_root() -> Path:
    """Return the cache directory (environment VPNPROOF_CACHE, else the user's), made if absent."""
    configured = os.environ.get("VPNPROOF_CACHE")
    root = Path(configured) if configured else user_cache_path("vpnproof")
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as wrong:
        raise ImageError(
            f"the cache directory {root} cannot be made: {wrong.strerror}",
            hint="set VPNPROOF_CACHE to a directory you may write to",
        ) from wrong
    return root


def images_root() -> Path:
    """Return the directory of the images inside the cache."""
    root = cache_root() / "images"
    root.mkdir(exist_ok=True)
    return root


def content_key(*parts: str | bytes) -> str:
    """Return the hash of `parts`; unlike a hash of their sum, ("ab", "c") is not ("a", "bc")."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "big"))
        digest.update(content)
    return digest.hexdigest()


def require_space(directory: Path, needed_mib: int, what: str) -> None:
    """Raise ImageError unless `directory`'s file system has `needed_mib` MiB free for `what`."""
    free_mib = shutil.disk_usage(directory).free // 2**20
    if free_mib < needed_mib:
        raise ImageError(
            f"{what} needs {needed_mib} MiB in {directory}, and {free_mib} MiB are free",
            hint="make room, or set VPNPROOF_CACHE to a directory on a larger file system",
        )


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the cache's lock called `name`; a second process waits until the first is done."""
    locks = cache_root() / "locks"
    locks.mkdir(exist_ok=True)
    with FileLock(locks / f"{name}.lock"):
        yield


@contextmanager
def entering(destination: Path) -> Iterator[Path]:
    """Yield a directory to fill; it becomes `destination` when nothing was raised.

    Call it under `locked(...)` of that image: what an interrupted run left is removed here.
    """
    prefix = f"{_UNFINISHED}{destination.name}-"
    for stale in destination.parent.glob(f"{prefix}*"):
        shutil.rmtree(stale, ignore_errors=True)
    unfinished = Path(tempfile.mkdtemp(prefix=prefix, dir=destination.parent))
    try:
        yield unfinished
        for each in unfinished.iterdir():
            each.chmod(0o444)
        unfinished.rename(destination)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to; it replaces `path` when nothing was raised."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
