"""FO-28 to 30: what a node that comes back does, and how the guide moves the role back."""

from __future__ import annotations

from itertools import pairwise

from checks.engine.registry import check
from checks.engine.verdict import Findings, Verdict, combine
from checks.failover import timeline as takeover
from checks.failover import whole_run
from checks.failover.pair import Recorded
from checks.failover.takeovers import RESTART, figures, measured
from checks.protocols import heartbeat
from checks.protocols.budgets import GUIDE_TAKEOVER_S, Budget
from evidence.history import Event
from evidence.scenario import Evidence

WATCH_S = 60.0
CYCLES = 8
GAP_FACTOR = 1.5
"""The longest gap of a node that stays active, in its periods."""


@check("FO-28")
def a_returning_node_stays_standby(evidence: Evidence) -> Verdict:
    """Judge that the old active node sends nothing in the 60 s after its return."""
    recorded = Recorded(evidence)
    return combine(
        [
            judge_return(recorded),
            whole_run.no_unexplained_role_change(recorded),
            whole_run.no_two_holders(recorded),
        ]
    )


def judge_return(recorded: Recorded) -> Verdict:
    """Count the advertisements of a returned node, and look for the virtual IP on it."""
    found = Findings()
    evidence = recorded.evidence
    recorded.heard_of_pair()
    for event in evidence.need("node.returned"):
        node = recorded.pair.node(str(event["node"]))
        end_ns = min(
            [evidence.window.until_ns]
            + [fault.at_ns for fault in evidence.events("fault.begin") if fault.at_ns > event.at_ns]
        )
        found.saw(event.place, evidence.capture_place)
        watched = (end_ns - event.at_ns) / heartbeat.NS
        if watched < WATCH_S:
            found.gap(f"{node.name} was watched for {watched:.0f} s after its return, not 60")
        beats = recorded.sent.of(node.address).between(_gone_until(recorded, event), end_ns)
        found.require(
            not len(beats), f"{node.name} sent {len(beats)} advertisement(s) on its return"
        )
        peer = recorded.pair.peer_of(node.name)
        if not len(recorded.passed.of(peer.address).between(event.at_ns, end_ns)):
            found.gap(f"nobody was active when {node.name} came back")
        seen = [
            reading
            for reading in evidence.events("addresses", node.name)
            if event.at_ns <= reading.at_ns <= end_ns
        ]
        if not seen:
            found.gap(f"{node.name}'s addresses were not read after its return")
        found.require(
            not any(recorded.pair.virtual_ip in reading["held"] for reading in seen),
            f"{node.name} holds the virtual IP after its return",
        )
    return found.verdict("0 advertisements in 60 s after the return")


def _gone_until(recorded: Recorded, returned: Event) -> int:
    """Return from when (ns) a node may come back: its fault is over, its machine yet to boot."""
    overs = recorded.evidence.events("fault.over")
    before = [
        over.at_ns
        for over in overs
        if over["node"] == returned["node"] and over.at_ns <= returned.at_ns
    ]
    return max(before, default=returned.at_ns)


@check("FO-29")
def a_reboot_loop_moves_nothing(evidence: Evidence) -> Verdict:
    """Judge eight reboot cycles of one node: no change of role, no gap in the heartbeat."""
    recorded = Recorded(evidence)
    found = Findings()
    recorded.heard_of_pair()
    for begin, end in recorded.spans("reboot.loop"):
        found.saw(begin.place, end.place, evidence.capture_place)
        if int(end["cycles"]) < CYCLES:
            found.gap(f"{end['cycles']} reboot cycles, {CYCLES} are needed")
        active = recorded.pair.peer_of(str(begin["node"]))
        span = recorded.sent.in_group(recorded.pair.vhid).between(begin.at_ns, end.at_ns)
        changes = heartbeat.role_changes(span, recorded.pair.vhid)
        found.require(not changes, f"{len(changes)} change(s) of role in the reboot loop")
        beats = span.of(active.address).beats
        if not beats:
            found.gap(f"{active.name} was not active in the reboot loop")
            continue
        edges_ns = [begin.at_ns, *(beat.at_ns for beat in beats), end.at_ns]
        longest = max((later - earlier) / heartbeat.NS for earlier, later in pairwise(edges_ns))
        limit = GAP_FACTOR * active.engine.period_s
        found.require(
            longest < limit, f"{active.name} was silent for {longest:.3f} s, limit {limit:.3f} s"
        )
    return combine([found.verdict("0 changes of role"), whole_run.no_two_holders(recorded)])


@check("FO-30")
def restarting_the_active_secondary_fails_back(evidence: Evidence) -> Verdict:
    """Judge that after a restart of the active secondary the primary is active, and stays so."""
    recorded = Recorded(evidence)
    found = Findings()
    secondary = recorded.pair.secondary
    timelines = []
    for event, fault in recorded.faults():
        if fault.name != RESTART or fault.victim != secondary.address:
            continue
        timeline = measured(found, recorded, event, fault)
        if timeline is None:
            continue
        timelines.append(timeline)
        engine = recorded.pair.peer_of(secondary.name).engine
        takeover.judge_stage(
            found, [timeline], takeover.Stage.SILENCE, engine.last_advert_to_takeover()
        )
        limit = Budget(0, GUIDE_TAKEOVER_S, "the guide's few seconds", "FO-30")
        takeover.judge_stage(found, [timeline], takeover.Stage.TAKEOVER, limit)
        if timeline.first is not None:
            _judge_stay(found, recorded, timeline.first, fault.until_ns)
    if not timelines and not found.gaps:
        found.gap("no restart of the active secondary was recorded")
    return combine(
        [
            found.verdict(f"{len(timelines)} of {len(timelines)} moved", *figures(timelines)),
            whole_run.no_two_holders(recorded),
        ]
    )


def _judge_stay(found: Findings, recorded: Recorded, first: heartbeat.Beat, until_ns: int) -> None:
    """Judge that the primary kept the role that moved to it with an advertisement.

    The restarted node's own timer may run out before it has heard the primary (ucarp listens up
    to a second late). The two then meet, and it gives way: that may last as long as an election.
    """
    secondary = recorded.pair.secondary
    primary = recorded.pair.peer_of(secondary.name)
    watched_s = (until_ns - first.at_ns) / heartbeat.NS
    if watched_s < secondary.engine.last_advert_to_takeover().maximum_s:
        found.gap(f"{primary.name} was watched for {watched_s:.1f} s after the role had moved")
    claims = recorded.aired.of(secondary.address).between(first.at_ns, until_ns).beats
    if claims:
        claimed_s = (claims[-1].at_ns - claims[0].at_ns) / heartbeat.NS
        found.require(
            claimed_s <= whole_run.healing_s(recorded),
            f"{secondary.name} advertised for {claimed_s:.1f} s after the role had moved",
        )
    kept = recorded.aired.of(primary.address).between(first.at_ns, until_ns).beats
    edges_ns = [*(beat.at_ns for beat in kept), until_ns]
    silent_s = max((later - earlier) / heartbeat.NS for earlier, later in pairwise(edges_ns))
    found.require(
        silent_s < GAP_FACTOR * primary.engine.period_s,
        f"{primary.name} fell silent after the role had moved to it, for {silent_s:.1f} s",
    )
