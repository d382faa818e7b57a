"""What a checkpoint is on disk: its files, what it says of them, and whether both still agree.

Files are known by size, times and CRC-32. Within one boot of this host the times decide, as
nobody can set a ctime; where they differ, and once after each boot (power may have failed before
everything had reached the disk), the content does.
"""

from __future__ import annotations

import hashlib
import os
import time
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from lab.errors import LabError
from lab.topology import Topology

FORMAT = 4
_MANIFEST, _DIGEST = "checkpoint.json", "checkpoint.sha256"
_USED = "used"
_CHUNK = 1 << 22


class FrozenFile(BaseModel):
    """What a file must be: size in bytes, times in ns, CRC-32 of its content."""

    model_config = ConfigDict(frozen=True)

    size: int
    mtime_ns: int
    ctime_ns: int
    crc32: int

    @classmethod
    def of(cls, path: Path) -> FrozenFile:
        """Describe the file at `path` as it is now."""
        crc = _crc32(path)
        found = path.stat()
        return cls(
            size=found.st_size, mtime_ns=found.st_mtime_ns, ctime_ns=found.st_ctime_ns, crc32=crc
        )

    def complaint(self, path: Path, *, thorough: bool = False) -> str:
        """Return what is wrong with the file at `path`; nothing when it is as it was.

        `thorough` reads it even if its times say that nobody has touched it.
        """
        try:
            found = path.stat()
            if found.st_size != self.size:
                return f"{path.name}: {found.st_size} bytes, expected {self.size}"
            untouched = (found.st_mtime_ns, found.st_ctime_ns) == (self.mtime_ns, self.ctime_ns)
            if (untouched and not thorough) or _crc32(path) == self.crc32:
                return ""
        except OSError as error:
            return f"{path.name}: {error.strerror}"
        return f"{path.name}: its content has changed"


class Manifest(BaseModel):
    """What a checkpoint says of itself; written last, so that its presence means "complete"."""

    model_config = ConfigDict(frozen=True)

    format: int
    key: str
    label: str
    created: float
    ingredients: dict[str, Any]
    topology: Topology
    host_keys: dict[str, str]
    agents: tuple[str, ...]
    """The machines that have an agent (`lab.agent`)."""
    parents: tuple[str, ...]
    """The checkpoints that its disks lie on; a lab of machines of several shapes has several."""
    image: tuple[Path, FrozenFile]
    """The image below them all. One that was built anew is another, even by the same recipe."""
    files: dict[str, FrozenFile]


class Checkpoint:
    """A complete checkpoint on disk."""

    def __init__(self, directory: Path, manifest: Manifest) -> None:
        self.directory = directory
        self.manifest = manifest

    @classmethod
    def read(cls, directory: Path) -> Checkpoint:
        """Read the checkpoint at `directory`; LabError when it is none of ours, or cut short."""
        path = directory / _MANIFEST
        try:
            text = path.read_bytes()
            if _line_of(text) != (directory / _DIGEST).read_bytes():
                raise LabError(f"{_MANIFEST} is not what was written")
            manifest = Manifest.model_validate_json(text)
        except OSError as error:
            raise LabError(f"{_MANIFEST} cannot be read: {error.strerror}") from error
        except ValueError as error:  # pydantic's too
            raise LabError(f"{_MANIFEST} is of another version of vpnproof") from error
        if (manifest.format, manifest.key) != (FORMAT, directory.name):
            raise LabError(f"it is format {manifest.format}, key {manifest.key}")
        return cls(directory, manifest)

    @classmethod
    def seal(cls, directory: Path, manifest: Manifest) -> Checkpoint:
        """Describe every file in `directory`, write the manifest, and return what it is now."""
        paths = [path for path in sorted(directory.rglob("*")) if path.is_file()]
        described = zip(paths, _described(paths), strict=True)
        files = {str(path.relative_to(directory)): file for path, file in described}
        whole = manifest.model_copy(update={"files": files, "created": time.time()})
        text = whole.model_dump_json(indent=1).encode()
        (directory / _MANIFEST).write_bytes(text)
        (directory / _DIGEST).write_bytes(_line_of(text))
        sealed = cls(directory, whole)
        sealed.touch()
        return sealed

    @property
    def key(self) -> str:
        """The content key it is found by."""
        return self.manifest.key

    @property
    def size(self) -> int:
        """Bytes it takes on disk (sparse files count what they hold)."""
        return size_of(self.directory)

    @property
    def used(self) -> float:
        """When it was frozen or last found, in seconds since the epoch."""
        try:
            return (self.directory / _USED).stat().st_mtime
        except FileNotFoundError:
            return self.manifest.created

    def memory(self, machine: str) -> Path:
        """Return the saved memory of a machine."""
        return self.directory / "memory" / f"{machine}.save"

    def disk(self, machine: str) -> Path:
        """Return the frozen disk of a machine."""
        return self.directory / "disks" / f"{machine}.qcow2"

    @property
    def disks(self) -> dict[str, Path]:
        """The frozen disk of each machine."""
        return {
            machine.name: self.disk(machine.name) for machine in self.manifest.topology.machines
        }

    def attachment(self, name: str) -> Path:
        """Return a file or directory that the freezer put beside the machines."""
        return self.directory / "attached" / name

    def check(self) -> None:
        """Raise LabError, which names the file, when one is not as it was frozen."""
        thorough = not self.seen_sound
        image, described = self.manifest.image
        files = {self.directory / name: file for name, file in self.manifest.files.items()}
        for path, file in {**files, image: described}.items():
            if complaint := file.complaint(path, thorough=thorough):
                raise LabError(complaint)

    @property
    def seen_sound(self) -> bool:
        """Whether it was found sound since this host was booted; else `check` reads all of it."""
        return self._sound_in() == _boot_id()

    def touch(self) -> None:
        """Note that it is sound and used now."""
        (self.directory / _USED).write_text(_boot_id())

    def _sound_in(self) -> str:
        """Return the boot of this host in which it was last seen sound."""
        try:
            return (self.directory / _USED).read_text()
        except FileNotFoundError:
            return ""


def size_of(directory: Path) -> int:
    """Return the bytes that a directory takes on disk, also while others remove from it."""
    size = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            try:
                size += Path(folder, name).lstat().st_blocks * 512
            except FileNotFoundError:
                continue
    return size


def _described(paths: Iterable[Path]) -> list[FrozenFile]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # CRC-32 is taken outside Python's lock
        return list(pool.map(FrozenFile.of, paths))


def _line_of(text: bytes) -> bytes:
    """Return what `sha256sum` would print of the manifest."""
    return f"{hashlib.sha256(text).hexdigest()}  {_MANIFEST}\n".encode()


@cache
def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _crc32(path: Path) -> int:
    crc = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            crc = zlib.crc32(chunk, crc)
    return crc
