"""A parcel: a description and the files that it speaks of, as one compressed stream.

Made on one host and opened on another. What a parcel says of its files is for the receiver to
check: it names those that it expects, with their sizes, and gets each once.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from lab.errors import LabError

_HEAD, _LONGEST_HEAD = "parcel.json", 1 << 22
_CHUNK = 1 << 20
_NOTHING = bytes(4096)


@dataclass(frozen=True)
class Content:
    """What was in a file, as it was written."""

    size: int
    crc32: int
    sha256: str


def pack(to: BinaryIO, head: str, files: Mapping[str, Path]) -> None:
    """Write a parcel of these files, by their names in it."""
    with (
        gzip.GzipFile(fileobj=to, mode="wb", compresslevel=1) as packed,
        tarfile.open(fileobj=packed, mode="w|") as tar,
    ):
        content = head.encode()
        info = tarfile.TarInfo(_HEAD)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
        for name, path in files.items():
            with path.open("rb") as file:
                info = tarfile.TarInfo(name)
                info.size = path.stat().st_size
                tar.addfile(info, file)


class Opened:
    """A parcel that is being read: what it says of itself, then its files."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        first = tar.next()
        if first is None or first.name != _HEAD or first.size > _LONGEST_HEAD:
            raise LabError("what came is no parcel")
        self.head = self._reader(first).read()

    def write(self, expected: Mapping[str, int], directory: Path) -> dict[str, Content]:
        """Write every file to its place below a directory, for nobody else to read.

        expected: sizes in bytes, by name. LabError for any other file, or when one is missing.
        """
        found: dict[str, Content] = {}
        while (member := self._tar.next()) is not None:
            name = member.name
            if not member.isfile() or expected.get(name) != member.size or name in found:
                raise LabError(f"{name!r} is not what was announced")
            path = directory / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            found[name] = _written(self._reader(member), path)
        if missing := expected.keys() - found.keys():
            raise LabError(f"{sorted(missing)[0]!r} did not come")
        return found

    def _reader(self, member: tarfile.TarInfo) -> IO[bytes]:
        reader = self._tar.extractfile(member)
        if reader is None:
            raise LabError(f"{member.name!r} is no file")
        return reader


@contextmanager
def opened(parcel: BinaryIO) -> Iterator[Opened]:
    """Read a parcel; LabError when it is none, or is cut short."""
    try:
        with tarfile.open(fileobj=parcel, mode="r|gz") as tar:
            yield Opened(tar)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise LabError(f"what came is cut short, or no parcel: {error}") from error


def _written(reader: IO[bytes], path: Path) -> Content:
    crc, sha, size = 0, hashlib.sha256(), 0
    with path.open("xb") as file:
        path.chmod(0o600)
        while piece := reader.read(_CHUNK):
            crc = zlib.crc32(piece, crc)
            sha.update(piece)
            _write_sparsely(file, piece)
            size += len(piece)
        file.truncate(size)
    return Content(size, crc, sha.hexdigest())


def _write_sparsely(file: BinaryIO, piece: bytes) -> None:
    """Write a piece at the end of a file; blocks of zeros become holes."""
    for start in range(0, len(piece), len(_NOTHING)):
        block = piece[start : start + len(_NOTHING)]
        if block == _NOTHING[: len(block)]:
            file.seek(len(block), io.SEEK_CUR)
        else:
            file.write(block)
