"""Opening files of evidence, which may come from anywhere: regular ones only, up to a limit.

A FIFO in a file's place would wait for ever, a device never end, a sparse file fill the memory. So
what is opened is looked at before and after, never waited for, and read up to a limit that has a
name. Whatever is wrong becomes BadEvidence that names the file, and says what it is instead.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from pydantic_core import from_json

from evidence.errors import Absent, BadEvidence

LARGEST_TABLE = 32 * 1024 * 1024
"""Of `verdicts.json`, `run.json`, `secrets.json`; a run of hours has some 100 KiB."""
LARGEST_TEXT = 64 * 1024 * 1024
"""Of a transcript."""

_PIECE = 1 << 20
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_MAY_BE_INFINITE = re.compile(rb"[0-9][eE]|[0-9]{300}")


@contextmanager
def reading(path: Path, what: str, hint: str = "") -> Iterator[BinaryIO]:
    """Open a regular file, and close it in the end; what: what it is taken for ("history").

    Raises Absent when there is none, and BadEvidence when it is none, or cannot be read (on).
    """
    try:
        with _regular(path) as file:
            yield file
    except (OSError, ValueError) as error:  # ValueError: no path has a NUL in it
        kind = Absent if isinstance(error, FileNotFoundError) else BadEvidence
        why = getattr(error, "strerror", None) or str(error)
        raise kind(f"{path}: no {what} can be read: {why}", hint=hint) from error


def _regular(path: Path) -> BinaryIO:
    _need_regular(os.stat(path))  # noqa: PTH116 - the same as below; a device is not even opened
    descriptor = os.open(path, _FLAGS)
    try:
        _need_regular(os.fstat(descriptor))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _need_regular(state: os.stat_result) -> None:
    if not stat.S_ISREG(state.st_mode):
        kind = next((name for is_it, name in _KINDS if is_it(state.st_mode)), "no file")
        raise OSError(0, f"it is {kind}")


def read_whole(path: Path, what: str, most: int, hint: str = "") -> bytes:
    """Return all of a regular file; raises as `reading` does, and above `most` octets."""
    with reading(path, what, hint) as file:
        if os.fstat(file.fileno()).st_size <= most:
            content = file.read(most + 1)
            if len(content) <= most:
                return content
    raise BadEvidence(f"{path}: no {what} has more than {most} octets, and this one does")


def digest_of(path: Path, what: str, octets: int | None = None) -> tuple[int, str]:
    """Return of how many octets of a file (all of it by default) this is the SHA-256, and that.

    Fewer than `octets` where there are no more; raises as `reading` does.
    """
    digest = hashlib.sha256()
    with reading(path, what) as file:
        wanted = os.fstat(file.fileno()).st_size if octets is None else octets
        left = wanted
        while left and (piece := file.read(min(left, _PIECE))):
            digest.update(piece)
            left -= len(piece)
    return wanted - left, digest.hexdigest()


def read_table(path: Path, what: str, hint: str = "") -> dict[str, Any]:
    """Return the JSON object that a file holds; raises as `read_whole` does, and for other text."""
    content = read_whole(path, what, LARGEST_TABLE, hint)
    try:
        found = parse_json(content)
    except ValueError as error:
        raise BadEvidence(f"{path}: no {what} can be read: {error}", hint=hint) from error
    if not isinstance(found, dict):
        raise BadEvidence(f"{path}: holds no table of JSON", hint=hint)
    return found


def parse_json(text: bytes) -> Any:  # noqa: ANN401 - JSON is any of its types
    """Return what JSON says; ValueError for what is none.

    Also for what other readers let pass, and what trips whoever uses it: nesting of more than 200
    levels, NaN, numbers without end (`1e999`), integers of thousands of digits, invalid UTF-8, lone
    surrogates.
    """
    found = from_json(text, allow_inf_nan=False)
    if _MAY_BE_INFINITE.search(text) and not _is_finite(found):
        raise ValueError("a number in it is too large")
    return found


def _is_finite(value: object) -> bool:
    match value:
        case float():
            return math.isfinite(value)
        case dict():
            return all(map(_is_finite, value.values()))
        case list():
            return all(map(_is_finite, value))
    return True


def is_there(path: Path) -> bool:
    """Tell whether something of that name is there, whatever it is; False where that is unknown."""
    return os.path.lexists(path)


def inside(directory: Path, name: str) -> Path:
    """Return the path of a file that evidence names, below `directory`; BadEvidence outside it.

    Also for a link that leads out of it: nothing that a stranger names is read elsewhere.
    """
    parts = PurePosixPath(name).parts
    if parts and parts[0] != "/" and ".." not in parts and "\0" not in name:
        path = directory.joinpath(*parts)
        if Path(os.path.realpath(path)).is_relative_to(os.path.realpath(directory)):
            return path
    raise BadEvidence(f"{name!r} names no file of the run")
