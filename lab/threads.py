"""Threads for what takes as long as a machine does, several at once; Ctrl-C does not wait for them.

A command that asks a machine of another may take minutes when that one is gone. Who typed Ctrl-C is
not kept waiting for it: the lab goes next, its connections with it, and so do the threads.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")


@contextlib.contextmanager
def threads(most: int | None = None) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool of at most so many threads (None: as many as Python thinks right).

    When the block ends, what was begun in it has ended; only after Ctrl-C it is left to itself, and
    what was not begun is not.
    """
    pool = ThreadPoolExecutor(most)
    waits = True
    try:
        yield pool
    except KeyboardInterrupt:
        waits = False
        raise
    finally:
        pool.shutdown(wait=waits, cancel_futures=not waits)


def side_by_side(items: Iterable[T], act: Callable[[T], object]) -> None:
    """Do something with each item, all at once; the first item's error is raised at the end.

    Whoever acts has the caller's context variables.
    """
    chosen = list(items)
    with threads(max(1, len(chosen))) as pool:
        for done in [pool.submit(copy_context().run, act, one) for one in chosen]:
            done.result()
