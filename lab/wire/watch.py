"""Notices the end of a process, through a pidfd: now, within a time, or by a callback."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable
from contextlib import suppress


class ProcessWatch:
    """Watches one process. If it is a child of ours, its end is also waited for (reaped)."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._pidfd = os.pidfd_open(pid)
        self._ended = False
        self._lock = threading.Lock()
        self._hush_read, self._hush_write = os.pipe()
        self._thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return not self.ended_within(0.0)

    def ended_within(self, seconds: float) -> bool:
        """Wait up to `seconds` for its end; whether it has ended."""
        with self._lock:
            if self._ended:
                return True
            if self._pidfd < 0 or not _readable([self._pidfd], seconds):
                return False
            self._ended = True
            with suppress(ChildProcessError):  # another process started it: not ours to wait for
                os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG)
            return True

    def kill(self) -> None:
        """Kill the process, if it still runs."""
        if self.alive:
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def call_at_end(self, call: Callable[[], None]) -> None:
        """Call `call` once, on a thread of its own, when the process ends before `close`."""

        def wait() -> None:
            ready = _readable([self._pidfd, self._hush_read], None)
            if self._hush_read not in ready:
                call()

        self._thread = threading.Thread(target=wait, name="wire-watch", daemon=True)
        self._thread.start()

    def hush(self) -> None:
        """Make no call any more: the end that comes is meant."""
        if self._thread is not None and self._thread is not threading.current_thread():
            os.write(self._hush_write, b"\0")
            self._thread.join()
            self._thread = None

    def close(self) -> None:
        """Stop watching; safe to call twice."""
        self.hush()
        with self._lock:
            if self._pidfd >= 0:
                for fd in (self._pidfd, self._hush_read, self._hush_write):
                    os.close(fd)
                self._pidfd = -1


def _readable(fds: list[int], seconds: float | None) -> list[int]:
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return [fd for fd, _ in poll.poll(None if seconds is None else seconds * 1000)]
