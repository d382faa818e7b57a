"""The consoles of a lab's machines: files that QEMU writes, and nobody keeps it from writing on.

So what is read of one, and what is kept of one, is its end, whatever it has grown to. As long as a
lab's wire runs, a console that has reached its limit (`lab.limits`) is cut: QEMU opens it to
append, so it goes on at the new end. A line in it says what was left out.
"""

from __future__ import annotations

import codecs
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from lab.limits import CONSOLE, Reached
from lab.wait import pause

FOLDER = "consoles"
"""In a lab's directory: a file a machine, called `<machine>.log`."""

_SHOWN = 64 * 1024  # octets of its end that are looked at to show some lines
_KEPT = 64 * 1024  # octets of its end that are kept when one is cut
_EVERY_S = 0.2
_FIRST, _KERNEL = re.compile(r"\[ +0\.\d{6}\] "), re.compile(r"\[ *\d+\.\d{6}\] ")
"""A line of the kernel's, and one of its first second; `[  OK  ]` is systemd's."""
_PIECE = 64 * 1024


def path_of(directory: Path, machine: str) -> Path:
    """Return the console of a machine of the lab at `directory`."""
    return directory / FOLDER / f"{machine}.log"


def tail(path: Path, octets: int = _SHOWN) -> str:
    """Return the end of a console, or another log; "" when there is none.

    It is what the guest said, as it said it: print it by `visible` only.
    """
    try:
        with _opened(path, os.O_RDONLY) as (file, size):
            return _as_text(os.pread(file, octets, max(0, size - octets)))
    except OSError:
        return ""


def ends_in_kernel(said: str) -> bool:
    """Whether a console ends within a boot of which the kernel alone has said something yet.

    A kernel that says nothing, or whose first line is not shown, cannot be told from the rest.
    """
    lines = [line for line in said.splitlines() if line.strip()]
    first = max((at for at, line in enumerate(lines) if _FIRST.match(line)), default=None)
    return first is not None and all(_KERNEL.match(line) for line in lines[first:])


def last_lines(path: Path, lines: int) -> str:
    """Return so many lines of the end of a console, or fewer."""
    return "\n".join(tail(path).splitlines()[-lines:])


def keep(source: Path, target: Path) -> None:
    """Copy the consoles in a directory to another one: of each the end, of at most its limit."""
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.glob("*.log")):
        with suppress(OSError), _opened(path, os.O_RDONLY) as (file, size):
            _copy_end(file, size, target / path.name)


def follow(path: Path, say: Callable[[str], object], *, lines: int = 200) -> NoReturn:
    """Say the last lines of a console, then what comes, until Ctrl-C."""
    at = path.stat().st_size if path.exists() else 0
    following = Following(path, max(0, at - _SHOWN))
    say("".join(following.more().splitlines(keepends=True)[-lines:]))
    while True:
        while more := following.more():
            say(more)
        pause(_EVERY_S)


class Following:
    """Reads on in a file that grows, from `at`; where it was cut meanwhile, from its beginning."""

    def __init__(self, path: Path, at: int) -> None:
        self._path = path
        self._at = at
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._held = ""

    def more(self) -> str:
        """Return the next of what has come, "" when there is nothing."""
        try:
            with _opened(self._path, os.O_RDONLY) as (file, size):
                if size < self._at:
                    self._at = 0
                octets = os.pread(file, _PIECE, self._at)
        except OSError:
            return ""
        self._at += len(octets)
        text = self._held + self._decode(octets)
        self._held = "\r" if text.endswith("\r") and octets else ""  # its newline may come yet
        return text.removesuffix(self._held).replace("\r\n", "\n")


class Trimming:
    """Keeps the consoles of a lab from growing without end; notes in `reached` which it cut."""

    def __init__(self, directory: Path, reached: list[Reached]) -> None:
        self._folder = directory / FOLDER
        self._reached = reached
        self._limit = CONSOLE.octets
        self._told: set[str] = set()

    def look(self) -> None:
        """Cut what has reached its limit; what cannot be looked at is left as it is."""
        with suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.endswith(".log") and _size(entry) > self._limit:
                    with suppress(OSError):
                        self._cut(Path(entry.path))

    def _cut(self, path: Path) -> None:
        with _opened(path, os.O_RDWR | os.O_APPEND) as (file, size):
            kept = min(_KEPT, self._limit // 2)
            end = os.pread(file, kept, size - kept)
            os.ftruncate(file, 0)
            os.write(file, _left_out(size - kept) + end)
        if path.stem not in self._told:  # a guest that goes on is cut again, and told of once
            self._told.add(path.stem)
            what = f"its console took more than {CONSOLE}, and was cut to its end"
            self._reached.append(Reached.now(CONSOLE, path.stem, what))


def _size(entry: os.DirEntry[str]) -> int:
    state = entry.stat(follow_symlinks=False)
    return state.st_size if stat.S_ISREG(state.st_mode) else 0


@contextmanager
def _opened(path: Path, how: int) -> Iterator[tuple[int, int]]:
    """Open a regular file, and nothing else; give its descriptor and its size."""
    file = os.open(path, how | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        state = os.fstat(file)
        if not stat.S_ISREG(state.st_mode):
            raise OSError(f"{path} is no regular file")
        yield file, state.st_size
    finally:
        os.close(file)


def _copy_end(file: int, size: int, target: Path) -> None:
    at = max(0, size - CONSOLE.octets)
    with target.open("wb") as copy:
        if at:
            copy.write(_left_out(at))
        while at < size and (piece := os.pread(file, min(_PIECE, size - at), at)):
            copy.write(piece)
            at += len(piece)


def _left_out(octets: int) -> bytes:
    return f"[vpnproof: {octets} octets before this were left out: {CONSOLE}]\r\n".encode()


def _as_text(octets: bytes) -> str:
    return octets.decode(errors="replace").replace("\r\n", "\n")
