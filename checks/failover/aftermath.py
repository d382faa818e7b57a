"""FO-26, 31, 39, 49: how a takeover shows: announced on the LAN, logged, noticed by clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from checks.engine.in_time import Span, Watch, owe_in_time
from checks.engine.obligations import Obligations
from checks.engine.registry import check
from checks.failover import whole_run
from checks.failover.claims import Claim, How, claims
from checks.failover.recorded import Recorded
from checks.failover.takeover import RESTART, Takeover, takeovers
from checks.protocols import budgets
from checks.protocols.budgets import Budget
from evidence.events.takeover import LogLine, NeighbourSeen, TunnelCarried, TunnelWatched
from evidence.moment import NS
from evidence.scenario import Evidence

ANNOUNCE_S = 0.1
"""FO-26: the first gratuitous ARP this close to the first advertisement, before or after."""
ANNOUNCE_TWICE_S = 3.0
LOG_S = 2.0
NODE_LOG, STATE_LOG = "openvpnas-node.log", "openvpnas.log"
STATE, NODE_EVENT = "Switching to state: MASTER", "Switching to state"
OUTSIDE = "outside"
"""FO-49: a client beyond the gateway."""
TUNNEL_STAYS_S = 4.0
"""A tunnel that is back carries traffic so long after its first packet, at the least: it is looked
at 5 s later, and a client asks twice a second."""
LIMITS: Mapping[str, Budget] = {
    "udp": Budget(0, budgets.GUIDE_TUNNEL_UDP_S, "about a minute", "FO-39"),
    "tcp": Budget(0, budgets.GUIDE_TUNNEL_TCP_S, "reset by the new node", "FO-39"),
}


@check("FO-26")
def the_takeover_is_announced(evidence: Evidence, owed: Obligations) -> None:
    """Judge the gratuitous ARPs after each takeover, and that clients moved to the new MAC.

    They have not while another node goes on claiming the virtual IP: whoever asks anew may be
    told either MAC.
    """
    recorded = Recorded(evidence)
    for takeover in takeovers(recorded, owed):
        _owe_announcements(owed, takeover)
        _owe_neighbours(owed, recorded, takeover)
    whole_run.owe_one_master(owed, recorded)


def _owe_announcements(owed: Obligations, takeover: Takeover) -> None:
    apart = [abs(seen.at_ns - takeover.taken.at_ns) / NS for seen in takeover.announced]
    one = owed.owe(f"{takeover}: announced by gratuitous ARP at once, and again")
    if not apart:
        one.broken(f"{takeover}: no gratuitous ARP of {takeover.peer.name} reached the wire")
        return
    soonest, early = min(apart), [value for value in apart if value <= ANNOUNCE_TWICE_S]
    if soonest > ANNOUNCE_S:
        one.broken(
            f"{takeover}: the gratuitous ARP came {soonest:.3f} s from the first advertisement, "
            f"limit {ANNOUNCE_S} s"
        )
    if len(early) < 2:
        one.broken(f"{takeover}: {len(early)} gratuitous ARP(s) in 3 s, not 2")
    for seen in takeover.announced:
        sender, source = seen.arp.sender_mac, seen.frame_source
        if sender != source:
            one.broken(
                f"{takeover}: the gratuitous ARP says {sender} in a frame from {source}: a switch "
                "learns the wrong port"
            )
    one.met(*takeover.places)


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
    for client, last in {one.source: one for one in seen}.items():
        owed.require(
            last.mac == takeover.peer.mac,
            f"{takeover}: {client} has the new node's MAC",
            f"{takeover}: {client} still has {last.mac} for the virtual IP, not "
            f"{takeover.peer.mac}",
            last.place,
        )


@check("FO-31")
def the_change_of_state_is_logged(evidence: Evidence, owed: Obligations) -> None:
    """Judge that the new node's MASTER line stands in openvpnas.log, within 2 s of the wire.

    Events of the node's own stand in openvpnas-node.log, and there only.
    """
    recorded = Recorded(evidence)
    for takeover in takeovers(recorded, owed):
        lines = [
            line
            for line in evidence.events(LogLine, takeover.peer.name)
            if takeover.injected.at_ns <= line.moment.latest_ns and line.at_ns <= takeover.until_ns
        ]
        _owe_state_line(owed, takeover, [line for line in lines if line.text.endswith(STATE)])
        node = owed.owe(f"{takeover}: node events are in {NODE_LOG}, kept apart")
        for line in lines:
            if line.file == NODE_LOG:
                node.met(line.place)
            elif STATE not in line.text and any(
                other.file == NODE_LOG and other.text == line.text for other in lines
            ):
                node.broken(f"{line.text!r} stands in both logs", line.place)
        if not any(line.file == NODE_LOG for line in lines):
            node.broken(f"{takeover}: nothing was written to {NODE_LOG}", *takeover.places)


def _owe_state_line(owed: Obligations, takeover: Takeover, state: list[LogLine]) -> None:
    one = owed.owe(f"{takeover}: MASTER stands in {STATE_LOG} within {LOG_S:.0f} s")
    right = [line for line in state if line.file == STATE_LOG]
    if not right:
        files = sorted({line.file for line in state}) or "no file"
        one.broken(f"{takeover}: the MASTER line is in {files}, not in {STATE_LOG}")
        return
    first_ns = takeover.taken.at_ns
    line = min(right, key=lambda line: abs(line.at_ns - first_ns))
    apart_s = abs(line.at_ns - first_ns) / NS
    unsure_s = line.uncertainty_ns / NS
    what = f"the MASTER line is {apart_s:.1f} s +- {unsure_s:.1f} s from the wire's event"
    if apart_s - unsure_s > LOG_S:
        one.broken(f"{takeover}: {what}, limit 2 s", line.place)
    elif apart_s + unsure_s > LOG_S:
        one.doubt(f"{takeover}: {what}: too coarse for a limit of 2 s", line.place)
    one.met(line.place)


@check("FO-39")
def clients_are_back_within_about_a_minute(evidence: Evidence, owed: Obligations) -> None:
    """Judge the interruption of each client after each takeover: UDP 75 s, TCP 15 s."""
    owe_tunnels(owed, Recorded(evidence))


@check("FO-49")
def outside_clients_follow_the_virtual_ip(evidence: Evidence, owed: Obligations) -> None:
    """Judge that clients beyond the gateway are back after each takeover, as those inside."""
    owe_tunnels(owed, Recorded(evidence), OUTSIDE)


def owe_tunnels(owed: Obligations, recorded: Recorded, client: str | None = None) -> None:
    """Owe that each client whose tunnel was up before a fault is back in time, and stays.

    Back is who is served by the new node; one that the old node goes on serving never left it.
    """
    watched = [
        one for one in recorded.evidence.events(TunnelWatched) if client in (None, one.client)
    ]
    sent = [claim for claim in claims(recorded) if claim.how is How.SERVES]
    for takeover in takeovers(recorded, owed, but=(RESTART,)):
        before = {one.source: one for one in watched if one.at_ns < takeover.injected.at_ns}
        if not before:
            owed.open(f"{takeover}: no tunnel{f' of an {client} client' if client else ''} was up")
        for one in before.values():
            _owe_tunnel(owed, recorded, takeover, one, sent)
    whole_run.owe_one_master(owed, recorded)


def _owe_tunnel(
    owed: Obligations,
    recorded: Recorded,
    takeover: Takeover,
    watched: TunnelWatched,
    sent: Sequence[Claim],
) -> None:
    """Owe that a client's traffic is back: by a packet that was sent after the peer took over."""
    carried = [
        one
        for one in recorded.evidence.events(TunnelCarried, watched.source)
        if one.at_ns <= takeover.until_ns
        and one.moment.earliest_ns > takeover.injected.latest_ns
        and min(one.at_ns, one.sent_ns or one.at_ns) - one.uncertainty_ns > takeover.taken.at_ns
    ]
    places = (*takeover.places, watched.place, *(one.place for one in carried[:1]))
    what = f"{takeover}: the tunnel of {watched.source} carrying traffic again"
    whose = {takeover.peer.name, watched.source, "wire", "scenario"}
    start, due = takeover.injected, takeover.taken
    watch = Watch(what, whose, start, due, takeover.until_ns, places, recorded.lateness)
    measured = Span(start, carried[0].moment) if carried else None
    owe_in_time(owed, watch, measured, LIMITS[watched.protocol])
    if measured is None:
        return
    owed.tell(f"{watched.source} ({watched.protocol}): back after {measured.seconds:.1f} s")
    one = owed.owe(f"{takeover}: the tunnel of {watched.source} served by {takeover.peer.name}")
    until_ns = carried[-1].moment.latest_ns
    by = {claim.who for claim in sent if takeover.taken.at_ns <= claim.at_ns <= until_ns}
    if takeover.peer.name in by:
        one.met(recorded.wire)
    else:
        others = f", only by {' and '.join(sorted(by))}" if by else ""
        one.doubt(f"{what}: nothing was sent from the virtual IP by the new node{others}")
    stays = owed.owe(f"{what}, for good")
    stayed_s = (carried[-1].at_ns - carried[0].at_ns) / NS
    if stayed_s < TUNNEL_STAYS_S:
        stays.doubt(f"{what}: seen for {stayed_s:.1f} s only, {TUNNEL_STAYS_S:.0f} s are needed")
    stays.met(*(line.place for line in carried))
