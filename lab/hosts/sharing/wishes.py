"""`python -m lab.hosts.sharing.wishes DIRECTORY`: tells home what a host's workers are to make.

Says a line of JSON for each wish (`lab.made_once`), and for each that ended; what home answers, a
line of JSON too, it puts beside the wish. Ends when home does.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import sys
from collections.abc import Iterator
from pathlib import Path

from lab.cache import replacing
from lab.made_once import ANSWERS, CAME, MAKE, Cached, answer_to, is_free

_LOOKS_EVERY_S = 0.5


class Wishes:
    """The wishes in a directory, as home was told of them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._told: set[str] = set()

    def changes(self) -> Iterator[dict[str, object]]:
        """Yield what is new since the last look: wishes that began, and such that ended."""
        there = {
            path.name
            for path in self._directory.iterdir()
            if Cached.is_wish(path.name) and not is_free(path)
        }
        for name in sorted(there ^ self._told):
            kind, key = Cached.named(name)
            yield {"name": name, "kind": kind, "key": key, "wanted": name in there}
        self._told = there

    def answer(self, name: str, what: str) -> None:
        """Put home's answer beside a wish, if that is still there."""
        if name not in self._told or what not in (CAME, MAKE):
            return
        with replacing(answer_to(self._directory / name)) as partial:
            partial.write_text(what)


def serve(directory: Path) -> None:
    """Tell home what is wanted, and take its answers, until it is gone."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(directory / ANSWERS, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    _say({"listens": True})
    wishes, heard = Wishes(directory), b""
    while True:
        if select.select([0], [], [], _LOOKS_EVERY_S)[0]:
            if not (piece := os.read(0, 65536)):
                return
            *lines, heard = (heard + piece).split(b"\n")
            for line in lines:
                told = json.loads(line)
                wishes.answer(str(told["name"]), str(told["answer"]))
        for change in wishes.changes():
            _say(change)


def _say(told: dict[str, object]) -> None:
    os.write(1, json.dumps(told).encode() + b"\n")


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
