"""Files written whole: a reader sees the old content or the new, never a part.

Nor does whoever starts after a power cut: content is on the disk before it has its name.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path


def write_whole(path: Path, content: str | bytes, mode: int = 0o600) -> None:
    """Replace the file at `path` by one rename; its directory must exist."""
    raw = content.encode() if isinstance(content, str) else content
    # a draft for each thread: two may write the same file
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_native_id()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Have a file's content, or a directory's names, on the disk; returns when they are."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(directory: Path) -> None:
    """Have a directory of files on the disk: what they hold, then what they are called."""
    for file in sorted(directory.iterdir()):
        sync(file)
    sync(directory)
