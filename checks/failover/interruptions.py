"""FO-39, FO-49: how long a takeover keeps clients waiting, inside and beyond the gateway."""

from __future__ import annotations

from collections.abc import Sequence

from checks.engine.in_time import Watch, owe_in_time
from checks.engine.lateness import missed
from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.failover import whole_run
from checks.failover.claims import Claim, claims
from checks.failover.pair import Node
from checks.failover.recorded import Recorded
from checks.failover.takeover import RESTART, Takeover, takeovers
from checks.failover.tunnels import LAST_PACKET_S, LIMITS, back_after, up_before
from evidence import packets
from evidence.events.takeover import TunnelCarried, TunnelWatched
from evidence.moment import NS
from evidence.scenario import Evidence

OUTSIDE = "outside"
"""FO-49: a client beyond the gateway."""
TUNNEL_STAYS_S = 4.0
"""A tunnel that is back carries traffic so long after its first packet, at the least: it is looked
at 5 s later, and a client asks twice a second."""
OPENVPN = {"udp": (packets.UDP, 1194), "tcp": (packets.TCP, 443)}
"""IP protocol and port that tunnels are served from; TCP 943 is the web service's alone."""
SERVED_WITHIN_S = 1.0
"""How far from a tunnel's packet its server's may be seen: clocks are off, and frames late."""


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
        before = up_before(watched, takeover.injected.at_ns)
        if not before:
            owed.open(f"{takeover}: no tunnel{f' of an {client} client' if client else ''} was up")
        for one in before:
            _owe_tunnel(owed, recorded, takeover, one, sent)
    whole_run.owe_one_master(owed, recorded)


def _owe_tunnel(
    owed: Obligations,
    recorded: Recorded,
    takeover: Takeover,
    watched: TunnelWatched,
    sent: Sequence[Claim],
) -> None:
    """Owe that a client's traffic is back for good: by packets sent after the peer took over."""
    found = back_after(recorded, takeover, watched)
    watch, carried, measured = found.watch, found.carried, found.measured
    owe_in_time(owed, watch, measured, LIMITS[watched.protocol])
    if found.back is None or measured is None:
        return
    owed.tell(f"{watched.source} ({watched.protocol}): back after {measured.seconds:.1f} s")
    one = owed.owe(f"{takeover}: the tunnel of {watched.source} served by {takeover.peer.name}")
    for line in carried:
        _settle_served(one, recorded, takeover, line, sent)
    stays = owed.owe(f"{watch.what}, for good")
    stayed_s = (carried[-1].at_ns - found.back.at_ns) / NS
    if stayed_s < TUNNEL_STAYS_S:
        why = f"{watch.what}: seen for {stayed_s:.1f} s only"
        stays.doubt(f"{why}, {TUNNEL_STAYS_S:.0f} s are needed")
    _settle_last(stays, watch, carried)
    for excuse in found.excuses:
        stays.late(excuse, *watch.places)
    stays.met(*(line.place for line in carried))


def _settle_last(stays: Obligation, watch: Watch, carried: Sequence[TunnelCarried]) -> None:
    """Break an obligation where the last packet came long before nobody looked any more."""
    last, looked_ns = carried[-1], max(one.looked_until_ns or 0 for one in carried)
    silent_s = (looked_ns - last.moment.latest_ns) / NS
    if looked_ns < last.moment.earliest_ns:
        stays.doubt(f"{watch.what}: until when it was looked at is not known", last.place)
    elif silent_s > LAST_PACKET_S:
        why = f"{watch.what}: no packet in the last {silent_s:.1f} s that it was looked at"
        why += f", limit {LAST_PACKET_S:.0f} s"
        span, excess_s = (last.at_ns, looked_ns), silent_s - LAST_PACKET_S
        missed(stays, why, excess_s, span, watch.whose, watch.late, last.place)


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
