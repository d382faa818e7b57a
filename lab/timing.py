"""Where time goes: spans of named kinds, on one clock, while somebody listens.

What takes time says so with `spending(Kind.COMMAND)`; a `Recorder` that listens gets the spans of
all threads, and `take` accounts for the time since the last one. Nobody listens as a rule; then a
span costs less than a microsecond.

Spans overlap: commands run side by side in several guests, and a command may have to log in first.
So there are three figures for each kind:

- `sum_s`: the spans added up, as if nothing had run side by side. A command that had to log in
  counts with that.
- `wall_s`: the time in which at least one span of the kind ran.
- `own_s`: the time that is the kind's own. Each instant belongs to one kind only: the first in the
  order of `Kind` of those of which a span ran. With `other_s`, when none ran, they add up to the
  wall time.

**Waiting for the protocol** is the `own_s` of WAIT: the time in which somebody paused, polled or
listened to the wire, and no guest was thawed, provisioned, switched, logged in to or asked, and
nothing was judged. A faster lab saves none of it but what a poll waits for a slow guest. What a
guest is told to wait for (`tcpdump` for 20 s) is a command.

Work that nobody waits for (`beside`) is counted in `sum_s` and `count` alone: the time is
somebody else's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What time can go into; of several at once, the first here owns the instant."""

    THAW = "thaw"
    """A lab is thawed, or rewound."""
    PROVISION = "provision"
    """Machines are started from an image, and a guide's steps applied; freezing included."""
    POWER = "power"
    """A machine is switched on or off, and boots."""
    LOGIN = "login"
    """An SSH connection is opened."""
    COMMAND = "command"
    """A command runs in a guest."""
    JUDGE = "judge"
    """Recorded evidence is judged."""
    WAIT = "wait"
    """Nothing is done, for a time or until something has come about."""


@dataclass(frozen=True)
class Span:
    """Some time that went into one thing (seconds of the monotonic clock)."""

    kind: Kind
    began: float
    ended: float
    beside: bool = False
    """Whether nobody waited for it."""


@dataclass(frozen=True)
class Share:
    """What one kind took, see above."""

    count: int = 0
    sum_s: float = 0.0
    wall_s: float = 0.0
    own_s: float = 0.0

    def __add__(self, more: Share) -> Share:
        return Share(
            self.count + more.count,
            self.sum_s + more.sum_s,
            self.wall_s + more.wall_s,
            self.own_s + more.own_s,
        )


@dataclass(frozen=True)
class Account:
    """What became of `seconds` of wall time."""

    seconds: float = 0.0
    other_s: float = 0.0
    shares: Mapping[Kind, Share] = field(default_factory=lambda: dict.fromkeys(Kind, Share()))

    def __add__(self, more: Account) -> Account:
        return Account(
            self.seconds + more.seconds,
            self.other_s + more.other_s,
            {kind: self.shares[kind] + more.shares[kind] for kind in Kind},
        )

    @classmethod
    def of(cls, spans: Iterable[Span], began: float, ended: float) -> Account:
        """Account for the time from `began` to `ended`; spans count as far as they lie in it."""
        cut = [
            Span(one.kind, max(one.began, began), min(one.ended, ended), one.beside)
            for one in spans
            if one.ended >= began and one.began <= ended
        ]
        walls, owns = _walls_and_owns([span for span in cut if not span.beside])
        shares = {
            kind: Share(
                sum(span.kind is kind for span in cut),
                sum(span.ended - span.began for span in cut if span.kind is kind),
                walls[kind],
                owns[kind],
            )
            for kind in Kind
        }
        return cls(ended - began, ended - began - sum(owns.values()), shares)


def _walls_and_owns(spans: Iterable[Span]) -> tuple[dict[Kind, float], dict[Kind, float]]:
    """Go through the moments at which a span begins or ends, and give out the time between."""
    walls, owns, running = (dict.fromkeys(Kind, 0.0) for _ in range(3))
    turns = [(at, span.kind, step) for span in spans for at, step in _ends(span)]
    before = 0.0
    for at, kind, step in sorted(turns, key=lambda turn: turn[0]):
        present = [one for one in Kind if running[one]]
        for one in present:
            walls[one] += at - before
        if present:
            owns[present[0]] += at - before
        running[kind] += step
        before = at
    return walls, owns


def _ends(span: Span) -> tuple[tuple[float, int], tuple[float, int]]:
    return (span.began, 1), (span.ended, -1)


class Recorder:
    """Listens from the moment it is made until `close`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since = time.monotonic()
        self._ended: list[Span] = []
        self._running: dict[_Running, float] = {}
        _listening.append(self)

    def close(self) -> None:
        """Listen no more."""
        _listening.remove(self)

    def take(self) -> Account:
        """Account for the time since the last call; what still runs is cut in two here."""
        with self._lock:
            now, since = time.monotonic(), self._since
            ended, self._ended = self._ended, []
            cut = [Span(one.kind, at, now, one.beside) for one, at in self._running.items()]
            self._since = now
        return Account.of([*ended, *cut], since, now)

    def begin(self, running: _Running) -> None:
        """Note that a span begins."""
        with self._lock:
            self._running[running] = time.monotonic()

    def end(self, running: _Running) -> None:
        """Note that it has ended."""
        with self._lock:
            began = self._running.pop(running)
            self._ended.append(Span(running.kind, began, time.monotonic(), running.beside))


def spending(kind: Kind) -> AbstractContextManager[None]:
    """Return a block whose time goes into `kind`."""
    return _Running(kind, tuple(_listening)) if _listening else _UNHEARD


@contextmanager
def beside() -> Iterator[None]:
    """Mark what this thread does, and whoever it has it done by `Lab.each`, as not waited for."""
    token = _beside.set(True)
    try:
        yield
    finally:
        _beside.reset(token)


class _Running(AbstractContextManager[None]):
    """A span that has begun."""

    def __init__(self, kind: Kind, heard_by: tuple[Recorder, ...]) -> None:
        self.kind = kind
        self.beside = _beside.get()
        self._heard_by = heard_by

    def __enter__(self) -> None:
        for recorder in self._heard_by:
            recorder.begin(self)

    def __exit__(self, *_: object) -> None:
        for recorder in self._heard_by:
            recorder.end(self)


_listening: list[Recorder] = []
_beside: ContextVar[bool] = ContextVar("beside", default=False)
_UNHEARD = nullcontext()
