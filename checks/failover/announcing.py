"""FO-26: a takeover is announced on the LAN, and clients move to the new MAC."""

from __future__ import annotations

from collections.abc import Sequence

from checks.engine.lateness import explain, missed
from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.failover import whole_run
from checks.failover.recorded import Recorded
from checks.failover.takeover import Takeover, takeovers
from evidence.events.takeover import NeighbourSeen
from evidence.moment import NS
from evidence.scenario import Evidence

ANNOUNCE_TWICE_S = 3.0
TOLD_S = 2.0
"""By then a client has heard an announcement that it does not ignore."""
ANNOUNCE_AGAIN_S = 2.0
"""FO-26: the second one is due so long after the first; ucarp 1.5.2 waits for that."""
APART_S = 1.5
"""FO-26: ucarp's second one comes no sooner after the first: a copy of it tells nobody more. The
rest is slack for its timer and the wire; one more for a worse master may come between."""


@check("FO-26")
def the_takeover_is_announced(evidence: Evidence, owed: Obligations) -> None:
    """Judge the gratuitous ARPs after each takeover, and that clients moved to the new MAC.

    They have not while another node goes on claiming the virtual IP: whoever asks anew may be
    told either MAC.
    """
    recorded = Recorded(evidence)
    for takeover in takeovers(recorded, owed):
        _owe_announcements(owed, recorded, takeover)
        _owe_neighbours(owed, recorded, takeover)
    whole_run.owe_one_master(owed, recorded)


def _owe_announcements(owed: Obligations, recorded: Recorded, takeover: Takeover) -> None:
    limit_s = takeover.peer.engine.announced_within_s
    one = owed.owe(f"{takeover}: announced by gratuitous ARP at once, and again")
    taken_ns, never_ns = takeover.taken.at_ns, takeover.until_ns
    seen_ns = [seen.at_ns for seen in takeover.announced]
    seen_ns.sort(key=lambda at_ns: abs(at_ns - taken_ns))
    first_ns = next(iter(seen_ns), never_ns)
    again_ns = _again(recorded, seen_ns)
    if seen_ns:
        apart_s = abs(first_ns - taken_ns) / NS
        why = (
            f"the gratuitous ARP came {apart_s:.3f} s from the first advertisement, "
            f"limit {limit_s} s"
        )
    else:
        why = f"no gratuitous ARP of {takeover.peer.name} reached the wire"
    _settle_apart(one, recorded, takeover, why, first_ns, limit_s)
    counted_ns = [*seen_ns[:1], *again_ns]
    early = sum(abs(at_ns - taken_ns) <= ANNOUNCE_TWICE_S * NS for at_ns in counted_ns)
    apart = f", {APART_S} s or more apart" if len(counted_ns) < len(seen_ns) else ""
    why = f"{early} gratuitous ARP(s) in {ANNOUNCE_TWICE_S:.0f} s{apart}, not 2"
    if early < 2 and (excuse := _first_late(recorded, takeover, seen_ns)):
        one.late(f"{takeover}: {why}, but {excuse}", recorded.wire)
    else:
        second_ns, due_s = next(iter(again_ns), never_ns), ANNOUNCE_AGAIN_S
        _settle_apart(one, recorded, takeover, why, second_ns, ANNOUNCE_TWICE_S, due_s=due_s)
    watched_s = (never_ns - taken_ns) / NS
    if not again_ns and watched_s <= ANNOUNCE_TWICE_S:
        one.doubt(f"{takeover}: watched for only {watched_s:.1f} s")
    for seen in takeover.announced:
        sender, source = seen.arp.sender_mac, seen.frame_source
        if sender != source:
            one.broken(
                f"{takeover}: the gratuitous ARP says {sender} in a frame from {source}: a switch "
                "learns the wrong port"
            )
    one.met(*takeover.places)


def _again(recorded: Recorded, seen_ns: Sequence[int]) -> list[int]:
    """Return when (ns) an announcement came that counts as another one than the first.

    seen_ns: when they came, the first one first. keepalived sends several at once.
    """
    if recorded.pair.engine != "ucarp":
        return list(seen_ns[1:])
    return sorted(at_ns for at_ns in seen_ns if at_ns - seen_ns[0] >= int(APART_S * NS))


def _first_late(recorded: Recorded, takeover: Takeover, seen_ns: Sequence[int]) -> str | None:
    """Say what kept the first of two announcements, so that the second came soon after it, or None.

    seen_ns: when they came (ns), the first one first.
    """
    if len(seen_ns) < 2 or (apart_s := (max(seen_ns) - seen_ns[0]) / NS) >= APART_S:
        return None
    due_ns = max(seen_ns) - int(ANNOUNCE_AGAIN_S * NS)
    whose, excess_s = {takeover.peer.name, "wire"}, APART_S - apart_s
    return explain(excess_s, (due_ns, seen_ns[0]), whose, recorded.lateness)


def _settle_apart(
    one: Obligation,
    recorded: Recorded,
    takeover: Takeover,
    why: str,
    at_ns: int,
    limit_s: float,
    *,
    due_s: float = 0.0,
) -> None:
    """Break an obligation where something was too far from the takeover, and no lateness says why.

    due_s: how long after the takeover it was due at the earliest.
    """
    taken_ns = takeover.taken.at_ns
    excess_s = abs(at_ns - taken_ns) / NS - limit_s
    if excess_s > 0:
        began_ns, ended_ns = sorted((taken_ns + int(due_s * NS), at_ns))
        whose, span = {takeover.peer.name, "wire"}, (began_ns, ended_ns)
        why = f"{takeover}: {why}"
        missed(one, why, excess_s, span, whose, recorded.lateness, recorded.wire)


def _owe_neighbours(owed: Obligations, recorded: Recorded, takeover: Takeover) -> None:
    """Owe that every client whose neighbour table was read has the peer's MAC, at last."""
    seen = [
        one
        for one in recorded.evidence.events(NeighbourSeen)
        if takeover.taken.at_ns <= one.at_ns <= takeover.until_ns
        and one.address == recorded.pair.virtual_ip
    ]
    if not seen:
        owed.open(f"{takeover}: no client's neighbour table was read")
    for last in {one.source: one for one in seen}.values():
        _settle_neighbour(owed, takeover, last)


def _settle_neighbour(owed: Obligations, takeover: Takeover, last: NeighbourSeen) -> None:
    """Settle what a client's table has; right after the takeover an old MAC says nothing.

    Linux ignores an announcement for an entry that is younger than a second (`locktime`).
    """
    client, taken_ns = last.source, takeover.taken.at_ns
    one = owed.owe(f"{takeover}: {client} has the new node's MAC")
    if last.mac is None:
        one.doubt(f"{takeover}: {client} has no entry for the virtual IP", last.place)
        return
    why = f"{takeover}: {client} still has {last.mac} for the virtual IP, not {takeover.peer.mac}"
    known = last.mac == takeover.peer.mac
    if not known and last.moment.earliest_ns < taken_ns + int(TOLD_S * NS):
        read_s = (last.at_ns - taken_ns) / NS
        one.doubt(f"{why}: read {read_s:.1f} s after it took over, and not later", last.place)
    else:
        one.settle(known, why, last.place)
