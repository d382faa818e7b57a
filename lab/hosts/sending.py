"""`python -m lab.hosts.sending RUN`: on a host, sends home what a run has recorded since it asked.

Asked by a line, it answers with what is new, file by file: a line of JSON that says which octets
follow, and these, compressed. What only grows (the history, captures) is read once: its hash is
carried on. All else is sent whole when it is another file than before. A history is sent up to the
end of its last line. At the end of an answer stands what was removed.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from evidence.event import FILE_NAME

PIECE = 1 << 20


@dataclass
class _Sent:
    """What was sent of a file: which file it was then, how much of it, and the hash of that."""

    state: tuple[int, ...] = ()
    size: int = 0
    digest: Any = field(default_factory=hashlib.sha256)


class Sender:
    """Sends what is new in a run's directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._sent: dict[str, _Sent] = {}

    def send(self, to: BinaryIO) -> None:
        """Send all that is new, and the end of it."""
        there = dict(_files(self._directory))
        for name, path in there.items():
            try:
                self._send(name, path, to)
            except FileNotFoundError:
                continue  # replaced or removed right now: told next time
        gone = [name for name in self._sent if name not in there]
        for name in gone:
            del self._sent[name]
        _say(to, {"gone": gone})

    def _send(self, name: str, path: Path, to: BinaryIO) -> None:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            growing = grows(name)
            which = (state.st_ino,) if growing else (state.st_ino, state.st_size, state.st_mtime_ns)
            sent = self._sent.get(name)
            if sent is None or sent.state != which or state.st_size < sent.size:
                sent = self._sent[name] = _Sent(which)
            elif not growing or state.st_size == sent.size:
                return
            left = state.st_size - sent.size
            if name == FILE_NAME:
                left = _whole_lines(file, sent.size, left)
            file.seek(sent.size)
            while True:
                piece = file.read(min(left, PIECE))
                offset, left = sent.size, left - len(piece)
                sent.size += len(piece)
                sent.digest.update(piece)
                packed = zlib.compress(piece, 1)
                told: dict[str, Any] = {"name": name, "offset": offset, "packed": len(packed)}
                if last := not (piece and left):
                    told |= {"size": sent.size, "sha256": sent.digest.hexdigest()}
                _say(to, told)
                to.write(packed)
                if last:
                    return


def grows(name: str) -> bool:
    """Whether a file of a run is only added to, and never replaced by another."""
    return name == FILE_NAME or (name.startswith("wire/") and name.endswith(".pcapng"))


def _whole_lines(file: BinaryIO, offset: int, size: int) -> int:
    """Return how many of the octets behind `offset` are whole lines."""
    file.seek(offset)
    return file.read(size).rfind(b"\n") + 1


def _files(directory: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files of a run, the history last: it speaks of others."""
    found = [
        (str(path.relative_to(directory)), path)
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not path.is_symlink()
    ]
    kept = [one for one in found if not any(p.startswith(".") for p in Path(one[0]).parts)]
    yield from sorted(kept, key=lambda one: one[0] == FILE_NAME)


def _say(to: BinaryIO, told: dict[str, Any]) -> None:
    to.write(json.dumps(told).encode() + b"\n")


def main(arguments: list[str]) -> int:
    """Answer each line until there is none any more."""
    sender = Sender(Path(arguments[0]))
    for _ in sys.stdin.buffer:
        sender.send(sys.stdout.buffer)
        sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
