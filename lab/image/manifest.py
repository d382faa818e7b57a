"""What an image is on disk: its files by SHA-256, whose they are, and whether that still holds.

The manifest is written with the image. Owners, modes, sizes and times are looked at for each use,
and nobody can set a ctime: whatever was written to since is read and compared. Everything is read
at first use after a boot of this host, for then the disk may have lost what was thought to be on
it. What changes below the file system within one boot is not seen.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from lab.cache import replacing, sync

FORMAT = 1
MANIFEST, SEEN = "image.json", "seen.json"
#: What makes the directory one of ours (`lab.image.place`); it is in no manifest.
MARKER = ".vpnproof-image"


class KnownFile(BaseModel):
    """What a file of an image must be."""

    model_config = ConfigDict(frozen=True)

    size: int
    sha256: str


class Manifest(BaseModel):
    """What an image says of itself; written last, so that its presence means "complete"."""

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    name: str
    key: str
    source: str
    made: float
    owner: int
    """The user that made it: nobody else's image is used."""
    files: dict[str, KnownFile]

    @classmethod
    def of(cls, directory: Path, name: str, key: str, source: str) -> Manifest:
        """Make every file in `directory` read-only, put it on the disk, and describe it."""
        files = {}
        for path in sorted(directory.iterdir()):
            if path.name == MARKER:
                continue
            path.chmod(0o444)
            sync(path)
            files[path.name] = KnownFile(size=path.stat().st_size, sha256=_sha256(path))
        return cls(
            name=name, key=key, source=source, made=time.time(), owner=os.geteuid(), files=files
        )

    @classmethod
    def read(cls, directory: Path) -> Manifest | None:
        """Return the manifest of the image in `directory`; None when none can be read."""
        try:
            manifest = cls.model_validate_json((directory / MANIFEST).read_bytes())
        except (OSError, ValueError):  # pydantic's too
            return None
        return manifest if manifest.format == FORMAT else None

    def write(self, directory: Path) -> None:
        """Put the manifest into `directory`, as its last file, on the disk with all the others."""
        path = directory / MANIFEST
        path.write_text(self.model_dump_json(indent=1) + "\n")
        path.chmod(0o444)
        sync(path)
        sync(directory)

    def trespass(self, directory: Path) -> str:
        """Return who else could have changed the image; nothing when it is only ours."""
        for path in (directory, directory / MANIFEST, *(directory / name for name in self.files)):
            if wrong := not_ours(path):
                return wrong
        return (
            ""
            if self.owner == os.geteuid()
            else f"{directory / MANIFEST}: made by uid {self.owner}"
        )

    def complaint(self, directory: Path) -> str:
        """Return what is wrong with the files in `directory`; nothing when all is as made."""
        before = _Seen.read(directory)
        times: dict[str, tuple[int, ...]] = {}
        for name, known in self.files.items():
            path = directory / name
            try:
                found = path.lstat()
                if found.st_size != known.size:
                    return f"{name}: {found.st_size} bytes, expected {known.size}"
                times[name] = _times(found)  # as they were before it is read
                if before.times.get(name) != times[name] and _sha256(path) != known.sha256:
                    return f"{name}: its content has changed"
            except OSError as error:
                return f"{name}: {error.strerror}"
        _Seen(boot=_boot_id(), times=times).note(directory, before)
        return ""

    def used(self, directory: Path) -> float:
        """Return when the image was last found sound, in seconds since the epoch."""
        try:
            return (directory / SEEN).stat().st_mtime
        except OSError:
            return self.made


class _Seen(BaseModel):
    """The files as they were when they were last read, and in which boot of this host."""

    boot: str = ""
    times: dict[str, tuple[int, ...]] = {}

    @classmethod
    def read(cls, directory: Path) -> _Seen:
        """Return what was noted in this boot; nothing, if that was in another."""
        try:
            seen = cls.model_validate_json((directory / SEEN).read_bytes())
        except (OSError, ValueError):
            return cls()
        return seen if seen.boot == _boot_id() else cls()

    def note(self, directory: Path, before: _Seen) -> None:
        """Keep this, if it is not what was known before; and that the image was used now."""
        if self == before:
            os.utime(directory / SEEN)
            return
        with replacing(directory / SEEN) as partial:
            partial.write_text(self.model_dump_json() + "\n")


def not_ours(path: Path) -> str:
    """Return why somebody else may have written to a file or directory; nothing if nobody may."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"{path}: {error.strerror}"
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        return f"{path}: neither a file nor a directory ({stat.filemode(found.st_mode)})"
    if found.st_uid != os.geteuid():
        return f"{path}: it belongs to uid {found.st_uid}, and this runs as {os.geteuid()}"
    if found.st_mode & 0o022:
        return f"{path}: others may write to it ({stat.filemode(found.st_mode)})"
    return ""


def _times(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
