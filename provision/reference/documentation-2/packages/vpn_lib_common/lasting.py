"""Files that a power cut right afterwards leaves whole: on the disk before anybody finds them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Any


def to_disk(file: IO[Any]) -> None:
    """Bring what was written to an open file to the disk."""
    file.flush()
    os.fsync(file.fileno())


def names_to_disk(directory: Path) -> None:
    """Bring the names in a directory to the disk: that a file is there, or is another one now."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
