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
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from pathlib import Path

from lab.paths import labs

_GATE, _FLOOR = ".quiet-gate.lock", ".quiet-floor.lock"
SAYS_SO_AFTER_S = 5.0
"""Seconds after which who waits says so, if there is anybody to say it to."""
_WAITING = "waiting until what is timed in another lab is over"
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
def busy(lab: Path | None = None, *, say: Callable[[str], None] | None = None) -> Iterator[None]:
    """Wait until nothing is timed in another lab than that in the directory `lab`, then be busy.

    `say` is told of it when that takes long.
    """
    if lab in _timed or _on_the_floor.get():
        yield
        return
    with ExitStack() as held:
        with _said(say) if say else nullcontext(), _held(_GATE, fcntl.LOCK_SH):
            held.enter_context(_held(_FLOOR, fcntl.LOCK_SH))
        held.enter_context(unasked())
        yield


@contextmanager
def unasked() -> Iterator[None]:
    """Be busy in the block without leave: for what a person does, who keeps nobody waiting."""
    here = _on_the_floor.set(True)
    try:
        yield
    finally:
        _on_the_floor.reset(here)


@contextmanager
def _said(say: Callable[[str], None]) -> Iterator[None]:
    """Say what is waited for, once, if the block takes longer than a moment."""
    later = threading.Timer(SAYS_SO_AFTER_S, say, (_WAITING,))
    later.daemon = True
    later.start()
    try:
        yield
    finally:
        later.cancel()


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
