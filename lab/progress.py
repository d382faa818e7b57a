"""Saying what takes so long: a live line on a terminal, plain lines with times elsewhere."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bars

from evidence.printable import visible

Say: TypeAlias = Callable[[str], None]
"""Called with a line about what is being done, now and then."""

Advance: TypeAlias = Callable[[int, int], None]
"""Called with the bytes that are here and the bytes there will be (0 when unknown)."""


class Progress:
    """Prints each task with how long it took; several may run at once."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self._started = time.monotonic()
        self._showing = threading.Lock()

    def say(self, text: str) -> None:
        """Print a line, with the seconds since the start."""
        self.console.print(f"[dim]{time.monotonic() - self._started:6.1f}s[/dim] {printable(text)}")

    @contextlib.contextmanager
    def task(self, text: str) -> Iterator[None]:
        """Show `text` while the block runs, then a line with its seconds and how it ended."""
        with (
            self._timed(text),
            self._alone() as live,
            self.console.status(printable(text)) if live else contextlib.nullcontext(),
        ):
            yield

    @contextlib.contextmanager
    def download(self, text: str) -> Iterator[Advance]:
        """Do as `task` does, with a bar of the bytes that the block tells of, or some lines."""
        with self._timed(text), self._alone() as live:
            if live:
                with _bar(self.console, text) as advance:
                    yield advance
            else:
                yield each_tenth(text, self.say)

    @contextlib.contextmanager
    def _timed(self, text: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        except BaseException:
            self.say(f"failed after {time.monotonic() - started:.1f} s: {text}")
            raise
        self.say(f"{text}: {time.monotonic() - started:.1f} s")

    @contextlib.contextmanager
    def _alone(self) -> Iterator[bool]:
        """Tell whether this is a terminal where no other task shows something that moves."""
        if not self.console.is_interactive or not self._showing.acquire(blocking=False):
            yield False
            return
        try:
            yield True
        finally:
            self._showing.release()


def printable(text: str) -> str:
    """Return a text as rich prints it and nothing else: a guest or a mirror may have said it."""
    return escape(visible(text, layout=True))


def each_tenth(text: str, say: Say) -> Advance:
    """Return what says a line each tenth of the way; of what nobody knows the end of, one line."""
    said = -1

    def advance(here: int, total: int) -> None:
        nonlocal said
        tenth = here * 10 // total if total else 0
        if tenth > said:
            said = tenth
            say(f"{text}: {here >> 20} of {total >> 20 if total else 'unknown'} MiB")

    return advance


@contextlib.contextmanager
def _bar(console: Console, text: str) -> Iterator[Advance]:
    """Show a bar that is gone afterwards; its speed is of what came while it was shown."""
    with Bars(
        TextColumn(printable(text)),
        BarColumn(bar_width=None),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        expand=True,
        transient=True,
    ) as bar:
        task = bar.add_task(text, total=None)
        yield lambda here, total: bar.update(task, completed=here, total=total or None)
