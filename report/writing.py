"""Files of a report, written whole or not at all: a former one stays until the new one is there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from evidence.errors import EvidenceError


class ReportError(EvidenceError):
    """A report, or a part of it, could not be made."""


def write_whole(path: Path, content: str | bytes) -> Path:
    """Write a file; raise ReportError when it cannot be, with the former one left as it was."""
    octets = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    name = ""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())  # a disk that is full may say so only now
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except OSError as error:
        if name:
            Path(name).unlink(missing_ok=True)
        raise ReportError(
            f"{path}: cannot be written: {error.strerror}",
            hint="make room, or name another place by -o; no evidence was touched",
        ) from error
    return path
