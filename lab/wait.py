"""Waiting, with a deadline that names what was waited for.

This is the only module that sleeps. Waits for the lab scale with how slow this machine is
(`set_pace`); limits that a verdict depends on never come from here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from lab.errors import DeadlinePassed
from lab.timing import Kind, spending

T = TypeVar("T")

_pace = 1.0


def set_pace(factor: float) -> None:
    """Make every lab wait `factor` times as long (1.0 with KVM, more without)."""
    global _pace  # one machine, one pace: there is nothing to pass around
    if factor <= 0:
        raise ValueError(f"a pace of {factor} would make deadlines pass at once")
    _pace = factor


def pause(seconds: float) -> None:
    """Let `seconds` of real time pass (for watching that something does not happen)."""
    with spending(Kind.WAIT):
        time.sleep(seconds)


def heard(event: threading.Event, seconds: float) -> bool:
    """Wait for `event`, for at most so many seconds; whether it has come about."""
    with spending(Kind.WAIT):
        return event.wait(seconds)


class Deadline:
    """A moment in the future, and the words for what should have happened by then."""

    def __init__(self, seconds: float, what: str) -> None:
        self.what = what
        self.seconds = seconds * _pace
        self._end = time.monotonic() + self.seconds

    @property
    def left(self) -> float:
        """Seconds until the deadline; 0 when it has passed."""
        return max(0.0, self._end - time.monotonic())

    @property
    def passed(self) -> bool:
        """Whether the deadline lies behind us."""
        return self.left == 0.0

    def check(self, detail: str = "") -> None:
        """Raise DeadlinePassed, with `detail`, when the deadline lies behind us."""
        if self.passed:
            tail = f": {detail}" if detail else ""
            raise DeadlinePassed(f"waited {self.seconds:.0f} s for {self.what}{tail}")


def until(
    condition: Callable[[], T | None],
    seconds: float,
    what: str,
    *,
    every: float = 0.1,
    detail: Callable[[], str] = lambda: "",
) -> T:
    """Call `condition` until it returns something true, and return that.

    `every` is the pause between two calls in seconds. Raises DeadlinePassed with `what` and,
    when given, the text of `detail()` (say, the tail of a console).
    """
    deadline = Deadline(seconds, what)
    while True:
        if found := condition():
            return found
        if deadline.passed:
            deadline.check(detail())
        pause(min(every, deadline.left))
