"""Saying what takes so long: a live line on a terminal, plain lines with times elsewhere."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape


class Progress:
    """Prints each task with how long it took; several may run at once."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self._started = time.monotonic()
        self._showing = threading.Lock()

    def say(self, text: str) -> None:
        """Print a line, with the seconds since the start."""
        self.console.print(f"[dim]{time.monotonic() - self._started:6.1f}s[/dim] {escape(text)}")

    @contextlib.contextmanager
    def task(self, text: str) -> Iterator[None]:
        """Show `text` while the block runs, then a line with its seconds and how it ended."""
        started = time.monotonic()
        with self._live(text):
            try:
                yield
            except BaseException:
                self.say(f"failed after {time.monotonic() - started:.1f} s: {text}")
                raise
        self.say(f"{text}: {time.monotonic() - started:.1f} s")

    @contextlib.contextmanager
    def _live(self, text: str) -> Iterator[None]:
        """Show a spinner, if this is a terminal and no other task shows one."""
        if not self.console.is_terminal or not self._showing.acquire(blocking=False):
            yield
            return
        try:
            with self.console.status(text):
                yield
        finally:
            self._showing.release()
