"""FO-26, 31, 39, 49: how a takeover shows: announced on the LAN, logged, noticed by clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from checks.engine.in_time import Span, Watch, owe_in_time
from checks.engine.lateness import explain, missed
from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.failover import whole_run
from checks.failover.claims import Claim, claims
from checks.failover.pair import Node
from checks.failover.recorded import Recorded
from checks.failover.takeover import RESTART, Takeover, takeovers
from checks.protocols import budgets
from checks.protocols.budgets import Budget
from evidence import packets
from evidence.events.takeover import LogLine, NeighbourSeen, TunnelCarried, TunnelWatched
from evidence.moment import NS
from evidence.scenario import Evidence

ANNOUNCE_S = 0.1
"""FO-26: the first gratuitous ARP this close to the first advertisement, before or after."""
ANNOUNCE_TWICE_S = 3.0
TOLD_S = 2.0
"""By then a client has heard an announcement that it does not ignore."""
ANNOUNCE_AGAIN_S = 2.0
"""FO-26: the second one is due so long after the first; ucarp 1.5.2 waits for that."""
LOG_S = 2.0
NODE_LOG, STATE_LOG = "openvpnas-node.log", "openvpnas.log"
STATE, NODE_EVENT = "Switching to state: MASTER", "Switching to state"
OUTSIDE = "outside"
"""FO-49: a client beyond the gateway."""
TUNNEL_STAYS_S = 4.0
"""A tunnel that is back carries traffic so long after its first packet, at the least: it is looked
at 5 s later, and a client asks twice a second."""
OPENVPN = {"udp": (packets.UDP, 1194), "tcp": (packets.TCP, 443)}
"""IP protocol and port that tunnels are served from; TCP 943 is the web service's alone."""
SERVED_WITHIN_S = 1.0
"""How far from a tunnel's packet its server's may be seen: clocks are off, and frames late."""
INTERRUPTED_S = 1.0
"""What a busy host did for most of so long before a tunnel's packet may be why others were lost."""
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


@check("FO-31")
def the_change_of_state_is_logged(evidence: Evidence, owed: Obligations) -> None:
    """Judge that the new node's MASTER line stands in openvpnas.log, within 2 s of the wire.

    Events of the node's own stand in openvpnas-node.log, and there only.
    """
    recorded = Recorded(evidence)
    for takeover in takeovers(recorded, owed):
        lines = _lines(recorded, takeover)
        state = [line for line in lines if line.text.endswith(STATE)]
        _owe_state_line(owed, recorded, takeover, state)
        node = owed.owe(f"{takeover}: node events are in {NODE_LOG}, kept apart")
        for line in lines:
            if line.file == NODE_LOG:
                node.met(line.place)
            elif STATE not in line.text and any(
                other.file == NODE_LOG and other.text == line.text for other in lines
            ):
                node.broken(f"{line.text!r} stands in both logs", line.place)
        if not any(line.file == NODE_LOG for line in lines):
            why = f"{takeover}: nothing was written to {NODE_LOG}"
            _break_if_watched(node, takeover, why, *takeover.places)


def _lines(recorded: Recorded, takeover: Takeover) -> list[LogLine]:
    """Return what the new node logged, also after the watch: until lines are due, if not longer.

    What comes after something else was done is due to that.
    """
    taken_ns = takeover.taken.at_ns
    due_ns = taken_ns + int(LOG_S * NS)
    end_ns = whole_run.undisturbed_until(recorded, taken_ns)
    return [
        line
        for line in recorded.evidence.events(LogLine, takeover.peer.name)
        if takeover.injected.at_ns <= line.moment.latest_ns
        and (
            line.at_ns <= takeover.until_ns
            or (line.moment.earliest_ns <= due_ns and line.at_ns < end_ns)
        )
    ]


def _break_if_watched(one: Obligation, takeover: Takeover, why: str, *places: str) -> None:
    """Break an obligation by what is missing, unless it was watched for too short a time."""
    watched_s = (takeover.until_ns - takeover.taken.at_ns) / NS
    if watched_s < LOG_S:
        one.doubt(f"{why}, watched for only {watched_s:.1f} s", *places)
    else:
        one.broken(why, *places)


def _owe_state_line(
    owed: Obligations, recorded: Recorded, takeover: Takeover, state: list[LogLine]
) -> None:
    one = owed.owe(f"{takeover}: MASTER stands in {STATE_LOG} within {LOG_S:.0f} s")
    right = [line for line in state if line.file == STATE_LOG]
    if not right:
        files = sorted({line.file for line in state}) or "no file"
        why = f"{takeover}: the MASTER line is in {files}, not in {STATE_LOG}"
        _break_if_watched(one, takeover, why)
        return
    first_ns = takeover.taken.at_ns
    line = min(right, key=lambda line: abs(line.at_ns - first_ns))
    apart_s = abs(line.at_ns - first_ns) / NS
    unsure_s = line.uncertainty_ns / NS
    what = f"the MASTER line is {apart_s:.1f} s +- {unsure_s:.1f} s from the wire's event"
    excess_s = apart_s - unsure_s - LOG_S
    if excess_s > 0:
        why, span = f"{takeover}: {what}, limit 2 s", sorted((first_ns, line.at_ns))
        whose, late = {takeover.peer.name}, recorded.lateness
        missed(one, why, excess_s, (span[0], span[1]), whose, late, line.place)
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
    sent = [claim for claim in claims(recorded) if claim.service in OPENVPN.values()]
    for takeover in takeovers(recorded, owed, but=(RESTART,)):
        before = {_tunnel(one): one for one in watched if one.at_ns < takeover.injected.at_ns}
        if not before:
            owed.open(f"{takeover}: no tunnel{f' of an {client} client' if client else ''} was up")
        for one in before.values():
            _owe_tunnel(owed, recorded, takeover, one, sent)
    whole_run.owe_one_master(owed, recorded)


def _tunnel(one: TunnelWatched | TunnelCarried) -> tuple[str, str, str]:
    """Say which tunnel it is: a machine may have several."""
    return one.source, one.client, one.protocol


def _owe_tunnel(
    owed: Obligations,
    recorded: Recorded,
    takeover: Takeover,
    watched: TunnelWatched,
    sent: Sequence[Claim],
) -> None:
    """Owe that a client's traffic is back for good: by packets sent after the peer took over.

    Each line is of the first packet after an interruption, but the last, which is of the last.
    """
    carried = [
        one
        for one in recorded.evidence.events(TunnelCarried, watched.source)
        if _tunnel(one) == _tunnel(watched)
        and one.at_ns <= takeover.until_ns
        and one.moment.earliest_ns > takeover.injected.latest_ns
        and min(one.at_ns, one.sent_ns or one.at_ns) - one.uncertainty_ns > takeover.taken.at_ns
    ]
    firsts = [one for one in carried if one.at_ns < carried[-1].at_ns] or carried
    places = (*takeover.places, watched.place, *(one.place for one in firsts[-1:]))
    what = f"{takeover}: the tunnel of {watched.source} carrying traffic again"
    # A tunnel's name is not its machine's; all but the old node are on its way.
    whose = {one.of for one in recorded.lateness} - {takeover.victim.name}
    start, due = takeover.injected, takeover.taken
    watch = Watch(what, whose, start, due, takeover.until_ns, places, recorded.lateness)
    back, excuses = _back(watch, firsts, LIMITS[watched.protocol])
    measured = None if back is None else Span(start, back.moment)
    owe_in_time(owed, watch, measured, LIMITS[watched.protocol])
    if measured is None:
        return
    owed.tell(f"{watched.source} ({watched.protocol}): back after {measured.seconds:.1f} s")
    one = owed.owe(f"{takeover}: the tunnel of {watched.source} served by {takeover.peer.name}")
    for line in carried:
        _settle_served(one, recorded, takeover, line, sent)
    stays = owed.owe(f"{what}, for good")
    stayed_s = (carried[-1].at_ns - firsts[-1].at_ns) / NS
    if stayed_s < TUNNEL_STAYS_S:
        stays.doubt(f"{what}: seen for {stayed_s:.1f} s only, {TUNNEL_STAYS_S:.0f} s are needed")
    for excuse in excuses:
        stays.late(excuse, *places)
    stays.met(*(line.place for line in carried))


def _back(
    watch: Watch, firsts: Sequence[TunnelCarried], limit: Budget
) -> tuple[TunnelCarried | None, list[str]]:
    """Find since when a client is back, and which interruptions since then a busy host explains.

    How long one was is not recorded: what kept the packets right before its end may explain it. One
    after which the client was back in time needs no explanation.
    """
    left, excuses = list(firsts), []
    while len(left) > 1 and Span(watch.start, left[-1].moment).seconds > limit.maximum_s:
        span = left[-1].at_ns - int(INTERRUPTED_S * NS), left[-1].at_ns
        excuse = explain(INTERRUPTED_S, span, watch.whose, watch.late)
        if excuse is None:
            break
        after_s = Span(watch.start, left.pop().moment).seconds
        excuses.append(f"{watch.what}: interrupted until {after_s:.1f} s, but {excuse}")
    return (left[-1] if left else None), excuses


def _settle_served(
    one: Obligation,
    recorded: Recorded,
    takeover: Takeover,
    line: TunnelCarried,
    sent: Sequence[Claim],
) -> None:
    """Settle who served a tunnel's packet, by what OpenVPN sent from the virtual IP around it.

    Where nobody did, and the old node's OpenVPN sent from its own address, the client is still its.
    """
    old, new, slack_ns = takeover.victim, takeover.peer, int(SERVED_WITHIN_S * NS)
    since_ns = min(line.at_ns, line.sent_ns or line.at_ns) - line.uncertainty_ns - slack_ns
    span = max(since_ns, takeover.taken.at_ns), line.moment.latest_ns + slack_ns
    near = [claim for claim in sent if span[0] <= claim.at_ns <= span[1]]
    by, service = {claim.who for claim in near}, OPENVPN[line.protocol]
    alike = {claim.who for claim in near if claim.service == service}
    what = f"{takeover}: the tunnel of {line.source} carrying traffic again"
    if new.name not in alike and _serves_by_own_address(recorded, old, span, service):
        one.broken(f"{what}: served by {old.name}, from its own address", recorded.wire)
    elif new.name in by:
        one.met(recorded.wire)
    else:
        others = f", only by {' and '.join(sorted(by))}" if by else ""
        why = f"{what}: nothing was sent from the virtual IP by the new node{others}"
        one.doubt(why, recorded.wire)


def _serves_by_own_address(
    recorded: Recorded, node: Node, span: tuple[int, int], service: tuple[int, int]
) -> bool:
    """Tell whether a service of a node sent something from the node's own address in a span."""
    sent = (
        packets.parse(frame.data)
        for frame in recorded.evidence.frames()
        if span[0] <= frame.at_ns <= span[1] and frame.interface == node.port and frame.passed
    )
    return any(
        packet is not None
        and packet.source == node.address
        and (packet.protocol, packet.source_port) == service
        for packet in sent
    )
