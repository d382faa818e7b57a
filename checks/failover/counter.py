"""FO-20: the counter of CARP is gapless, over a takeover too, and nobody replays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from checks.engine.lateness import unclear
from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.failover import whole_run
from checks.failover.recorded import Recorded
from checks.failover.takeover import Takeover, takeovers
from checks.protocols import carp, heartbeat
from checks.protocols.heartbeat import Advertised, CounterBreak, Heartbeat
from evidence.moment import NS
from evidence.scenario import Evidence

DISPUTED_PERIODS = 2
"""For so long after a split the counter is not judged: the one that stays may have frames of the
other still to hear, and answers each with the other's count."""


@check("FO-20")
def the_counter_runs_on_over_a_takeover(evidence: Evidence, owed: Obligations) -> None:
    """Judge that the counter is gapless, over each takeover too.

    No advertisement may come twice, wherever the counter itself is not judged.
    """
    recorded = Recorded(evidence)
    recorded.heard_of_pair()
    counted = Heartbeat(
        tuple(one for one in recorded.passed if isinstance(one.advert, carp.Advertisement))
    )
    owed.at_least(1, counted.adverts, "CARP advertisements, which alone count", recorded.wire)
    thawed_apart = whole_run.within_thaws(recorded, counted)
    undisputed = [stretch for adverts in thawed_apart for stretch in _undisputed(recorded, adverts)]
    _owe_no_replay(owed, recorded, thawed_apart)
    one = owed.owe("each counter is the one before plus 1")
    for stretch in undisputed:
        for broken in heartbeat.counter_breaks(stretch):
            _tell_break(one, recorded, stretch, broken)
    for split in whole_run.split_brains(recorded):
        if split.seconds > recorded.pair.healing_s:
            why = f"two masters for {split.seconds:.1f} s: whose counter counts is not clear"
            excess_s = split.seconds - recorded.pair.healing_s
            span, whose = (split.start_ns, split.end_ns), {*split.senders, "wire"}
            unclear(one, why, excess_s, span, whose, recorded.lateness)
    one.met(recorded.wire)
    for takeover in takeovers(recorded, owed):
        over = owed.owe(f"{takeover}: the counter runs on over the takeover")
        if not any(_holds(stretch, takeover) for stretch in undisputed):
            why = "nobody counted, two masters counted apart, or the lab was thawed, meanwhile"
            over.doubt(f"{takeover}: {why}")
        over.met(*takeover.places)


def _owe_no_replay(
    owed: Obligations, recorded: Recorded, thawed_apart: Sequence[Heartbeat]
) -> None:
    one = owed.owe("no advertisement comes twice, and none from elsewhere")
    replayed = Counter(
        again.sender for adverts in thawed_apart for again in heartbeat.replays(adverts)
    )
    for sender, count in sorted(replayed.items()):
        why = f"{count} advertisement(s) of {sender} were replayed: the counter is old"
        one.broken(why, recorded.wire)
    for sender in sorted(recorded.passed.senders() - recorded.pair.nodes.keys()):
        count = len(recorded.passed.of(sender))
        why = f"{sender} sent {count} advertisement(s) that the pair believes"
        one.broken(f"{why}: replayed, or made with its password", recorded.wire)
    one.met(recorded.wire)


def _tell_break(
    one: Obligation, recorded: Recorded, stretch: Heartbeat, broken: CounterBreak
) -> None:
    """Break an obligation, unless a standby may just not have heard what came last before it."""
    before = stretch.before(broken.at_ns)
    unheard = broken.seen == broken.expected - 1
    if before is not None and before.sender != broken.sender and unheard:
        why = f"counter {broken.seen} of {broken.sender}: the one before was not heard there"
        span, whose = (before.at_ns, broken.at_ns), {broken.sender, "wire"}
        unclear(one, why, before.advert.period_s, span, whose, recorded.lateness)
    else:
        one.broken(str(broken))


def _holds(stretch: Heartbeat, takeover: Takeover) -> bool:
    return takeover.first in stretch.adverts and takeover.last in stretch.adverts


def _undisputed(recorded: Recorded, adverts: Heartbeat) -> list[Heartbeat]:
    """Leave out each split: two masters count apart until they have heard each other."""
    disputed_ns = int(DISPUTED_PERIODS * recorded.pair.slowest_period_s * NS)
    splits = heartbeat.split_brains(recorded.sent.in_group(recorded.pair.vhid))
    spans = [(one.start_ns, one.end_ns + disputed_ns) for one in splits if one.seconds]
    spans += whole_run.disturbances(recorded) + whole_run.repairs(recorded)
    stretches: list[list[Advertised]] = [[]]
    for one in adverts:
        if any(start_ns <= one.at_ns <= end_ns for start_ns, end_ns in spans):
            stretches.append([])
        else:
            stretches[-1].append(one)
    return [Heartbeat(tuple(stretch)) for stretch in stretches]
