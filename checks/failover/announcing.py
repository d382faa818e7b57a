"""FO-26: a takeover is announced on the LAN, and clients move to the new MAC."""

from __future__ import annotations

from checks.engine.lateness import missed
from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.failover import whole_run
from checks.failover.recorded import Recorded
from checks.failover.takeover import Takeover, takeovers
from evidence.events.takeover import NeighbourSeen
from evidence.moment import NS
from evidence.scenario import Evidence

ANNOUNCE_S = 0.1
"""FO-26: the first gratuitous ARP this close to the first advertisement, before or after."""
ANNOUNCE_TWICE_S = 3.0
TOLD_S = 2.0
"""By then a client has heard an announcement that it does not ignore."""
ANNOUNCE_AGAIN_S = 2.0
"""FO-26: the second one is due so long after the first; ucarp 1.5.2 waits for that."""


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
    one = owed.owe(f"{takeover}: announced by gratuitous ARP at once, and again")
    taken_ns, never_ns = takeover.taken.at_ns, takeover.until_ns
    seen_ns = [seen.at_ns for seen in takeover.announced]
    seen_ns.sort(key=lambda at_ns: abs(at_ns - taken_ns))
    first_ns, second_ns = [*seen_ns, never_ns, never_ns][:2]
    if seen_ns:
        apart_s = abs(first_ns - taken_ns) / NS
        why = (
            f"the gratuitous ARP came {apart_s:.3f} s from the first advertisement, "
            f"limit {ANNOUNCE_S} s"
        )
    else:
        why = f"no gratuitous ARP of {takeover.peer.name} reached the wire"
    _settle_apart(one, recorded, takeover, why, first_ns, ANNOUNCE_S)
    early = sum(abs(at_ns - taken_ns) <= ANNOUNCE_TWICE_S * NS for at_ns in seen_ns)
    why = f"{early} gratuitous ARP(s) in {ANNOUNCE_TWICE_S:.0f} s, not 2"
    due_s = ANNOUNCE_AGAIN_S
    _settle_apart(one, recorded, takeover, why, second_ns, ANNOUNCE_TWICE_S, due_s=due_s)
    watched_s = (never_ns - taken_ns) / NS
    if len(seen_ns) < 2 and watched_s <= ANNOUNCE_TWICE_S:
        one.doubt(f"{takeover}: watched for only {watched_s:.1f} s")
    for seen in takeover.announced:
        sender, source = seen.arp.sender_mac, seen.frame_source
        if sender != source:
            one.broken(
                f"{takeover}: the gratuitous ARP says {sender} in a frame from {source}: a switch "
                "learns the wrong port"
            )
    one.met(*takeover.places)


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
