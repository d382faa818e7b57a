"""Actions on whole files: write one, unpack an archive of ours."""

from __future__ import annotations

import gzip
import hashlib
import io
import shlex
import tarfile
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from provision.action import Action
from provision.notes import Notes
from provision.transcript import Session


def _unchanged(path: str, content: bytes, mode: int, owner: str, group: str) -> str:
    """Return the shell condition that a file is exactly so."""
    quoted = shlex.quote(path)
    attributes = shlex.quote(f"{mode:o} {owner}:{group}")
    digest = hashlib.sha256(content).hexdigest()
    return (
        f"[ \"$(stat -c '%a %U:%G' {quoted})\" = {attributes} ] && "
        f'[ "$(sha256sum < {quoted} | cut -c 1-64)" = {digest} ]'
    )


@dataclass(frozen=True)
class WriteFile(Action):
    """A file with exactly this content, mode, owner and group."""

    path: str
    content: str
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"

    def describe(self) -> str:
        """Return the path, the attributes and the content in full."""
        heading = f"> {self.path} ({self.mode:04o} {self.owner}:{self.group})"
        return "\n".join([heading, *(f"  | {line}" for line in self.content.splitlines())])

    def guard(self, notes: Notes) -> str | None:
        """Return the condition that the file is so already."""
        content = notes.fill(self.content).encode()
        return _unchanged(self.path, content, self.mode, self.owner, self.group)

    def apply(self, session: Session) -> None:
        """Write it whole."""
        content = session.notes.fill(self.content)
        session.put(content, self.path, mode=self.mode, owner=self.owner, group=self.group)


@dataclass(frozen=True)
class Unpack(Action):
    """A directory of ours, packed here and unpacked there as the guide unpacks its archive.

    The archive is the same byte for byte whenever the files are: its content is part of what a
    checkpoint depends on.
    """

    source: Path
    name: str
    """The directory's name inside the archive."""
    archive: str
    """Where the archive is put, an absolute path; it is unpacked beside it."""

    def __repr__(self) -> str:
        return f"Unpack({self.name!r}, {self.archive!r}, {self.digest})"

    @cached_property
    def content(self) -> bytes:
        """The archive: a gzipped tar without times and owners."""
        files = {path: path.stat() for path in self._files()}
        return _packed(
            self.source,
            self.name,
            tuple(
                (path, told.st_mode, told.st_size, told.st_mtime_ns) for path, told in files.items()
            ),
        )

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the archive, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    def describe(self) -> str:
        """Return the archive's content as a listing, and the command."""
        names = [f"  | {self.name}/{path.relative_to(self.source)}" for path in self._files()]
        return "\n".join(
            [f"> {self.archive} (SHA-256 {self.digest})", *names, f"$ {self._command()}"]
        )

    def guard(self, notes: Notes) -> str | None:  # noqa: ARG002 - the archive holds no notes
        """Return the condition that this very archive lies there, unpacked."""
        directory = shlex.quote(f"{Path(self.archive).parent}/{self.name}")
        same = _unchanged(self.archive, self.content, 0o644, "root", "root")
        return f"[ -d {directory} ] && {same}"

    def apply(self, session: Session) -> None:
        """Put the archive there last: only an unpacked one counts as applied."""
        fresh = f"{self.archive}.unpacking"
        session.put(self.content, fresh)
        session.run(f"{self._command(fresh)} && mv -f {shlex.quote(fresh)} {self.archive}")

    def _command(self, archive: str | None = None) -> str:
        parent = shlex.quote(str(Path(self.archive).parent))
        return (
            f"cd {parent} && rm -rf {shlex.quote(self.name)} && "
            f"tar -xzf {shlex.quote(Path(archive or self.archive).name)}"
        )

    def _files(self) -> list[Path]:
        return sorted(
            path
            for path in self.source.rglob("*")
            if path.is_file() and not _is_residue(path.relative_to(self.source))
        )


@lru_cache(maxsize=8)  # the same for each machine, and each time a plan is made
def _packed(source: Path, name: str, files: tuple[tuple[Path, int, int, int], ...]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, mode, size, _ in files:
            entry = tarfile.TarInfo(f"{name}/{path.relative_to(source)}")
            entry.size = size
            entry.mode = 0o755 if mode & 0o100 else 0o644
            with path.open("rb") as file:
                tar.addfile(entry, file)
    return gzip.compress(packed.getvalue(), mtime=0)


def _is_residue(path: Path) -> bool:
    """Say whether a file is what tools leave behind: hidden, or compiled."""
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts)
