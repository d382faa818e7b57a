"""What is to be drawn of a maintenance on the lanes of clients, by the packets that the wire took.

A client is served, is told by a node that its session is over, has no service, and is served again:
all as `checks.multi_node.service` has it. Where the capture has a hole nothing is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from checks.multi_node.service import Served, Service
from checks.multi_node.steps import STOP, Maintenance
from checks.multi_node.traffic import FRAME_LATE_NS
from evidence.coverage import Hole
from evidence.events.multi_node import TunnelTried
from evidence.moment import NS, Window
from report.drawn import Bar, Mark
from report.frames import Numbered

LEAST_NS = 5 * NS
"""From how long on a client had no service: it asks twice a second."""


def lane_of(client: str) -> str:
    """Return what the lane of a client is called."""
    return f"client {client}"


@dataclass(frozen=True)
class Gap:
    """A span without service; first: what came after it, None to the end."""

    last: Served
    first: Served | None
    until_ns: int

    @property
    def seconds(self) -> float:
        """How long it lasted, as far as it was watched."""
        return (self.until_ns - self.last.at_ns) / NS


@dataclass(frozen=True)
class Client:
    """A client while nodes are maintained. window: what its packets were looked at for."""

    service: Service
    steps: Maintenance
    window: Window
    capture: Numbered
    holes: Sequence[Hole]
    looks: Sequence[TunnelTried]

    @property
    def name(self) -> str:
        """Its name."""
        return self.service.client

    @property
    def lane(self) -> str:
        """What its lane is called."""
        return lane_of(self.name)

    @property
    def gaps(self) -> list[Gap]:
        """Its spans without service since the maintenance began, in the order of time."""
        packets, zero_ns = self.service.served, self.steps.planned.at_ns
        found = []
        for number, one in enumerate(packets, start=1):
            first = packets[number] if number < len(packets) else None
            until_ns = first.at_ns if first else self.window.until_ns
            if until_ns - one.at_ns < LEAST_NS or until_ns <= zero_ns:
                continue
            if first is not None or not self._stood(one.at_ns):
                found.append(Gap(one, first, until_ns))
        return found

    def _stood(self, at_ns: int) -> bool:
        """Whether it was seen to be up just after its very last packet: it was let go then."""
        own = [one for one in self.looks if one.client == self.name and one.up]
        return any(at_ns <= one.at_ns < at_ns + LEAST_NS for one in own)

    def known(self, gap: Gap) -> bool:
        """Whether the capture has all of a span."""
        return not any(
            hole.from_ns < gap.until_ns and hole.until_ns > gap.last.at_ns for hole in self.holes
        )

    def bars(self) -> Iterator[Bar]:
        """Yield when it was served, and when it was not."""
        packets = self.service.served
        since_ns = packets[0].at_ns if packets else self.window.until_ns
        for gap in self.gaps:
            yield self._served(since_ns, gap.last.at_ns)
            yield self._away(gap)
            since_ns = gap.until_ns
        if since_ns < self.window.until_ns:
            yield self._served(since_ns, packets[-1].at_ns)

    def _served(self, from_ns: int, until_ns: int) -> Bar:
        during = self.service.served_in(Window(from_ns, until_ns))
        nodes = ", ".join(dict.fromkeys(one.node for one in during))
        what = f"{self.name} is served by {nodes}"
        return Bar(self.lane, from_ns, until_ns, "carries", what)

    def _away(self, gap: Gap) -> Bar:
        kind, name = "interrupted", f"no service {gap.seconds:.1f} s"
        if gap.first is None:
            name = "no service to the end"
        what = f"{self.name} had no service for {gap.seconds:.1f} s"
        if not self.known(gap):
            kind, name = "untold", "not known"
            what = f"{self.name}: of a part of {gap.seconds:.1f} s the capture tells nothing"
        return Bar(self.lane, gap.last.at_ns, gap.until_ns, kind, what, name)

    def marks(self) -> Iterator[Mark]:
        """Yield when it was told, the last packet before each span, and the first one after it."""
        for stop in self.steps.of(STOP):
            until_ns = stop.ended.latest_ns + FRAME_LATE_NS
            during = Window(stop.began.earliest_ns, until_ns)
            told_ns = self.service.told_at(stop.machine, during)
            if told_ns is not None:
                what = f"{stop.machine} tells {self.name} that its session is over"
                yield self._mark(told_ns, "told", what, f"told by {stop.machine}")
        for gap in self.gaps:
            for_s = f"{gap.seconds:.1f} s"
            what = f"{self.name}: the last packet of {gap.last.node} for {for_s}"
            yield self._mark(gap.last.at_ns, "lost", what)
            if gap.first is not None:
                what = f"{self.name} is served again, by {gap.first.node}, after {for_s}"
                yield self._mark(gap.first.at_ns, "back", what)

    def _mark(self, at_ns: int, kind: str, what: str, name: str = "") -> Mark:
        number = self.capture.only(at_ns)
        return Mark(at_ns, self.lane, kind, what, self.capture.place, number, name)

    def said(self) -> Iterator[str]:
        """Say each span in words."""
        zero_ns = self.steps.planned.at_ns
        for gap in self.gaps:
            since_s, until_s = ((at - zero_ns) / NS for at in (gap.last.at_ns, gap.until_ns))
            what = "no service" if self.known(gap) else "not known"
            to = f"to {until_s:.1f} s" if gap.first else "to the end"
            yield f"{self.lane}: {what} from {since_s:.1f} {to}"


def look(tried: TunnelTried) -> Mark:
    """Return how a client stood when it was looked at."""
    lane, what = lane_of(tried.client), f"{tried.client}: its tunnel is up"
    if tried.up:
        return Mark(tried.at_ns, lane, "answer", what, tried.place)
    what = f"{tried.client}: no tunnel: {tried.detail}"[:300]
    return Mark(tried.at_ns, lane, "silent", what, tried.place, name="no tunnel")
