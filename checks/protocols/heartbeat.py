"""The heartbeat as a stream: who advertises, how regularly, and whether the counter runs on.

Works on (wire time in ns, frame bytes) pairs in the order of time, each frame once. Reads CARP
and VRRP alike. What a single advertisement has wrong is in `carp` and `vrrp` beside this; how
long a takeover takes is in `checks.failover.timeline`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from evidence.ethernet import MalformedFrame
from checks.protocols import carp, vrrp
from checks.protocols.spread import Spread, spread

NS = 1_000_000_000
_DRAWN = 2**32  # a leap of a 64-bit counter that no loss or replay explains, but chance does


@dataclass(frozen=True)
class Beat:
    """One advertisement at a moment of the wire's clock."""

    at_ns: int
    advert: carp.Advertisement | vrrp.Advertisement

    @property
    def sender(self) -> str:
        """The sender's own IPv4 address."""
        return self.advert.source

    @property
    def group(self) -> int:
        """The VHID of CARP or the VRID of VRRP."""
        if isinstance(self.advert, carp.Advertisement):
            return self.advert.vhid
        return self.advert.vrid

    @property
    def resigning(self) -> bool:
        """Whether this is VRRP's priority 0; CARP has no goodbye (its "prio 0" is a skew)."""
        return isinstance(self.advert, vrrp.Advertisement) and self.advert.priority == 0


@dataclass(frozen=True)
class Heartbeat:
    """Every advertisement of a recording, and what claimed to be one and was not."""

    beats: tuple[Beat, ...]
    malformed: tuple[tuple[int, str], ...] = ()

    def __iter__(self) -> Iterator[Beat]:
        return iter(self.beats)

    def __len__(self) -> int:
        return len(self.beats)

    def of(self, sender: str) -> Heartbeat:
        """Select the advertisements of one sender."""
        return Heartbeat(tuple(beat for beat in self.beats if beat.sender == sender))

    def in_group(self, group: int) -> Heartbeat:
        """Select the advertisements with one VHID (or VRID)."""
        return Heartbeat(tuple(beat for beat in self.beats if beat.group == group))

    def between(self, start_ns: int, end_ns: int) -> Heartbeat:
        """Select the advertisements with start <= time < end."""
        return Heartbeat(
            tuple(beat for beat in self.beats if start_ns <= beat.at_ns < end_ns),
            tuple(entry for entry in self.malformed if start_ns <= entry[0] < end_ns),
        )

    def before(self, at_ns: int) -> Beat | None:
        """Find the last advertisement before a moment."""
        return next((beat for beat in reversed(self.beats) if beat.at_ns < at_ns), None)

    def first(self) -> Beat | None:
        """Find the first advertisement, if any."""
        return self.beats[0] if self.beats else None

    def senders(self) -> frozenset[str]:
        """Name everybody who advertised."""
        return frozenset(beat.sender for beat in self.beats)

    def groups(self) -> frozenset[int]:
        """Name every VHID (or VRID) seen."""
        return frozenset(beat.group for beat in self.beats)


def listen(frames: Iterable[tuple[int, bytes]]) -> Heartbeat:
    """Pick the advertisements out of (wire time in ns, frame bytes) pairs."""
    beats, malformed = [], []
    for at_ns, frame in frames:
        try:
            advert = vrrp.read(frame)
        except MalformedFrame as error:
            malformed.append((at_ns, str(error)))
            continue
        if advert is not None:
            beats.append(Beat(at_ns, advert))
    return Heartbeat(tuple(beats), tuple(malformed))


def intervals_s(beats: Sequence[Beat]) -> list[float]:
    """Seconds between each advertisement and the next."""
    return [(later.at_ns - earlier.at_ns) / NS for earlier, later in pairwise(beats)]


@dataclass(frozen=True)
class Rhythm:
    """How regularly one sender advertised; `jitter_s` is the worst distance from its period."""

    sender: str
    period_s: float
    intervals: Spread
    jitter_s: float


def rhythm(heartbeat: Heartbeat, sender: str) -> Rhythm | None:
    """Measure one sender's rhythm against the period that it announces itself.

    None with fewer than two advertisements: nothing can be said.
    """
    beats = heartbeat.of(sender).beats
    measured = intervals_s(beats)
    whole = spread(measured)
    if whole is None:
        return None
    period = beats[0].advert.period_s
    return Rhythm(sender, period, whole, max(abs(value - period) for value in measured))


@dataclass(frozen=True)
class CounterBreak:
    """A place where CARP's counter is not the one before plus 1."""

    at_ns: int
    sender: str
    expected: int
    seen: int

    @property
    def replayed(self) -> bool:
        """Whether the counter went back: an old advertisement, sent again."""
        return self.seen < self.expected

    def __str__(self) -> str:
        if self.replayed:
            return (
                f"counter {self.seen} from {self.sender} is {self.expected - self.seen} back: "
                "a replayed advertisement"
            )
        missing = self.seen - self.expected
        return f"counter {self.seen} from {self.sender}: {missing} advertisement(s) missing"


def counter_breaks(heartbeat: Heartbeat) -> list[CounterBreak]:
    """Find every break of the counter in the CARP advertisements of one group.

    A standby copies the counter of what it hears, so the count runs on over a takeover. It
    does not while two masters are up (at start, in a split): leave such spans out. A node that
    has heard no other since its start does not count yet: it draws each counter (seen of ucarp
    1.5.2). So may the first sender of the stretch, until one counter follows another.
    """
    found = []
    expected: int | None = None
    counts, first = False, ""
    for beat in heartbeat:
        if not isinstance(beat.advert, carp.Advertisement):
            continue
        counter = beat.advert.counter
        first = first or beat.sender
        counts = counts or counter == expected or beat.sender != first
        drawn = not counts and expected is not None and abs(counter - expected) >= _DRAWN
        if expected is not None and counter != expected and not drawn:
            found.append(CounterBreak(beat.at_ns, beat.sender, expected, counter))
        if expected is None or drawn or counter >= expected:  # a replay resets nothing
            expected = (counter + 1) % 2**64
    return found


def replays(heartbeat: Heartbeat) -> list[Beat]:
    """Find every CARP advertisement whose counter its sender had used already.

    Holds in a split too, where `counter_breaks` says nothing: nobody uses a counter twice.
    """
    used: set[tuple[str, int]] = set()
    found = []
    for beat in heartbeat:
        if isinstance(beat.advert, carp.Advertisement):
            mark = (beat.sender, beat.advert.counter)
            if mark in used:
                found.append(beat)
            used.add(mark)
    return found


@dataclass(frozen=True)
class RoleChange:
    """The moment from which another node advertises."""

    at_ns: int
    before: str
    after: str


def role_changes(heartbeat: Heartbeat, group: int) -> list[RoleChange]:
    """List every change of the advertising node in one group; resignations are no claim."""
    claims = [beat for beat in heartbeat.in_group(group) if not beat.resigning]
    return [
        RoleChange(later.at_ns, earlier.sender, later.sender)
        for earlier, later in pairwise(claims)
        if earlier.sender != later.sender
    ]


@dataclass(frozen=True)
class DualSpan:
    """A stretch of time in which two nodes advertised for one group at once."""

    start_ns: int
    end_ns: int
    senders: tuple[str, str]

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return (self.end_ns - self.start_ns) / NS


def dual_spans(heartbeat: Heartbeat, group: int) -> list[DualSpan]:
    """Find every stretch in which two nodes advertised at once.

    A node counts as master from each advertisement to its next, if that comes within one and a
    half of its periods; a lone last advertisement counts as that one moment. A master that
    yields sends one more advertisement, so a short span is part of every election.
    """
    masters = {
        sender: _reigns(heartbeat.in_group(group).of(sender).beats)
        for sender in heartbeat.in_group(group).senders()
    }
    senders = sorted(masters)
    spans = [
        DualSpan(max(a[0], b[0]), min(a[1], b[1]), (one, other))
        for index, one in enumerate(senders)
        for other in senders[index + 1 :]
        for a in masters[one]
        for b in masters[other]
        if max(a[0], b[0]) <= min(a[1], b[1])
    ]
    return sorted(spans, key=lambda span: span.start_ns)


def _reigns(beats: Sequence[Beat]) -> list[tuple[int, int]]:
    """Join one sender's advertisements to unbroken stretches (start, end)."""
    stretches: list[tuple[int, int]] = []
    for beat in beats:
        if beat.resigning:
            continue
        patience_ns = int(1.5 * beat.advert.period_s * NS)
        if stretches and beat.at_ns - stretches[-1][1] <= patience_ns:
            stretches[-1] = (stretches[-1][0], beat.at_ns)
        else:
            stretches.append((beat.at_ns, beat.at_ns))
    return stretches
