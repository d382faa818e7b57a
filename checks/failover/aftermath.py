"""FO-26, 31, 39: how a takeover shows: announced on the LAN, logged, noticed by clients."""

from __future__ import annotations

from checks.engine.registry import check
from checks.engine.verdict import Findings, Verdict
from checks.failover import timeline as takeover
from checks.failover.pair import Recorded
from checks.failover.takeovers import RESTART, each_takeover
from checks.failover.timeline import Fault, Stage, Timeline
from checks.protocols import budgets, heartbeat
from checks.protocols.budgets import Budget
from evidence.scenario import Evidence

ANNOUNCE_S = 0.1
"""FO-26: the first gratuitous ARP this close to the first advertisement, before or after."""
ANNOUNCE_TWICE_S = 3.0
LOG_S = 2.0
NODE_LOG, STATE_LOG = "openvpnas-node.log", "openvpnas.log"


@check("FO-26")
def the_takeover_is_announced(evidence: Evidence) -> Verdict:
    """Judge the gratuitous ARPs after each takeover, and that clients moved to the new MAC."""
    recorded = Recorded(evidence)
    found = Findings()
    for _, fault, timeline in each_takeover(found, recorded):
        if timeline.first is None:
            found.gap(f"no takeover after {fault.name}, so nothing to announce")
            continue
        _judge_announcement(found, timeline, timeline.first.at_ns)
        _judge_neighbours(found, recorded, fault, timeline.first.at_ns)
    return found.verdict("announced at once and again, clients moved")


def _judge_announcement(found: Findings, timeline: Timeline, first_ns: int) -> None:
    apart = [abs(claim.at_ns - first_ns) / heartbeat.NS for claim in timeline.announced]
    if not found.require(bool(apart), "no gratuitous ARP of the new node reached the wire"):
        return
    found.require(
        min(apart) <= ANNOUNCE_S,
        f"the gratuitous ARP came {min(apart):.3f} s from the first advertisement, limit 0.1 s",
    )
    early = [value for value in apart if value <= ANNOUNCE_TWICE_S]
    found.require(
        len(early) >= 2, f"{len(early)} gratuitous ARP(s) in {ANNOUNCE_TWICE_S:.0f} s, not 2"
    )


def _judge_neighbours(found: Findings, recorded: Recorded, fault: Fault, first_ns: int) -> None:
    peer = next(node for node in recorded.pair.nodes.values() if node.address != fault.victim)
    seen = [
        event
        for event in recorded.evidence.events("neighbour")
        if first_ns <= event.at_ns <= fault.until_ns
        and event["address"] == recorded.pair.virtual_ip
    ]
    if not seen:
        found.gap(f"no client's neighbour table was read after {fault.name}")
        return
    mac = str(seen[-1]["mac"]).lower()
    found.require(
        mac == peer.mac, f"{seen[-1].source} still has {mac} for the virtual IP, not {peer.mac}"
    )


@check("FO-31")
def the_change_of_state_is_logged(evidence: Evidence) -> Verdict:
    """Judge that the new node's MASTER line stands in openvpnas.log, within 2 s of the wire."""
    recorded = Recorded(evidence)
    found = Findings()
    for event, fault, timeline in each_takeover(found, recorded):
        if timeline.first is None:
            found.gap(f"no takeover after {fault.name}, so nothing to log")
            continue
        peer = recorded.pair.peer_of(str(event["node"]))
        lines = [
            line
            for line in evidence.events("log.line", peer.name)
            if fault.at.at_ns <= line.at_ns + line.uncertainty_ns and line.at_ns <= fault.until_ns
        ]
        state = [line for line in lines if "MASTER" in line["text"]]
        files = sorted({str(line["file"]) for line in state})
        found.saw(*(line.place for line in state))
        if not found.require(
            STATE_LOG in files, f"the MASTER line is in {files or 'no file'}, not in {STATE_LOG}"
        ):
            continue
        apart_s, unsure_s = min(
            (
                abs(line.at_ns - timeline.first.at_ns) / heartbeat.NS,
                line.uncertainty_ns / heartbeat.NS,
            )
            for line in state
            if line["file"] == STATE_LOG
        )
        what = f"the MASTER line is {apart_s:.1f} s +- {unsure_s:.1f} s from the wire's event"
        late = apart_s - unsure_s > LOG_S
        found.require(not late, f"{what}, limit 2 s")
        if not late and apart_s + unsure_s > LOG_S:
            found.gap(f"{what}: too coarse for a limit of 2 s")
        found.require(
            any(line["file"] == NODE_LOG for line in lines), f"nothing was written to {NODE_LOG}"
        )
    return found.verdict(f"MASTER in {STATE_LOG} within 2 s, node events in {NODE_LOG}")


@check("FO-39")
def clients_are_back_within_about_a_minute(evidence: Evidence) -> Verdict:
    """Judge the interruption of each client after each takeover: UDP 75 s, TCP 15 s."""
    return judge_tunnels(Recorded(evidence))


def judge_tunnels(recorded: Recorded, client: str | None = None) -> Verdict:
    """Hold the tunnels' interruptions against the guide's limits, of one client if given."""
    limits = {
        "udp": Budget(0, budgets.GUIDE_TUNNEL_UDP_S, "about a minute", "FO-39"),
        "tcp": Budget(0, budgets.GUIDE_TUNNEL_TCP_S, "reset by the new node", "FO-39"),
    }
    found = Findings()
    watched = [
        event
        for event in recorded.evidence.need("tunnel.watched")
        if client is None or event["client"] == client
    ]
    backs = recorded.evidence.events("tunnel.back")
    if not watched:
        found.gap(f"no tunnel of a client {client} was watched")
    for _, fault, timeline in each_takeover(found, recorded, but=(RESTART,)):
        for one in watched:
            if one.at_ns > fault.at.at_ns:
                continue
            moments = [
                takeover.Moment(back.at_ns, back.uncertainty_ns)
                for back in backs
                if back.source == one.source
            ]
            found.saw(one.place)
            limit = limits[str(one["protocol"])]
            tunnel = takeover.with_answers(timeline, (), moments)
            takeover.judge_stage(found, [tunnel], Stage.TUNNEL, limit, whose=one.source)
    names = ", ".join(sorted({one.source for one in watched}))
    return found.verdict(f"back in time: {names}")
