"""Keeping this host quiet while something is timed in a lab, whichever process runs that.

An emulated machine is as fast as the processors that are left for it. What several labs do side by
side slows all of them; so while a takeover is timed in one, no other lab is thawed, and nothing is
timed in another. Whoever wants to do either waits its turn, which comes within seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock

from lab.paths import labs


@contextmanager
def quiet() -> Iterator[None]:
    """Wait until no other lab of this user needs quiet, and have it for the block."""
    with FileLock(labs() / ".quiet.lock"):
        yield
