"""FO-24 to 27, 31, 39: how fast, and how visibly, the standby takes over."""

from __future__ import annotations

from collections.abc import Sequence

from checks import budgets, heartbeat, takeover
from checks.budgets import Budget
from checks.errors import Missing
from checks.evidence import Evidence
from checks.failover import whole_run
from checks.failover.pair import Recorded
from checks.history import Event
from checks.registry import check
from checks.takeover import Fault, Stage, Timeline
from checks.verdict import Findings, Verdict, combine

CLEAN_STOP = "service-stop"
RESTART = "service-restart"
ANNOUNCE_S = 0.1
"""FO-26: the first gratuitous ARP this close to the first advertisement, before or after."""
ANNOUNCE_TWICE_S = 3.0
LOG_S = 2.0
ADDRESS_GONE_S = 1.0
NODE_LOG, STATE_LOG = "openvpnas-node.log", "openvpnas.log"


@check("FO-24")
def a_crash_makes_the_standby_active(evidence: Evidence) -> Verdict:
    """Judge every takeover by the configured budget and the guide's "a few seconds"."""
    recorded = Recorded(evidence)
    return combine(
        [
            judge_takeovers(recorded, guide=True),
            whole_run.no_two_holders(recorded),
            whole_run.no_unexplained_role_change(recorded),
        ]
    )


def judge_takeovers(recorded: Recorded, *, guide: bool) -> Verdict:
    """Hold every takeover but those of clean stops and restarts against the budgets.

    guide: also against the guide's own limit; another engine has only its own timers.
    """
    found = Findings()
    crashes = _faults(recorded, but=(CLEAN_STOP, RESTART))
    if not crashes:
        raise Missing("no fault was recorded that calls for a takeover")
    timelines = [_timeline(found, recorded, event, fault) for event, fault in crashes]
    seen = [timeline for timeline in timelines if timeline is not None]
    for timeline in seen:
        engine = _standby_engine(recorded, timeline.fault)
        takeover.judge_stage(found, [timeline], Stage.SILENCE, engine.last_advert_to_takeover())
        takeover.judge_stage(found, [timeline], Stage.TAKEOVER, _unhurried(engine))
        if guide:
            limit = Budget(0, budgets.GUIDE_TAKEOVER_S, "the guide's few seconds", "FO-24")
            takeover.judge_stage(found, [timeline], Stage.TAKEOVER, limit)
        _judge_capture(found, recorded, timeline)
    return found.verdict(*figures(seen))


def _unhurried(engine: budgets.Engine) -> Budget:
    """Take the budget from the fault without its minimum: a fault may be noted a bit late."""
    budget = engine.fault_to_takeover()
    return Budget(0.0, budget.maximum_s, budget.formula, budget.source)


def _standby_engine(recorded: Recorded, fault: Fault) -> budgets.Engine:
    nodes = recorded.pair.nodes.values()
    return next(node.engine for node in nodes if node.address != fault.victim)


def _faults(recorded: Recorded, *, but: Sequence[str] = ()) -> list[tuple[Event, Fault]]:
    return [
        (event, fault)
        for event, fault in recorded.faults()
        if fault.name not in but and event.data.get("expects_takeover", True)
    ]


def _timeline(found: Findings, recorded: Recorded, event: Event, fault: Fault) -> Timeline | None:
    found.saw(event.place, recorded.evidence.capture_place)
    try:
        return recorded.timeline(fault)
    except Missing as error:
        found.gap(error.message)
        return None


def _judge_capture(found: Findings, recorded: Recorded, timeline: Timeline) -> None:
    """Compare with the peer's own capture, where one was made."""
    peer = next(
        node for node in recorded.pair.nodes.values() if node.address != timeline.fault.victim
    )
    if not recorded.evidence.events("guest.capture", peer.name):
        return
    inside = recorded.guest_heartbeat(peer.name)
    # The guest's clock may be off by more than a period: find this takeover by its counter.
    first = timeline.first
    same = first and next((beat for beat in inside if _same(beat, first)), None)
    if first is None or same is None:
        found.gap(f"{peer.name}'s own capture misses the takeover after {timeline.fault.name}")
        return
    last = inside.of(timeline.fault.victim).before(same.at_ns)
    if last is None or not _same(last, timeline.last):
        found.gap(f"{peer.name}'s own capture misses the last advertisement of the old node")
        return
    takeover.judge_agreement(found, timeline, Timeline(timeline.fault, last, same))


def _same(one: heartbeat.Beat, other: heartbeat.Beat) -> bool:
    return one.advert.packet == other.advert.packet


def figures(timelines: Sequence[Timeline]) -> list[str]:
    """Put the spread of every stage into words."""
    return [f"{stage}: {spread}" for stage, spread in takeover.statistics(timelines).items()]


@check("FO-25")
def the_service_is_back_soon(evidence: Evidence) -> Verdict:
    """Judge the time from the fault to the first answer on the virtual IP."""
    recorded = Recorded(evidence)
    limit = Budget(0, budgets.GUIDE_SERVICE_S, "the guide's 5 to 10 seconds", "FO-25")
    return _judge_stage(recorded, Stage.SERVICE, limit)


def _judge_stage(recorded: Recorded, stage: Stage, limit: Budget) -> Verdict:
    found = Findings()
    timelines = [
        timeline
        for event, fault in _faults(recorded, but=(RESTART,))
        if (timeline := _timeline(found, recorded, event, fault)) is not None
    ]
    if not timelines:
        found.gap("no takeover was measured")
    takeover.judge_stage(found, timelines, stage, limit)
    return found.verdict(*figures(timelines))


@check("FO-26")
def the_takeover_is_announced(evidence: Evidence) -> Verdict:
    """Judge the gratuitous ARPs after each takeover, and that clients moved to the new MAC."""
    recorded = Recorded(evidence)
    found = Findings()
    for event, fault in _faults(recorded):
        timeline = _timeline(found, recorded, event, fault)
        if timeline is None:
            continue
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


@check("FO-27")
def a_clean_stop_hands_over(evidence: Evidence) -> Verdict:
    """Judge that after a clean stop the peer takes over and the old node drops the virtual IP."""
    return judge_clean_stop(Recorded(evidence), guide=True)


def judge_clean_stop(recorded: Recorded, *, guide: bool) -> Verdict:
    """Hold every clean stop against the budgets, and the old node's addresses against 1 s."""
    found = Findings()
    stops = [pair for pair in _faults(recorded) if pair[1].name == CLEAN_STOP]
    if not stops:
        found.gap(f"no {CLEAN_STOP} was recorded")
    for event, fault in stops:
        timeline = _timeline(found, recorded, event, fault)
        if timeline is not None:
            budget = _standby_engine(recorded, fault).clean_stop_to_takeover()
            # The stop command takes its time; ucarp goes on advertising until it ends.
            takeover.judge_stage(
                found, [timeline], Stage.SILENCE, Budget(0, budget.maximum_s, *_words(budget))
            )
            if guide:
                limit = Budget(0, budgets.GUIDE_TAKEOVER_S, "the guide's limit", "FO-27")
                takeover.judge_stage(found, [timeline], Stage.SILENCE, limit)
        _judge_address_gone(found, recorded, str(event["node"]), fault)
    return found.verdict("the peer takes over, the virtual IP is gone from the old node")


def _words(budget: Budget) -> tuple[str, str]:
    return budget.formula, budget.source


def _judge_address_gone(found: Findings, recorded: Recorded, node: str, fault: Fault) -> None:
    stopped = [
        event
        for event in recorded.evidence.events("service.stopped", node)
        if fault.at.at_ns <= event.at_ns <= fault.until_ns
    ]
    start_ns = stopped[0].at_ns if stopped else fault.at.at_ns
    limit_ns = start_ns + int(ADDRESS_GONE_S * heartbeat.NS)
    held = [
        event
        for event in recorded.evidence.events("addresses", node)
        if start_ns < event.at_ns <= fault.until_ns
    ]
    if not held:
        found.gap(f"{node}'s addresses were not read after the stop")
        return
    found.saw(*(event.place for event in held))
    virtual_ip = recorded.pair.virtual_ip
    still = [event for event in held if virtual_ip in event["held"] and event.at_ns > limit_ns]
    found.require(not still, f"{node} still holds the virtual IP more than 1 s after its stop")
    if not still and all(virtual_ip in event["held"] for event in held):
        found.gap(f"{node}'s addresses were not read again after the first second")


@check("FO-31")
def the_change_of_state_is_logged(evidence: Evidence) -> Verdict:
    """Judge that the new node's MASTER line stands in openvpnas.log, within 2 s of the wire."""
    recorded = Recorded(evidence)
    found = Findings()
    for event, fault in _faults(recorded):
        timeline = _timeline(found, recorded, event, fault)
        if timeline is None or timeline.first is None:
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
        near = min(
            abs(line.at_ns - timeline.first.at_ns) - line.uncertainty_ns
            for line in state
            if line["file"] == STATE_LOG
        )
        found.require(
            near <= LOG_S * heartbeat.NS,
            f"the MASTER line is {near / heartbeat.NS:.1f} s from the wire's event, limit 2 s",
        )
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
    backs = [
        event
        for event in recorded.evidence.need("tunnel.back")
        if client is None or event["client"] == client
    ]
    protocols = sorted({str(event["protocol"]) for event in backs})
    if not protocols:
        found.gap(f"no tunnel of {client} was watched")
    for event, fault in _faults(recorded, but=(RESTART,)):
        timeline = _timeline(found, recorded, event, fault)
        if timeline is None:
            continue
        for protocol in protocols:
            moments = [
                takeover.Moment(back.at_ns, back.uncertainty_ns)
                for back in backs
                if back["protocol"] == protocol
            ]
            watched = takeover.with_answers(timeline, (), moments)
            takeover.judge_stage(found, [watched], Stage.TUNNEL, limits[protocol])
    return found.verdict(f"{', '.join(protocols)} back in time")
