"""Brings home what a host has recorded, file by file, each checked by its hash.

What a host says of its files may be anything: only below the part's own directory is written, and
only what the hash of the whole agrees with counts as arrived. A file that replaces another does so
once it is whole: a host that is lost meanwhile leaves the former one.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from evidence import secret
from evidence.events.hosts import FileArrived
from lab.errors import HostLost, LabError
from lab.hosts.connection import Connection, let_go
from lab.hosts.sending import grows

MOST_PACKED = 1 << 22
"""Octets of a piece of a file as it is sent; `lab.hosts.sending` packs a fourth of that."""
_LONGEST_LINE = 1 << 20


@dataclass(frozen=True)
class Arrived:
    """What came: files that are new or other, and what is wrong with some. No secrets are named.

    gone: those that came before, and that the host has removed since.
    """

    files: Mapping[str, FileArrived] = field(default_factory=dict)
    wrong: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


class Coming:
    """What comes home from one host; asked for, one answer at a time.

    command: what runs `lab.hosts.sending` there. target: the directory of the host's part.
    """

    def __init__(self, connection: Connection, command: str, target: Path) -> None:
        self._name = connection.host.name
        self._target = target
        self._sender = connection.start(command)
        self._read: dict[str, Any] = {}
        self.came = Arrived()
        """What came whole of what was asked for last, also when the host is gone meanwhile."""

    def bring(self) -> Arrived:
        """Take what is new; HostLost when the host is gone meanwhile."""
        sender = self._sender
        assert sender.stdin is not None  # noqa: S101 - it has pipes
        self.came = Arrived()
        try:
            sender.stdin.write(b"\n")
            sender.stdin.flush()
            while "gone" not in (told := self._line()):
                name, piece = str(told["name"]), self._piece(told)
                if (said := self._take(name, int(told["offset"]), piece, told)) is None:
                    continue
                new = {name: said} if name != secret.FILE_NAME else {}
                own = self._read[name].hexdigest()
                wrong = () if own == said.sha256 else (f"{name}: is not what its host read",)
                self.came = Arrived({**self.came.files, **new}, (*self.came.wrong, *wrong))
            gone = [str(name) for name in told["gone"]]
        except (OSError, ValueError, KeyError, TypeError, zlib.error) as error:
            raise HostLost(f"{self._name}: its evidence does not come: {error}") from error
        finally:
            for half in self._target.rglob(_coming("*")):
                half.unlink(missing_ok=True)
        for name in gone:
            self._place(name).unlink(missing_ok=True)
            self._read.pop(name, None)
        return replace(self.came, gone=tuple(gone))

    def close(self) -> None:
        """Ask no more."""
        let_go(self._sender)
        try:
            self._sender.wait(2)
        except subprocess.TimeoutExpired:
            self._sender.kill()
            self._sender.wait()

    def _line(self) -> dict[str, Any]:
        assert self._sender.stdout is not None  # noqa: S101
        line = self._sender.stdout.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise ValueError("the connection was cut")
        told = json.loads(line)
        if not isinstance(told, dict):
            raise ValueError(f"{line[:40]!r} is no answer")
        return told

    def _piece(self, told: Mapping[str, Any]) -> bytes:
        assert self._sender.stdout is not None  # noqa: S101
        packed = int(told["packed"])
        if not 0 <= packed <= MOST_PACKED:
            raise ValueError(f"{packed} octets in one piece")
        content = self._sender.stdout.read(packed)
        if len(content) < packed:
            raise ValueError("the connection was cut")
        unpacking = zlib.decompressobj()
        piece = unpacking.decompress(content, MOST_PACKED)
        if unpacking.unconsumed_tail:
            raise ValueError("a piece is larger than any that is sent")
        return piece

    def _take(
        self, name: str, offset: int, piece: bytes, told: Mapping[str, Any]
    ) -> FileArrived | None:
        """Write a piece of a file; return what its host says of the whole, with the last piece."""
        place = self._place(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        if offset == 0:
            self._read[name] = hashlib.sha256()
        written = place if grows(name) else place.with_name(_coming(place.name))
        with written.open("r+b" if offset else "wb") as file:
            if offset == 0:
                written.chmod(0o600)
            file.seek(offset)
            file.write(piece)
            file.truncate()
        self._read[name].update(piece)
        if "sha256" not in told:
            return None
        written.replace(place)
        return FileArrived(size=int(told["size"]), sha256=str(told["sha256"]))

    def _place(self, name: str) -> Path:
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts or "\0" in name:
            raise LabError(f"{self._name}: {name!r} is no name of a file of evidence")
        place = self._target / name
        if place.is_symlink() or self._target.resolve() not in place.resolve().parents:
            raise LabError(f"{self._name}: {name!r} leads out of its directory")
        return place


def _coming(name: str) -> str:
    """Return what a file is called until it is whole."""
    return f".{name}.coming"
