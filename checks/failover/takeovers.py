"""FO-24, 25, 27: how fast the standby takes over, after a crash and after a clean stop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from checks.engine.registry import check, measures
from checks.engine.verdict import Findings, Verdict, combine
from checks.failover import timeline as takeover
from checks.failover import whole_run
from checks.failover.pair import Recorded
from checks.failover.timeline import Fault, Stage, Timeline
from checks.protocols import budgets, heartbeat
from checks.protocols.budgets import Budget
from evidence.errors import Imprecise, Missing
from evidence.history import Event
from evidence.scenario import Evidence

CLEAN_STOP = "service-stop"
RESTART = "service-restart"
ADDRESS_GONE_S = 1.0


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


@measures("FO-24")
def the_crashes(evidence: Evidence) -> Sequence[Timeline]:
    """Measure the takeovers after crashes."""
    return _measurable(Recorded(evidence), but=(CLEAN_STOP, RESTART))


def judge_takeovers(recorded: Recorded, *, guide: bool) -> Verdict:
    """Hold every takeover but those of clean stops and restarts against the budgets.

    guide: also against the guide's own limit; another engine has only its own timers.
    """
    found = Findings()
    crashes = faults_but(recorded, but=(CLEAN_STOP, RESTART))
    if not crashes:
        raise Missing("no fault was recorded that calls for a takeover")
    timelines = [measured(found, recorded, event, fault) for event, fault in crashes]
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


def faults_but(recorded: Recorded, *, but: Sequence[str] = ()) -> list[tuple[Event, Fault]]:
    """List the faults that call for a takeover, without those of some names."""
    return [
        (event, fault)
        for event, fault in recorded.faults()
        if fault.name not in but and event.data.get("expects_takeover", True)
    ]


def measured(found: Findings, recorded: Recorded, event: Event, fault: Fault) -> Timeline | None:
    """Measure one takeover; what cannot be measured becomes a gap, and None."""
    found.saw(event.place, recorded.evidence.capture_place)
    try:
        return recorded.timeline(fault)
    except (Missing, Imprecise) as error:
        found.gap(error.message)
        return None


def _measurable(recorded: Recorded, *, but: Sequence[str]) -> list[Timeline]:
    """Measure what takeovers can be measured; that one cannot, its judging has said."""
    return [timeline for _, _, timeline in each_takeover(Findings(), recorded, but=but)]


def each_takeover(
    found: Findings, recorded: Recorded, *, but: Sequence[str] = ()
) -> Iterator[tuple[Event, Fault, Timeline]]:
    """Yield every takeover that can be measured; what cannot, and that there was none, is a gap."""
    seen = False
    for event, fault in faults_but(recorded, but=but):
        timeline = measured(found, recorded, event, fault)
        if timeline is not None:
            seen = True
            yield event, fault, timeline
    if not seen and not found.gaps:
        found.gap("no takeover was recorded")


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
    """Judge the time from the fault until each service that is asked for answers again."""
    recorded = Recorded(evidence)
    found = Findings()
    limit = Budget(0, budgets.GUIDE_SERVICE_S, "the guide's 5 to 10 seconds", "FO-25")
    timelines = [timeline for _, _, timeline in each_takeover(found, recorded, but=(RESTART,))]
    takeover.judge_stage(found, timelines, Stage.SERVICE, limit)
    asked = ", ".join(f"{protocol} {port}" for protocol, port in recorded.services())
    return found.verdict(f"{asked} on the virtual IP", *figures(timelines))


@measures("FO-25")
def the_takeovers_of_services(evidence: Evidence) -> Sequence[Timeline]:
    """Measure the takeovers after which services are asked for."""
    return _measurable(Recorded(evidence), but=(RESTART,))


@measures("FO-27")
def the_clean_stops(evidence: Evidence) -> Sequence[Timeline]:
    """Measure the takeovers after clean stops."""
    recorded = Recorded(evidence)
    others = {fault.name for _, fault in faults_but(recorded)} - {CLEAN_STOP}
    return _measurable(recorded, but=tuple(others))


@check("FO-27")
def a_clean_stop_hands_over(evidence: Evidence) -> Verdict:
    """Judge that after a clean stop the peer takes over and the old node drops the virtual IP."""
    return judge_clean_stop(Recorded(evidence), guide=True)


def judge_clean_stop(recorded: Recorded, *, guide: bool) -> Verdict:
    """Hold every clean stop against the budgets, and the old node's addresses against 1 s."""
    found = Findings()
    stops = [pair for pair in faults_but(recorded) if pair[1].name == CLEAN_STOP]
    if not stops:
        found.gap(f"no {CLEAN_STOP} was recorded")
    seen = []
    for event, fault in stops:
        timeline = measured(found, recorded, event, fault)
        if timeline is not None:
            seen.append(timeline)
            budget = _standby_engine(recorded, fault).clean_stop_to_takeover()
            # The stop command takes its time; ucarp goes on advertising until it ends.
            takeover.judge_stage(
                found, [timeline], Stage.SILENCE, Budget(0, budget.maximum_s, *_words(budget))
            )
            if guide:
                limit = Budget(0, budgets.GUIDE_TAKEOVER_S, "the guide's limit", "FO-27")
                takeover.judge_stage(found, [timeline], Stage.SILENCE, limit)
        _judge_silenced(found, recorded, str(event["node"]), fault)
        _judge_address_gone(found, recorded, str(event["node"]), fault)
    return found.verdict(
        "the peer takes over, the virtual IP is gone from the old node",
        *(f"{CLEAN_STOP}, {figure}" for figure in figures(seen)),
    )


def _words(budget: Budget) -> tuple[str, str]:
    return budget.formula, budget.source


def _stopped(recorded: Recorded, node: str, fault: Fault) -> Event | None:
    """Find when the stop command had ended, if that was recorded."""
    ends = recorded.evidence.events("service.stopped", node)
    return next((end for end in ends if fault.at.at_ns <= end.at_ns <= fault.until_ns), None)


def _judge_silenced(found: Findings, recorded: Recorded, node: str, fault: Fault) -> None:
    """Judge that a stopped node advertises no more once its stop command has ended."""
    stopped = _stopped(recorded, node, fault)
    if stopped is None:
        found.gap(f"when the stop of {node} had ended was not recorded")
        return
    after = recorded.sent.of(fault.victim).between(stopped.at_ns, fault.until_ns)
    found.require(
        not len(after), f"{node} advertised {len(after)} time(s) after its stop had ended"
    )


def _judge_address_gone(found: Findings, recorded: Recorded, node: str, fault: Fault) -> None:
    """Judge by a reading within 1 s of the stop that the virtual IP is gone, and by later ones."""
    stopped = _stopped(recorded, node, fault)
    start_ns = fault.at.at_ns if stopped is None else stopped.at_ns
    limit_ns = start_ns + int(ADDRESS_GONE_S * heartbeat.NS)
    held = [
        event
        for event in recorded.evidence.events("addresses", node)
        if start_ns <= event.at_ns <= fault.until_ns
    ]
    found.saw(*(event.place for event in held))
    virtual_ip = recorded.pair.virtual_ip
    still = [event for event in held if virtual_ip in event["held"] and event.at_ns > limit_ns]
    found.require(not still, f"{node} still holds the virtual IP more than 1 s after its stop")
    in_time = [event for event in held if event.at_ns <= limit_ns]
    if not still and not any(virtual_ip not in event["held"] for event in in_time):
        found.gap(f"{node} was not seen without the virtual IP within 1 s of its stop")
