"""Where checkpoints lie: one directory each, complete or not there, bounded in size.

A checkpoint's disks stand on those of its parent, so a parent is never removed before its
children. Files are known by size, times and CRC-32: the times decide at once, the sum where they
differ. Nothing here knows how a machine is frozen.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, ValidationError

from lab.errors import LabError
from lab.paths import cache, lab_directories
from lab.topology import Topology

FORMAT = 1
DEFAULT_LIMIT_GIB = 20.0
#: What is left free on the disk whatever the limit says, in GiB.
SPARE_GIB = 2.0
_MANIFEST = "checkpoint.json"
_USED = "used"
_CHUNK = 1 << 22


class CheckpointDamaged(LabError):
    """A checkpoint that must not be thawed; it has been set aside."""


class FrozenFile(BaseModel):
    """What a file of a checkpoint must be: size in bytes, times in ns, CRC-32 of its content."""

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

    def complaint(self, path: Path) -> str:
        """Return what is wrong with the file at `path`; nothing when it is as it was."""
        try:
            found = path.stat()
        except OSError as error:
            return f"{path.name}: {error.strerror}"
        if found.st_size != self.size:
            return f"{path.name}: {found.st_size} bytes, expected {self.size}"
        if (found.st_mtime_ns, found.st_ctime_ns) == (self.mtime_ns, self.ctime_ns):
            return ""
        return "" if _crc32(path) == self.crc32 else f"{path.name}: its content has changed"


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
    parent: str | None
    files: dict[str, FrozenFile]


class Checkpoint:
    """A complete checkpoint on disk."""

    def __init__(self, directory: Path, manifest: Manifest) -> None:
        self.directory = directory
        self.manifest = manifest

    @property
    def key(self) -> str:
        """The content key it is found by."""
        return self.manifest.key

    @property
    def size(self) -> int:
        """Bytes it takes on disk (sparse files count what they hold)."""
        return sum(p.stat().st_blocks * 512 for p in self.directory.rglob("*") if p.is_file())

    @property
    def used(self) -> float:
        """When it was frozen or last thawed, in seconds since the epoch."""
        return (self.directory / _USED).stat().st_mtime

    def memory(self, machine: str) -> Path:
        """Return the saved memory of a machine."""
        return self.directory / "memory" / f"{machine}.save"

    def disk(self, machine: str) -> Path:
        """Return the frozen disk of a machine."""
        return self.directory / "disks" / f"{machine}.qcow2"

    def attachment(self, name: str) -> Path:
        """Return a file or directory that the freezer put beside the machines."""
        return self.directory / "attached" / name

    def touch(self) -> None:
        """Note that it was used now."""
        (self.directory / _USED).touch()


def key_of(ingredients: Mapping[str, Any]) -> str:
    """Return the content key of everything that shapes a checkpoint."""
    text = json.dumps({"format": FORMAT, **ingredients}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Store:
    """The checkpoints of this user."""

    def __init__(self, directory: Path | None = None, *, limit_gib: float | None = None) -> None:
        self.directory = directory or cache() / "checkpoints"
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        chosen = os.environ.get("VPNPROOF_CHECKPOINTS_GIB")
        self.limit_gib = limit_gib or (float(chosen) if chosen else DEFAULT_LIMIT_GIB)

    def __iter__(self) -> Iterator[Checkpoint]:
        for path in sorted(self.directory.iterdir()):
            with contextlib.suppress(LabError):
                if path.is_dir() and not path.name.startswith("."):
                    yield self._read(path)

    def find(self, key: str) -> Checkpoint | None:
        """Return the checkpoint of `key`, checked file by file, and its parents too.

        None when there is none. One that is damaged or cut short is set aside and raises
        CheckpointDamaged, which says what is wrong with it.
        """
        path = self.directory / key
        if not path.is_dir():
            return None
        try:
            checkpoint = self._read(path)
            _check_files(checkpoint)
            if checkpoint.manifest.parent and self.find(checkpoint.manifest.parent) is None:
                raise LabError(f"its parent {checkpoint.manifest.parent} is gone")
        except LabError as error:
            aside = self.set_aside(path)
            raise CheckpointDamaged(
                f"checkpoint {key} cannot be trusted: {error.message}",
                hint=f"it was moved to {aside}; the lab is built anew",
            ) from error
        return checkpoint

    def set_aside(self, path: Path) -> Path:
        """Move a checkpoint out of the way, keeping one such for a look, and return where."""
        aside = self.directory / ".damaged"
        with FileLock(self.directory / ".lock"):
            shutil.rmtree(aside, ignore_errors=True)
            with contextlib.suppress(FileNotFoundError):
                path.rename(aside)
        return aside

    @contextlib.contextmanager
    def making(self, key: str) -> Iterator[Path]:
        """Give a directory to fill; `complete` makes a checkpoint of it, anything else nothing."""
        self._remove_abandoned()
        fresh = Path(tempfile.mkdtemp(prefix=f".{os.getpid()}-{key[:8]}-", dir=self.directory))
        for name in ("memory", "disks", "attached"):
            (fresh / name).mkdir()
        try:
            yield fresh
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def complete(self, fresh: Path, manifest: Manifest) -> Checkpoint:
        """Turn a filled directory into the checkpoint of `manifest` and return it."""
        paths = [path for path in sorted(fresh.rglob("*")) if path.is_file()]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            described = list(pool.map(FrozenFile.of, paths))
        files = {str(p.relative_to(fresh)): d for p, d in zip(paths, described, strict=True)}
        whole = manifest.model_copy(update={"files": files, "created": time.time()})
        (fresh / _MANIFEST).write_text(whole.model_dump_json(indent=1))
        (fresh / _USED).touch()
        final = self.directory / manifest.key
        with FileLock(self.directory / ".lock"):
            if final.exists():  # somebody froze the same at the same time: theirs is as good
                return self._read(final)
            fresh.rename(final)
        return Checkpoint(final, whole)

    def make_room(self, needed: int) -> None:
        """Remove what was used longest ago until `needed` bytes more fit within the limits.

        Raises LabError, and removes nothing more, when they cannot be made to fit.
        """
        with FileLock(self.directory / ".lock"):
            while not self._fits(needed):
                if not (removable := self._removable()):
                    raise LabError(
                        f"no room for a checkpoint of {needed / 2**30:.1f} GiB in {self.directory}",
                        hint="free some disk, or raise VPNPROOF_CHECKPOINTS_GIB",
                    )
                shutil.rmtree(min(removable, key=lambda one: one.used).directory)

    def remove(self, key: str) -> None:
        """Remove a checkpoint; LabError when a lab or another checkpoint stands on it."""
        with FileLock(self.directory / ".lock"):
            for checkpoint in self:
                if checkpoint.key.startswith(key):
                    if checkpoint.key not in {one.key for one in self._removable()}:
                        raise LabError(f"checkpoint {checkpoint.key} is in use")
                    shutil.rmtree(checkpoint.directory)
                    return
        raise LabError(f"there is no checkpoint {key!r}", hint="see `python -m lab checkpoints`")

    def _removable(self) -> list[Checkpoint]:
        present = list(self)
        standing_on = {checkpoint.manifest.parent for checkpoint in present} | _in_use()
        return [checkpoint for checkpoint in present if checkpoint.key not in standing_on]

    def _fits(self, needed: int) -> bool:
        used = sum(checkpoint.size for checkpoint in self)
        free = shutil.disk_usage(self.directory).free
        return used + needed <= self.limit_gib * 2**30 and free - needed >= SPARE_GIB * 2**30

    def _read(self, path: Path) -> Checkpoint:
        try:
            manifest = Manifest.model_validate_json((path / _MANIFEST).read_text())
        except (OSError, ValidationError, ValueError) as error:
            raise LabError(f"{path.name}: {_MANIFEST} cannot be read") from error
        if manifest.format != FORMAT or manifest.key != path.name:
            raise LabError(f"{path.name}: format {manifest.format}, key {manifest.key}")
        return Checkpoint(path, manifest)

    def _remove_abandoned(self) -> None:
        """Remove what was being made by processes that are gone."""
        for path in self.directory.glob(".[0-9]*-*"):
            pid = path.name[1:].partition("-")[0]
            if not Path(f"/proc/{pid}").exists():
                shutil.rmtree(path, ignore_errors=True)


def _check_files(checkpoint: Checkpoint) -> None:
    for name, file in checkpoint.manifest.files.items():
        if complaint := file.complaint(checkpoint.directory / name):
            raise LabError(complaint)


def _in_use() -> set[str]:
    """Return the keys that running labs stand on."""
    found = set()
    for directory in lab_directories():
        with contextlib.suppress(OSError):
            found.add((directory / "checkpoint").read_text().strip())
    return found


def _crc32(path: Path) -> int:
    crc = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            crc = zlib.crc32(chunk, crc)
    return crc
