"""The heartbeat as a stream: who advertises, how regularly, and whether the counter runs on.

Works on advertisements in the order of time, each attributed to a sender: a name that whoever
reads the capture gives it (`checks.failover.senders`), never an address that a frame claims. Reads
CARP and VRRP alike. What a single advertisement has wrong is in `carp` and `vrrp` beside this; how
long a takeover takes is in `checks.failover.takeover`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from checks.protocols import carp, vrrp
from checks.protocols.spread import Spread, spread
from evidence.moment import NS

_DRAWN = 2**32  # a leap of a 64-bit counter that no loss or replay explains, but chance does
_DEAD_PERIODS = 3
"""A master that was silent for fewer periods of its own has not ceased to be one: nobody who
listens to it can have taken over by then (ucarp's default dead ratio; RFC 5798, 6.1)."""


@dataclass(frozen=True)
class Advertised:
    """One advertisement at a moment of the wire's clock: who sent it, and where it came in.

    port: of the wire; empty in a capture made inside a guest. vlan: of an 802.1Q tag, if it had
    one. passed: whether the wire let it through; into_cut: whether it went into a link that is cut.
    """

    at_ns: int
    sender: str
    advert: carp.Advertisement | vrrp.Advertisement
    port: str = ""
    vlan: int | None = None
    passed: bool = True
    into_cut: bool = False

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
    """Advertisements in the order of time."""

    adverts: tuple[Advertised, ...] = ()

    def __iter__(self) -> Iterator[Advertised]:
        return iter(self.adverts)

    def __len__(self) -> int:
        return len(self.adverts)

    def of(self, sender: str) -> Heartbeat:
        """Select the advertisements of one sender."""
        return Heartbeat(tuple(one for one in self.adverts if one.sender == sender))

    def in_group(self, group: int) -> Heartbeat:
        """Select the advertisements with one VHID (or VRID)."""
        return Heartbeat(tuple(one for one in self.adverts if one.group == group))

    def between(self, start_ns: int, end_ns: int) -> Heartbeat:
        """Select the advertisements with start <= time < end."""
        return Heartbeat(tuple(one for one in self.adverts if start_ns <= one.at_ns < end_ns))

    def before(self, at_ns: int) -> Advertised | None:
        """Find the last advertisement before a moment."""
        return next((one for one in reversed(self.adverts) if one.at_ns < at_ns), None)

    def first(self) -> Advertised | None:
        """Find the first advertisement, if any."""
        return self.adverts[0] if self.adverts else None

    def senders(self) -> frozenset[str]:
        """Name everybody who advertised."""
        return frozenset(one.sender for one in self.adverts)

    def groups(self) -> frozenset[int]:
        """Name every VHID (or VRID) seen."""
        return frozenset(one.group for one in self.adverts)


def intervals_s(adverts: Sequence[Advertised]) -> list[float]:
    """Seconds between each advertisement and the next."""
    return [(later.at_ns - earlier.at_ns) / NS for earlier, later in pairwise(adverts)]


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
    adverts = heartbeat.of(sender).adverts
    measured = intervals_s(adverts)
    whole = spread(measured)
    if whole is None:
        return None
    period = adverts[0].advert.period_s
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
    for one in heartbeat:
        if not isinstance(one.advert, carp.Advertisement):
            continue
        counter = one.advert.counter
        first = first or one.sender
        counts = counts or counter == expected or one.sender != first
        drawn = not counts and expected is not None and abs(counter - expected) >= _DRAWN
        if expected is not None and counter != expected and not drawn:
            found.append(CounterBreak(one.at_ns, one.sender, expected, counter))
        if expected is None or drawn or counter >= expected:  # a replay resets nothing
            expected = (counter + 1) % 2**64
    return found


def replays(heartbeat: Heartbeat) -> list[Advertised]:
    """Find every CARP advertisement whose counter had been used already.

    Holds in a split too, where `counter_breaks` says nothing: nobody uses a counter of its own
    twice. Nor one that another used a period ago or more, because it has heard that one; but for
    the first that a node sends, when it may not have listened.
    """
    used: dict[int, dict[str, int]] = {}
    last: dict[str, int] = {}
    found = []
    for one in heartbeat:
        if not isinstance(one.advert, carp.Advertisement):
            continue
        period_ns = int(one.advert.period_s * NS)
        goes_on = one.at_ns - last.get(one.sender, -(2**63)) <= _DEAD_PERIODS * period_ns
        before = used.setdefault(one.advert.counter, {})
        heard = any(one.at_ns - at_ns >= period_ns for at_ns in before.values())
        if one.sender in before or (goes_on and heard):
            found.append(one)
        before.setdefault(one.sender, one.at_ns)
        last[one.sender] = one.at_ns
    return found


@dataclass(frozen=True)
class RoleChange:
    """The moment from which another node advertises."""

    at_ns: int
    before: str
    after: str


def role_changes(heartbeat: Heartbeat) -> list[RoleChange]:
    """List every change of the advertising node in one group; resignations are no claim."""
    claims = [one for one in heartbeat if not one.resigning]
    return [
        RoleChange(later.at_ns, earlier.sender, later.sender)
        for earlier, later in pairwise(claims)
        if earlier.sender != later.sender
    ]


@dataclass(frozen=True)
class MasterInterval:
    """From a sender's first advertisement to its last one, without a silence that ends it."""

    sender: str
    start_ns: int
    end_ns: int


def master_intervals(heartbeat: Heartbeat, sender: str) -> list[MasterInterval]:
    """Find when a sender of one group was master: slow ones, too.

    A silence of less than three of its own periods does not end it: in so short a time no other
    node can take over and give the role back.
    """
    found: list[MasterInterval] = []
    for one in heartbeat.of(sender):
        if one.resigning:
            continue
        patience_ns = int(_DEAD_PERIODS * one.advert.period_s * NS)
        if found and one.at_ns - found[-1].end_ns <= patience_ns:
            found[-1] = MasterInterval(sender, found[-1].start_ns, one.at_ns)
        else:
            found.append(MasterInterval(sender, one.at_ns, one.at_ns))
    return found


@dataclass(frozen=True)
class SplitBrain:
    """A stretch of time in which two senders advertised for one group at once."""

    start_ns: int
    end_ns: int
    senders: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return (self.end_ns - self.start_ns) / NS


def split_brains(heartbeat: Heartbeat) -> list[SplitBrain]:
    """Find every stretch in which two were masters of one group at once, each stretch once.

    A master that yields sends one more advertisement, so a short one is part of every election.
    """
    senders = sorted(heartbeat.senders())
    intervals = {sender: master_intervals(heartbeat, sender) for sender in senders}
    overlaps = [
        SplitBrain(max(a.start_ns, b.start_ns), min(a.end_ns, b.end_ns), (one, other))
        for index, one in enumerate(senders)
        for other in senders[index + 1 :]
        for a in intervals[one]
        for b in intervals[other]
        if max(a.start_ns, b.start_ns) <= min(a.end_ns, b.end_ns)
    ]
    return _joined(sorted(overlaps, key=lambda split: split.start_ns))


def _joined(overlaps: Iterable[SplitBrain]) -> list[SplitBrain]:
    """Make one of those that overlap: three masters are one split brain, not three."""
    found: list[SplitBrain] = []
    for one in overlaps:
        if found and one.start_ns <= found[-1].end_ns:
            last = found[-1]
            senders = tuple(sorted({*last.senders, *one.senders}))
            found[-1] = SplitBrain(last.start_ns, max(last.end_ns, one.end_ns), senders)
        else:
            found.append(one)
    return found
