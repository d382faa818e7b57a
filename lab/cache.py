"""The cache directory, and what keeps it whole: keys by content, locks, replaced files.

What lies in it is said by those who put it there (`lab.image`, `lab.accelerator`).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from lab.errors import ImageError


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


def content_key(*parts: str | bytes) -> str:
    """Return the hash of `parts`; unlike a hash of their sum, ("ab", "c") is not ("a", "bc")."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "big"))
        digest.update(content)
    return digest.hexdigest()


def gib_of(variable: str, default: float) -> float:
    """Return the GiB that an environment variable grants; ImageError when it is no number."""
    chosen = os.environ.get(variable) or str(default)
    try:
        limit = float(chosen)
    except ValueError:
        limit = -1.0
    if not limit >= 0:  # nor is "nan"
        raise ImageError(f"{variable} is {chosen!r}", hint=f"give a number of GiB, say {default:g}")
    return limit


def require_space(directory: Path, needed_mib: int, what: str) -> None:
    """Raise ImageError unless `directory`'s file system has `needed_mib` MiB free for `what`."""
    free_mib = shutil.disk_usage(directory).free // 2**20
    if free_mib < needed_mib:
        raise ImageError(
            f"{what} needs {needed_mib} MiB in {directory}, and {free_mib} MiB are free",
            hint="make room, or set VPNPROOF_CACHE to a directory on a larger file system",
        )


@contextmanager
def locked(name: str, wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the cache's lock called `name`; a second process waits until the first is done.

    `wait` is called before that, if it comes to it.
    """
    locks = cache_root() / "locks"
    locks.mkdir(exist_ok=True)
    lock = FileLock(locks / f"{name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        wait()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to; it replaces `path` when nothing was raised.

    Whenever the power goes, `path` is the old file or the new one, whole: the content is on the
    disk before the name is, and the name is when this returns.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        sync(partial)
        partial.replace(path)
        sync(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until a file's content, or a directory's names, are on the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
