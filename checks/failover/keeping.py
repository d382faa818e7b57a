"""Whoever is active stays so: it advertises without a silence, until nobody watches any more.

"Back" means back until the window ends. Judges, and registers no check.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from checks.engine.lateness import missed
from checks.engine.obligations import Obligation
from checks.failover.pair import Node
from checks.failover.recorded import Recorded
from checks.failover.regained import regained_late
from checks.failover.senders import believed
from checks.failover.takeover import Takeover
from checks.failover.whole_run import undisturbed_until
from checks.protocols.heartbeat import Heartbeat
from evidence.moment import NS

SILENT_PERIODS = 2.5
"""A heartbeat that is started anew listens for three periods before it advertises (ucarp's default
dead ratio; RFC 5798, 6.1). One advertisement may be lost, and the next one late."""
TOLD_PERIODS = 1.2
"""A silence that is no longer than this is not told from none."""


def restart_silence_s(node: Node) -> float | None:
    """Return how long (s) a node is silent at least when it begins anew: it listens first.

    None where it listens for so short a time that a restart cannot be told.
    """
    period_s = node.engine.period_s
    silent_s = min(SILENT_PERIODS * period_s, node.engine.dead_s - period_s / 2)
    return silent_s if silent_s >= TOLD_PERIODS * period_s else None


def longest_gap(kept: Heartbeat, from_ns: int, until_ns: int) -> tuple[float, tuple[int, int]]:
    """Return the longest silence in a span, in seconds, and from when to when it was."""
    edges_ns = [from_ns, *(seen.at_ns for seen in kept), until_ns]
    gap = max(pairwise(edges_ns), key=lambda gap: gap[1] - gap[0])
    return (gap[1] - gap[0]) / NS, gap


def settle_kept(
    one: Obligation,
    recorded: Recorded,
    node: Node,
    kept: Heartbeat,
    span: tuple[int, int],
    limit_s: float,
    *,
    before: str = "",
    places: Sequence[str] = (),
) -> None:
    """Discharge `one` where a node was silent for no longer than a limit in all of a span.

    kept: what it advertised in it. before: what it did before it fell silent, in words.
    """
    silent_s, gap = longest_gap(kept, *span)
    if silent_s > limit_s:
        why = f"{node.name} {before}was silent for {silent_s:.3f} s, limit {limit_s:.3f} s"
        due_ns = gap[0] + int(node.engine.period_s * NS)
        whose, excess_s = {node.name, "wire"}, silent_s - limit_s
        missed(one, why, excess_s, (due_ns, gap[1]), whose, recorded.lateness, recorded.wire)
    one.met(recorded.wire, *places)


def settle_stays(one: Obligation, recorded: Recorded, takeover: Takeover) -> None:
    """Discharge `one` where the new holder advertised on until the watch ended.

    Up to when something else was done. What nobody believes is silence, too. A silence in which its
    peer would not act is none; nor is one that begins because the old holder came back late
    (`regained`).
    """
    if why := regained_late(recorded, takeover):
        one.late(why, recorded.wire, *takeover.places)
        return
    since_ns = takeover.taken.at_ns
    until_ns = min(takeover.until_ns, undisturbed_until(recorded, since_ns))
    heard = recorded.passed.of(takeover.peer.name).between(since_ns, until_ns)
    kept = Heartbeat(tuple(seen for seen in heard if believed(seen, recorded.pair)))
    settle_kept(
        one,
        recorded,
        takeover.peer,
        kept,
        (since_ns, until_ns),
        recorded.pair.dead_s,
        before="took over, and then ",
    )
