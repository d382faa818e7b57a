"""Files of a report, written whole or not at all: a former one stays until the new one is there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from evidence.errors import EvidenceError


class ReportError(EvidenceError):
    """A report, or a part of it, could not be made."""


def write_whole(path: Path, content: str | bytes) -> Path:
    """Write a file; raise ReportError when it cannot be, with the former one left as it was."""
    write_all({path: content})
    return path


def write_all(contents: Mapping[Path, str | bytes]) -> None:
    """Write files that belong together: all of them, or none and a ReportError."""
    begun: dict[Path, Path] = {}
    try:
        for path, content in contents.items():
            with _naming(path):
                begun[path] = _begin(path)
                _fill(begun[path], octets(content))
        for path, name in begun.items():
            with _naming(path):
                name.replace(path)
    finally:
        for name in begun.values():
            name.unlink(missing_ok=True)


def octets(content: str | bytes) -> bytes:
    """Return what is written of a text that a stranger may have made."""
    return content.encode(errors="backslashreplace") if isinstance(content, str) else content


def _begin(path: Path) -> Path:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(descriptor)
    return Path(name)


def _fill(name: Path, content: bytes) -> None:
    with name.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())  # a disk that is full may say so only now
    name.chmod(0o644)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ReportError(
            f"{path}: cannot be written: {error.strerror}",
            hint="make room, or name another place by -o; no evidence was touched",
        ) from error
