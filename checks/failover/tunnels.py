"""Clients' tunnels after a takeover: when each carries traffic again for good.

FO-39 and FO-49 hold that against their limits (`interruptions`); a report measures the same. Who
serves a tunnel that is back is not asked here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from checks.engine.in_time import Span, Watch
from checks.engine.lateness import explain
from checks.failover.recorded import Recorded
from checks.failover.takeover import Takeover
from checks.protocols import budgets
from checks.protocols.budgets import Budget
from evidence.events.takeover import TunnelCarried, TunnelWatched
from evidence.moment import NS

INTERRUPTION_S = 2.0
"""A tunnel that carries nothing for longer is interrupted: a client asks twice a second."""
LAST_PACKET_S = 3.0
"""A tunnel whose last packet is no older, when nobody looks any more, is still there."""
INTERRUPTED_S = 1.0
"""Where an older run does not tell how long an interruption was: what a busy host did for most of
so long before a tunnel's packet may be why others were lost."""
LIMITS: Mapping[str, Budget] = {
    "udp": Budget(0, budgets.GUIDE_TUNNEL_UDP_S, "about a minute", "FO-39"),
    "tcp": Budget(0, budgets.GUIDE_TUNNEL_TCP_S, "reset by the new node", "FO-39"),
}

Tunnel = tuple[str, str, str]
"""Its machine, which may have several; where that is; over which protocol."""


@dataclass(frozen=True)
class Return:
    """What became of a client's tunnel after a takeover.

    carried: the packets that were sent after the peer took over; firsts: those after an
    interruption. back: the one since which it carries traffic for good, None when there is none.
    excuses: why interruptions after that do not count.
    """

    watch: Watch
    carried: Sequence[TunnelCarried]
    firsts: Sequence[TunnelCarried]
    back: TunnelCarried | None
    excuses: Sequence[str]

    @property
    def measured(self) -> Span | None:
        """From the fault until the client was back; None when it was not."""
        return None if self.back is None else Span(self.watch.start, self.back.moment)


def tunnel_of(one: TunnelWatched | TunnelCarried) -> Tunnel:
    """Say which tunnel it is: a machine may have several."""
    return one.source, one.client, one.protocol


def up_before(watched: Iterable[TunnelWatched], at_ns: int) -> list[TunnelWatched]:
    """Return which tunnels were up before a moment, each as it was looked at last."""
    return list({tunnel_of(one): one for one in watched if one.at_ns < at_ns}.values())


def back_after(recorded: Recorded, takeover: Takeover, watched: TunnelWatched) -> Return:
    """Find when a client's tunnel was back, by packets sent after the peer took over.

    Raises Missing when the role did not move.
    """
    carried = [
        one
        for one in recorded.evidence.events(TunnelCarried, watched.source)
        if tunnel_of(one) == tunnel_of(watched)
        and one.at_ns <= takeover.until_ns
        and one.moment.earliest_ns > takeover.injected.latest_ns
        and min(one.at_ns, one.sent_ns or one.at_ns) - one.uncertainty_ns > takeover.taken.at_ns
    ]
    firsts = firsts_of(carried)
    places = (*takeover.places, watched.place, *(one.place for one in firsts[-1:]))
    what = f"{takeover}: the tunnel of {watched.source} carrying traffic again"
    # A tunnel's name is not its machine's; all but the old node are on its way.
    whose = {one.of for one in recorded.lateness} - {takeover.victim.name}
    start, due = takeover.injected, takeover.taken
    watch = Watch(what, whose, start, due, takeover.until_ns, places, recorded.lateness)
    return Return(watch, carried, firsts, *_back(watch, firsts, LIMITS[watched.protocol]))


def firsts_of(carried: Sequence[TunnelCarried]) -> Sequence[TunnelCarried]:
    """Return the first packet after each interruption.

    Older runs do not tell them from the last that was seen: there it is each but that.
    """
    told = [one for one in carried if one.silent_ns is not None]
    return told or [one for one in carried if one.at_ns < carried[-1].at_ns] or carried


def _back(
    watch: Watch, firsts: Sequence[TunnelCarried], limit: Budget
) -> tuple[TunnelCarried | None, list[str]]:
    """Find since when a client is back, and which interruptions since then a busy host explains.

    One after which the client was back in time needs no explanation. How long one was older runs do
    not tell: what kept the packets right before its end may explain it.
    """
    left, excuses = list(firsts), []
    while len(left) > 1 and Span(watch.start, left[-1].moment).seconds > limit.maximum_s:
        at_ns, silent_ns = left[-1].at_ns, left[-1].silent_ns
        excess_s = INTERRUPTED_S
        if silent_ns is not None:
            excess_s = max(silent_ns / NS - INTERRUPTION_S, 1 / NS)
        span = at_ns - (silent_ns or int(INTERRUPTED_S * NS)), at_ns
        excuse = explain(excess_s, span, watch.whose, watch.late)
        if excuse is None:
            break
        after_s = Span(watch.start, left.pop().moment).seconds
        excuses.append(f"{watch.what}: interrupted until {after_s:.1f} s, but {excuse}")
    return (left[-1] if left else None), excuses
