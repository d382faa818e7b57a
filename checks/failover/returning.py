"""FO-28 to 30: what a node that comes back does, and how the guide moves the role back."""

from __future__ import annotations

from checks.engine.lateness import missed, unclear
from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.failover import whole_run
from checks.failover.claims import ANNOUNCED_BEFORE_S, announced
from checks.failover.hearing import moved_late
from checks.failover.keeping import longest_gap, settle_kept
from checks.failover.pair import Node
from checks.failover.recorded import Recorded
from checks.failover.regained import regained_late
from checks.failover.senders import verifies
from checks.failover.stages import Stage, figures, owe_stage
from checks.failover.takeover import RESTART, Takeover, takeovers
from checks.failover.takeovers import unheard_s
from checks.protocols.budgets import GUIDE_TAKEOVER_S, Budget
from checks.protocols.heartbeat import Heartbeat
from evidence.events.takeover import (
    AddressesHeld,
    FailbacksPlanned,
    FaultWatched,
    NodeReturned,
    RebootLoopBegan,
    RebootLoopEnded,
)
from evidence.moment import NS
from evidence.scenario import Evidence

WATCH_S = 60.0
CYCLES = 8
GAP_FACTOR = 1.5
"""The longest gap of a node that stays active, in its periods."""
STOPPED_S = 5.0
"""FO-30: by then a restart has ended the old process; 1 to 2.5 s were seen."""


@check("FO-28")
def a_returning_node_stays_standby(evidence: Evidence, owed: Obligations) -> None:
    """Judge that the old active node claims nothing in the 60 s after its return."""
    recorded = Recorded(evidence)
    owe_return(owed, recorded)
    whole_run.owe_no_unexplained_role_change(owed, recorded)
    whole_run.owe_one_master(owed, recorded)


def owe_return(owed: Obligations, recorded: Recorded) -> None:
    """Owe that a node which has failed and is back stays standby, until the window ends."""
    recorded.heard_of_pair()
    for returned in recorded.evidence.need(NodeReturned):
        takeovers(recorded, owed, of=returned.node)
        _owe_standby(owed, recorded, returned)


def _owe_standby(owed: Obligations, recorded: Recorded, returned: NodeReturned) -> None:
    node, peer = recorded.pair.node(returned.node), recorded.pair.peer_of(returned.node)
    end_ns = whole_run.undisturbed_until(recorded, returned.at_ns)
    silent = owed.owe(f"0 advertisements of {node.name} in {WATCH_S:.0f} s after its return")
    watched_s = (end_ns - returned.moment.latest_ns) / NS
    if watched_s < WATCH_S:
        silent.doubt(f"{node.name} was watched for {watched_s:.0f} s after its return, not 60")
    sent = recorded.sent.of(node.name).between(_gone_until(recorded, returned), end_ns)
    why = f"{node.name} sent {len(sent)} advertisement(s) on its return"
    if late := moved_late(recorded, sent):
        silent.late(f"{why}, but {late}", returned.place, recorded.wire)
        end_ns = sent.adverts[0].at_ns - int(ANNOUNCED_BEFORE_S * NS)  # what follows is not judged
    else:
        silent.settle(not len(sent), why, returned.place, recorded.wire)
    active = owed.owe(f"{peer.name} active while {node.name} is back")
    kept = recorded.passed.of(peer.name).between(returned.at_ns, end_ns)
    longest = longest_gap(kept, returned.at_ns, end_ns)
    if longest[0] > recorded.pair.dead_s:
        why = f"nobody was active for {longest[0]:.1f} s after {node.name} came back"
        span = longest[1][0] + int(peer.engine.period_s * NS), longest[1][1]
        excess_s, whose = longest[0] - recorded.pair.dead_s, {peer.name, "wire"}
        unclear(active, why, excess_s, span, whose, recorded.lateness)
    active.met(recorded.wire)
    _owe_without_virtual_ip(owed, recorded, returned, peer, end_ns, late)


def _owe_without_virtual_ip(
    owed: Obligations,
    recorded: Recorded,
    returned: NodeReturned,
    peer: Node,
    end_ns: int,
    late: str | None,
) -> None:
    """Owe that a returned node holds no virtual IP: neither the configured nor the announced one.

    It has it when it takes the role, not before: a reading sooner than that shows nothing.
    late: why it had to take the role at `end_ns`, if it had to.
    """
    node, configured = recorded.pair.node(returned.node), recorded.pair.virtual_ip
    one = owed.owe(f"{node.name} back without the virtual IP")
    others = announced(recorded, peer) - {configured, node.address}
    virtual = {configured, *others}
    if others:
        one.doubt(
            f"{peer.name} announces {', '.join(sorted(others))}, but {configured} is configured",
            recorded.wire,
        )
    _doubt_other_address(one, recorded, peer)
    could_ns = returned.at_ns + int(node.engine.last_advert_to_takeover().maximum_s * NS)
    for reading in recorded.evidence.events(AddressesHeld, node.name):
        if not returned.at_ns <= reading.at_ns <= end_ns:
            continue
        for address in sorted(virtual & set(reading.held)):
            why = f"{node.name} holds the virtual IP {address} after its return"
            one.broken(why, reading.place)
        if reading.at_ns >= could_ns:
            one.met(reading.place)
    since_ns = _gone_until(recorded, returned)
    claimed = [
        seen
        for seen in recorded.arps
        if since_ns <= seen.at_ns <= end_ns
        and seen.arp.sender in virtual
        and recorded.pair.node_at(seen.port) == node
    ]
    if claimed:
        why = f"{node.name} claimed the virtual IP by ARP {len(claimed)} time(s) after its return"
        one.broken(why, recorded.wire)
    if not one.shown:
        why = f"{node.name}'s addresses were not read after it could have taken the role"
        one.late(f"{why}, but {late}") if late else one.doubt(why)


def _doubt_other_address(one: Obligation, recorded: Recorded, peer: Node) -> None:
    """Doubt that the configured virtual IP is in force where no advertisement is made for it."""
    sent = [seen for seen in recorded.passed.of(peer.name) if not seen.resigning]
    if sent and not any(verifies(seen.advert, recorded.pair) for seen in sent):
        one.doubt(f"no advertisement of {peer.name} is one for {recorded.pair.virtual_ip}")


def _gone_until(recorded: Recorded, returned: NodeReturned) -> int:
    """Return from when (ns) a node may come back: its fault is over, its machine yet to boot."""
    before = [
        over.at_ns
        for over in recorded.evidence.events(FaultWatched)
        if over.node == returned.node and over.at_ns <= returned.at_ns
    ]
    return max(before, default=returned.at_ns)


@check("FO-29")
def a_reboot_loop_moves_nothing(evidence: Evidence, owed: Obligations) -> None:
    """Judge eight reboot cycles of one node: no change of role, no gap in the heartbeat."""
    recorded = Recorded(evidence)
    recorded.heard_of_pair()
    for begin, end in recorded.spans(RebootLoopBegan, RebootLoopEnded):
        places = (begin.place, end.place, recorded.wire)
        owed.at_least(CYCLES, range(end.cycles), "reboot cycles", *places)
        active = recorded.pair.peer_of(begin.node)
        sent, end_ns = recorded.sent.between(begin.at_ns, end.at_ns), end.at_ns
        for name in sorted(sent.senders() - {active.name}):
            own, one = sent.of(name), owed.owe(f"0 advertisements of {name}")
            why = f"{name} sent {len(own)} advertisement(s) in the reboot loop"
            if name == begin.node and (late := moved_late(recorded, own)):
                one.late(f"{why}, but {late}", recorded.wire)
                end_ns = own.adverts[0].at_ns  # what follows is not judged
            else:
                one.broken(why, recorded.wire)
        kept = recorded.passed.of(active.name).between(begin.at_ns, end_ns)
        what = f"{active.name} active in the whole reboot loop, 0 changes of role"
        _owe_unbroken(owed, recorded, what, active, kept, (begin.at_ns, end_ns))
        _owe_seen_up(owed, recorded, begin, end)
    whole_run.owe_no_unexplained_role_change(owed, recorded)
    whole_run.owe_one_master(owed, recorded)


def _owe_seen_up(
    owed: Obligations, recorded: Recorded, begin: RebootLoopBegan, end: RebootLoopEnded
) -> None:
    """Owe that in each cycle the node was up for so long that it could have taken the role.

    By a reading of its addresses. One that is reset before that moves nothing, whatever it would
    do. That it holds no virtual IP is owed with the one holder.
    """
    node = recorded.pair.node(begin.node)
    returns = [
        one
        for one in recorded.evidence.events(NodeReturned)
        if one.node == node.name and begin.at_ns <= one.at_ns <= end.at_ns
    ]
    places = [one.place for one in returns] or [begin.place]
    owed.at_least(CYCLES, returns, f"returns of {node.name} in its reboot loop", *places)
    could_s = node.engine.last_advert_to_takeover().maximum_s
    ends_ns = [*(one.at_ns for one in returns[1:]), end.at_ns]
    for number, (returned, until_ns) in enumerate(zip(returns, ends_ns, strict=False), start=1):
        one = owed.owe(f"{node.name} up when it could have taken the role, in cycle {number}")
        could_ns = returned.moment.latest_ns + int(could_s * NS)
        for reading in recorded.evidence.events(AddressesHeld, node.name):
            if could_ns <= reading.at_ns <= until_ns:
                one.met(returned.place, reading.place)
        if not one.shown:
            why = f"{node.name} was not seen to be up {could_s:.1f} s after its return"
            one.doubt(f"{why}, in cycle {number}", returned.place)


@check("FO-30")
def restarting_the_active_secondary_fails_back(evidence: Evidence, owed: Obligations) -> None:
    """Judge that after a restart of the active secondary the primary is active, and stays so.

    Once, or as many times as an older run has planned. The guide's few seconds begin with the last
    advertisement: the restart command takes its time, and ucarp advertises until it is stopped.
    """
    recorded = Recorded(evidence)
    secondary, primary = recorded.pair.secondary, recorded.pair.primary
    found = takeovers(recorded, owed, only=(RESTART,), of=secondary.name)
    tried = [one for one in recorded.faults() if (one.name, one.victim) == (RESTART, secondary)]
    planned = [plan.times for plan in evidence.events(FailbacksPlanned)]
    what = f"fail-backs by a restart of the active {secondary.name}"
    owed.at_least(sum(planned) or 1, tried, what, recorded.wire)
    budget = primary.engine.restart_to_takeover()
    guide = Budget(0, GUIDE_TAKEOVER_S, "the guide's few seconds", "FO-30")
    for takeover in found:
        slack_s = unheard_s(recorded, takeover)
        owe_stage(owed, takeover, Stage.SILENCE, budget, recorded.lateness, slack_s=slack_s)
        owe_stage(owed, takeover, Stage.SILENCE, guide, recorded.lateness)
        _owe_stopped(owed, recorded, takeover)
        _owe_stay(owed, recorded, takeover)
    owed.tell(*figures(found))
    whole_run.owe_one_master(owed, recorded)
    if found:  # of the role that a fail-back has moved
        whole_run.owe_no_unexplained_role_change(owed, recorded)


def _owe_stopped(owed: Obligations, recorded: Recorded, takeover: Takeover) -> None:
    """Owe that a restart has silenced the node soon, from asking for it on.

    What follows is measured from its last advertisement, so that does not show it.
    """
    one = owed.owe(f"{takeover}: silent within {STOPPED_S:.0f} s")
    span = takeover.injected.latest_ns, takeover.last.at_ns
    took_s = (span[1] - span[0]) / NS
    if took_s > STOPPED_S:
        why = f"{takeover}: it advertised on for {took_s:.1f} s, limit {STOPPED_S:.0f} s"
        whose, late_s = {takeover.victim.name, "scenario"}, took_s - STOPPED_S
        missed(one, why, late_s, span, whose, recorded.lateness, recorded.wire)
    one.met(*takeover.places)


def _owe_stay(owed: Obligations, recorded: Recorded, takeover: Takeover) -> None:
    """Owe that the primary keeps the role that moved to it, until the watch ends.

    The restarted node's own timer may run out before it has heard the primary (ucarp listens up
    to a second late). The two then meet, and it gives way: that may last as long as an election.
    """
    old, new, since_ns = takeover.victim, takeover.peer, takeover.taken.at_ns
    stays = owed.owe(f"{takeover}: {old.name} takes nothing back")
    watched_s = (takeover.until_ns - since_ns) / NS
    if watched_s < old.engine.last_advert_to_takeover().maximum_s:
        stays.doubt(f"{new.name} was watched for {watched_s:.1f} s after the role had moved")
    claims = recorded.aired.of(old.name).between(since_ns, takeover.until_ns).adverts
    span = (claims[0].at_ns, claims[-1].at_ns) if claims else (since_ns, since_ns)
    claimed_s = (span[1] - span[0]) / NS
    if late := regained_late(recorded, takeover):
        stays.late(late, recorded.wire)
        return
    if claimed_s > recorded.pair.healing_s:
        why = f"{old.name} advertised for {claimed_s:.1f} s after the role had moved"
        excess_s, whose = claimed_s - recorded.pair.healing_s, {old.name, new.name, "wire"}
        missed(stays, why, excess_s, span, whose, recorded.lateness, recorded.wire)
    stays.met(*takeover.places)
    kept = recorded.passed.of(new.name).between(since_ns, takeover.until_ns)
    what = f"{takeover}: {new.name} active from then on"
    _owe_unbroken(owed, recorded, what, new, kept, (since_ns, takeover.until_ns))


def _owe_unbroken(
    owed: Obligations,
    recorded: Recorded,
    what: str,
    node: Node,
    kept: Heartbeat,
    span: tuple[int, int],
) -> None:
    """Owe that a node advertised without a gap over a span, its edges included."""
    one = owed.owe(what)
    if not len(kept):
        one.doubt(f"not shown: {what}: it sent no advertisement", recorded.wire)
        return
    settle_kept(one, recorded, node, kept, span, GAP_FACTOR * node.engine.period_s)
