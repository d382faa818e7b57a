"""Whether a host that was too busy can explain that a limit was missed.

A limit that was kept is PASS, however busy the host was. One that was missed in a span whose
recorded lateness can explain it is UNKNOWN: `explain` says in words what kept whom. One that was
missed by more is FAIL: `explain` returns None. Nothing recorded explains nothing; where it was not
known what the host did (`HostLatenessUnknown`) a limit that was missed is UNKNOWN.

What is assumed:

- **One place at a time.** What is waited for goes from one involved process to the next: at any
  instant it is in one of them, so no instant explains more than its own length. Within that the
  delays of all involved count, because a request may visit each of them many times in one record.
- **Where it hurt.** A record says how much, not when in it. A span that covers a part of one gets
  all of it, as far as the part is long enough: it may have been there. Seen: a takeover that was
  87 ms late, 187 ms after it was due, in a record of 810 ms that had 150 ms. Records are a second
  long at most, or of a wire that stood still and half a second longer than that: so this excuses
  too much by less than a second at either end, and blames nobody for what the host did.
- **Only who is on the way.** `whose` is the caller's to choose, and to choose narrowly: after a
  crash the dead node keeps nobody waiting, and a client elsewhere has nothing to do with it.
- **Only when it was due.** Nobody is kept from what he does not want yet. For what a timer starts,
  the span begins when the timer may have expired at the earliest, not at the fault: a standby that
  waits for ten intervals instead of three sleeps for most of the time, and what it is kept from
  meanwhile is other work. For what takes work from beginning to end, it begins with the work.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import pairwise
from typing import Protocol

from checks.engine.obligations import Obligation
from checks.engine.verdict import Status, Verdict

NS = 1_000_000_000

EXPLAINED_SHARE = 0.75
"""So much of what a limit was missed by must be covered by recorded lateness.

The rest is what nobody records: waits of less than 20 ms in 200 ms, a processor that is slow
because its caches were another's meanwhile, a guest's own scheduler that begins a turn anew. Seen
beside two busy loops: of a sleeper's 2.18 s of lateness 1.78 s were recorded (82 %), of a worker's
2.98 s all.
"""
CLOCK_RATE = 900e-6
"""By how much a guest's clock may be fast: 400 ppm were seen, and NTP may slew by 500 ppm."""
FRAME_LATE_S = 0.1
"""How late a frame may reach the wire without anybody having noted it: 15 and 60 ms were seen on a
busy host, 80 ms of a slow guest. A span that begins with a late frame looks shorter than it was."""


class Kept(Protocol):
    """A process that was kept from running, as the history has it (`host.late`)."""

    @property
    def of(self) -> str:
        """The name of a machine, "wire", or "scenario": the process that asks and watches."""

    @property
    def from_ns(self) -> int:
        """When it began, by the wire's clock."""

    @property
    def until_ns(self) -> int:
        """When it ended."""

    @property
    def kept_ns(self) -> int:
        """For how long of that time it was kept from running."""


def explain(
    excess_s: float, span: tuple[int, int], whose: Collection[str], records: Iterable[Kept]
) -> str | None:
    """Say what can explain that a limit was missed by `excess_s`, or None when nothing can.

    `span`: from when to when, in ns of the wire's clock, what was waited for was due and had not
    come. `whose`: the processes that it had to pass. ValueError for a limit that was not missed.
    """
    if not excess_s > 0:
        raise ValueError(f"a limit that was missed by {excess_s} s was kept: nothing to explain")
    keys = dict.fromkeys(_keys(records))
    rates = [rate for rate in (_Rate(key, span) for key in keys) if rate.of in whose]
    if _kept_s(rates, span) < EXPLAINED_SHARE * excess_s:
        return None
    each = {of: _kept_s([rate for rate in rates if rate.of == of], span) for of in whose}
    return _in_words(each, excess_s)


def missed(
    one: Obligation,
    why: str,
    excess_s: float,
    span: tuple[int, int],
    whose: Collection[str],
    records: Iterable[Kept],
    *evidence: str,
) -> None:
    """Break an obligation whose limit was missed, or keep it open as late if that explains it."""
    if not _is_late(one, why, excess_s, span, whose, records, *evidence):
        one.missed(why, *evidence)


def unclear(
    one: Obligation,
    why: str,
    excess_s: float,
    span: tuple[int, int],
    whose: Collection[str],
    records: Iterable[Kept],
    *evidence: str,
) -> None:
    """Keep an obligation open: as late where the host's lateness explains it, else in doubt."""
    if not _is_late(one, why, excess_s, span, whose, records, *evidence):
        one.doubt(why, *evidence)


def _is_late(
    one: Obligation,
    why: str,
    excess_s: float,
    span: tuple[int, int],
    whose: Collection[str],
    records: Iterable[Kept],
    *evidence: str,
) -> bool:
    excuse = explain(excess_s, span, whose, records)
    if excuse is not None:
        one.late(f"{why}, but {excuse}", *evidence)
    return excuse is not None


def lower_bound_s(minimum_s: float, uncertainty_s: float = 0.0) -> float:
    """Return the shortest time that a clock and a wire may show for what lasted `minimum_s`.

    `uncertainty_s`: that of the two moments together, where their clocks are measured ones.
    """
    return minimum_s * (1 - CLOCK_RATE) - FRAME_LATE_S - uncertainty_s


def only_late(verdict: Verdict) -> bool:
    """Whether all that keeps a verdict from being PASS or FAIL is that the host was too busy."""
    return verdict.status is Status.UNKNOWN and verdict.late


_Key = tuple[str, int, int, int]


def _keys(records: Iterable[Kept]) -> Iterable[_Key]:
    """Give each record as a value: one that stands there twice is one."""
    return ((one.of, one.from_ns, one.until_ns, one.kept_ns) for one in records)


class _Rate:
    """A record within a span, as the share of each instant in which it was kept from running."""

    def __init__(self, record: _Key, span: tuple[int, int]) -> None:
        self.of, from_ns, until_ns, kept_ns = record
        self.from_ns, self.until_ns = max(from_ns, span[0]), min(until_ns, span[1])
        length_ns = self.until_ns - self.from_ns
        self.share = min(1.0, kept_ns / length_ns) if length_ns > 0 else 0.0


def _kept_s(rates: Collection[_Rate], span: tuple[int, int]) -> float:
    """Add up, over the instants of `span`, in what share of each somebody was kept from running."""
    began, ended = span
    edges = {at for rate in rates for at in (rate.from_ns, rate.until_ns) if rate.share}
    kept_ns = 0.0
    for start, end in pairwise(sorted(edges | {began, ended}) if began < ended else ()):
        share = sum(rate.share for rate in rates if rate.from_ns <= start and end <= rate.until_ns)
        kept_ns += min(1.0, share) * (end - start)
    return kept_ns / NS


def _in_words(each: Mapping[str, float], excess_s: float) -> str:
    involved = sorted(((kept, of) for of, kept in each.items() if kept > 0), reverse=True)
    first, *others = [f"`{of}` was kept from running for {_s(kept)}" for kept, of in involved]
    parts = [first, *(words.replace("was kept from running ", "", 1) for words in others)]
    said = ", ".join(parts[:-1]) + " and " + parts[-1] if others else first
    if involved[0][0] > excess_s:
        return f"{said}, and it was {_s(excess_s)} late"
    return f"{said} of the {_s(excess_s)} it was late"


def _s(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{round(seconds * 1000)} ms"
