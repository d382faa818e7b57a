"""What takes long to make is made on one host of a run over many, and comes to the others.

Who is about to make it says so by a file in a directory that home looks at (`lab.hosts.sharing`),
and goes on when it has come, or when home says that it is to be made here. The file is locked for
as long as the making lasts, so one that died wants nothing any more. Any other run has no such
directory, and nobody is asked.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from lab.progress import Say
from lab.wait import pause

WISHES = "VPNPROOF_WISHES"
"""Tells a worker of a run over hosts the directory."""
ANSWERS = ".answers"
"""Locked in that directory by whoever brings home's answers."""
CAME, MAKE = "came", "make"
_LOOKS_EVERY_S = 0.2
_wishes = count(1)

Kind = Literal["image", "checkpoint"]


class Cached(NamedTuple):
    """Something of the cache that one host can have from another."""

    kind: Kind
    key: str

    def __str__(self) -> str:
        return f"{self.kind} {self.key[:12]}"

    @classmethod
    def named(cls, name: str) -> Cached:
        """Return what a file of a wish is about; ValueError when it is none of ours."""
        if not cls.is_wish(name):
            raise ValueError(name)
        kind, key, _ = name.split(".")
        return cls(kind, key)  # type: ignore[arg-type]  # looked at right above

    @staticmethod
    def is_wish(name: str) -> bool:
        """Whether a file of that name is a wish."""
        kind, *rest = name.split(".")
        return kind in get_args(Kind) and len(rest) == 2 and all(rest) and rest[0].isalnum()


@contextmanager
def made_once(thing: Cached, say: Say) -> Iterator[None]:
    """Wait until a thing has come from another host, or is to be made here, which is done within.

    Look once more whether it is in the cache, within. `say` gets a line if this takes long.
    """
    directory = os.environ.get(WISHES)
    if not directory:
        yield
        return
    name = f"{thing.kind}.{thing.key}.{os.getpid()}-{next(_wishes)}"  # each is seen by itself
    wish, answer = Path(directory) / name, answer_to(Path(directory) / name)
    with (Path(directory) / f".{name}").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        Path(file.name).rename(wish)  # nobody sees it unlocked
        try:
            _wait(Path(directory), answer, thing, say)
            yield
        finally:
            wish.unlink(missing_ok=True)
            answer.unlink(missing_ok=True)


def answer_to(wish: Path) -> Path:
    """Return where the answer to a wish is put."""
    return wish.with_name(f".{wish.name}.answer")


def _wait(directory: Path, answer: Path, thing: Cached, say: Say) -> None:
    said = False
    while not answer.exists():
        if is_free(directory / ANSWERS):
            say(f"nobody answers whether another host has {thing}; it is made here")
            return
        if not said:
            say(f"asking whether another host has {thing}, or makes it")
            said = True
        pause(_LOOKS_EVERY_S)


def is_free(path: Path) -> bool:
    """Whether no process holds the lock on a file, or there is no such file."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return True
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False
