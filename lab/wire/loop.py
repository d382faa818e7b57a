"""One epoll for everything a wire waits for: NICs, control connections, signals."""

from __future__ import annotations

import select
from collections.abc import Callable
from types import TracebackType
from typing import TypeAlias

READABLE = select.EPOLLIN
WRITABLE = select.EPOLLOUT

Ready: TypeAlias = Callable[[int], object]
"""Called with the epoll events that came true."""


class Loop:
    """Calls whoever watches a file descriptor when it is ready. A context manager."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._ready: dict[int, Ready] = {}

    def watch(self, fd: int, ready: Ready, events: int = READABLE) -> None:
        """Call `ready` whenever one of `events` is true of `fd`."""
        self._ready[fd] = ready
        self._epoll.register(fd, events)

    def change(self, fd: int, events: int) -> None:
        """Wait for other `events` of `fd`."""
        self._epoll.modify(fd, events)

    def forget(self, fd: int) -> None:
        """Stop watching `fd`; to be called before it is closed."""
        del self._ready[fd]
        self._epoll.unregister(fd)

    def turn(self, timeout_ns: int | None) -> None:
        """Wait until something is ready, `timeout_ns` at most (None: for ever), and call it."""
        timeout = None if timeout_ns is None else max(0.0, timeout_ns / 1e9)
        for fd, events in self._epoll.poll(timeout):
            if ready := self._ready.get(fd):
                ready(events)

    def __enter__(self) -> Loop:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._epoll.close()
