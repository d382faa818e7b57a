"""Keeping this host quiet while something is timed in a lab, whichever process runs that.

An emulated machine is as fast as the processors that are left for it, and what several labs do side
by side slows all of them. So whoever times something waits until nobody is `busy` in another lab,
and until that is over nobody begins to be. Busy is who has a command carried out in a machine,
boots or thaws a lab, or reads a checkpoint's content; what machines do by themselves goes on.

Two locks: whoever wants quiet closes the gate, which all others pass, and then waits until the
floor is empty. Nobody waits in a circle: who holds another lock (one of the cache, of the store)
may wait to be busy, but who is busy or quiet waits for no such lock that is held so; and what the
busy do on other threads has their context (`lab.threads`), so that it need not pass the gate.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from lab.paths import labs

_GATE, _FLOOR = ".quiet-gate.lock", ".quiet-floor.lock"
_timed: set[Path] = set()  # directories of this process' labs in which something is timed now
_on_the_floor: ContextVar[bool] = ContextVar("on the floor", default=False)


@contextmanager
def quiet(lab: Path) -> Iterator[None]:
    """Wait until nobody is busy in another lab, and keep it so for the block.

    `lab` is the directory of the lab in which something is timed: its own commands need no leave.
    """
    with _held(_GATE, fcntl.LOCK_EX), _held(_FLOOR, fcntl.LOCK_EX):
        _timed.add(lab)
        try:
            yield
        finally:
            _timed.discard(lab)


@contextmanager
def busy(lab: Path | None = None) -> Iterator[None]:
    """Wait until nothing is timed in another lab than that in the directory `lab`, then be busy."""
    if lab in _timed or _on_the_floor.get():
        yield
        return
    with _held(_GATE, fcntl.LOCK_SH):
        floor = _open(_FLOOR)
        fcntl.flock(floor, fcntl.LOCK_SH)
    here = _on_the_floor.set(True)
    try:
        yield
    finally:
        _on_the_floor.reset(here)
        os.close(floor)


@contextmanager
def _held(name: str, how: int) -> Iterator[None]:
    """Hold a lock; it ends with the process that holds it, too."""
    file = _open(name)
    try:
        fcntl.flock(file, how)
        yield
    finally:
        os.close(file)


def _open(name: str) -> int:
    return os.open(labs() / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
