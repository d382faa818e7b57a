"""FO-27: after a clean stop the standby takes over, and the stopped node lets go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from checks.engine.lateness import FRAME_LATE_S, missed, unclear
from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check, measures
from checks.failover import whole_run
from checks.failover.recorded import Recorded
from checks.failover.stages import Stage, figures, measured, owe_stage
from checks.failover.takeover import CLEAN_STOP, Takeover, takeovers
from checks.failover.takeovers import owe_stays
from checks.protocols import budgets
from checks.protocols.budgets import Budget
from evidence.events.takeover import AddressesHeld, ServiceStopped
from evidence.moment import NS
from evidence.scenario import Evidence

ADDRESS_GONE_S = 1.0


@measures("FO-27")
def the_clean_stops(evidence: Evidence) -> Mapping[str, Sequence[float]]:
    """Measure the takeovers after clean stops."""
    return measured(takeovers(Recorded(evidence), Obligations(), only=(CLEAN_STOP,)))


@check("FO-27")
def a_clean_stop_hands_over(evidence: Evidence, owed: Obligations) -> None:
    """Judge that after a clean stop the peer takes over and the old node drops the virtual IP."""
    recorded = Recorded(evidence)
    owe_clean_stops(owed, recorded, guide=True)
    whole_run.owe_one_master(owed, recorded)


def owe_clean_stops(owed: Obligations, recorded: Recorded, *, guide: bool) -> None:
    """Owe of every clean stop that it keeps its budgets, and frees the virtual IP.

    How soon the node falls silent is promised nowhere, and told: Debian's `service` looks through
    all socket units before it stops anything, which is 9 s of an emulated machine.
    """
    found = takeovers(recorded, owed, only=(CLEAN_STOP,))
    for takeover in found:
        budget = takeover.peer.engine.clean_stop_to_takeover()
        # The stop command takes its time; ucarp goes on advertising until it ends.
        limits = [Budget(0, budget.maximum_s, budget.formula, budget.source)]
        if guide:
            limits.append(Budget(0, budgets.GUIDE_TAKEOVER_S, "the guide's limit", "FO-27"))
        for limit in limits:
            owe_stage(owed, takeover, Stage.SILENCE, limit, recorded.lateness)
        _owe_let_go(owed, recorded, takeover)
        owe_stays(owed, recorded, takeover)
    owed.tell(*(f"{CLEAN_STOP}, {figure}" for figure in figures(found)))


def _owe_let_go(owed: Obligations, recorded: Recorded, takeover: Takeover) -> None:
    """Owe that the stopped node is silent, and without the virtual IP within 1 s, for good."""
    node, fault = takeover.victim, takeover.fault
    stops = recorded.evidence.events(ServiceStopped, node.name)
    stopped = next((one for one in stops if fault.at.at_ns <= one.at_ns <= fault.until_ns), None)
    if stopped is None or takeover.first is None:
        owed.open(f"{takeover}: when the stop had ended was not recorded")
        return
    _owe_silent(owed, recorded, takeover, stopped)
    gone = owed.owe(f"{takeover}: the virtual IP is gone within {ADDRESS_GONE_S:.0f} s, for good")
    # The rest of the service may stop after the heartbeat, and take its time. keepalived drops the
    # address as the first thing; ucarp as it ends, long before its peer can take over.
    since, what = stopped.at_ns, "its stop"
    if recorded.pair.engine == "ucarp" and takeover.first.at_ns < since:
        since, what = takeover.first.at_ns, f"{takeover.peer.name} took over"
    _settle_gone(gone, recorded, takeover, stopped, since, what)


def _owe_silent(
    owed: Obligations, recorded: Recorded, takeover: Takeover, stopped: ServiceStopped
) -> None:
    """Owe that a stopped node advertises no more; a goodbye claims nothing.

    The last advertisement may be late on the wire.
    """
    name = takeover.victim.name
    one = owed.owe(f"{takeover}: no advertisement after its stop had ended")
    since_ns = stopped.moment.latest_ns + int(FRAME_LATE_S * NS)
    sent = recorded.sent.of(name).between(since_ns, takeover.until_ns)
    if after := [advert.at_ns for advert in sent if not advert.resigning]:
        why = f"{name} advertised {len(after)} time(s) after its stop had ended"
        excess_s, span = max(1, after[-1] - since_ns) / NS, (stopped.at_ns, after[-1])
        late, places = recorded.lateness, (stopped.place, recorded.wire)
        missed(one, why, excess_s, span, {name, "wire"}, late, *places)
    one.met(stopped.place, recorded.wire)


def _settle_gone(
    gone: Obligation,
    recorded: Recorded,
    takeover: Takeover,
    stopped: ServiceStopped,
    since_ns: int,
    since: str,
) -> None:
    """Discharge an obligation where a node was seen without the virtual IP in time, and at last.

    By readings of its addresses from the fault on, one of them after the stop had ended. Break it
    where it was seen with it later than that; who looked too late shows nothing. since: what the
    time is counted from, which was at `since_ns`.
    """
    name, virtual_ip = takeover.victim.name, recorded.pair.virtual_ip
    limit_ns = since_ns + int(ADDRESS_GONE_S * NS)
    whose = {name, "scenario"}
    free: list[AddressesHeld] = []
    for reading in recorded.evidence.events(AddressesHeld, name):
        if not takeover.injected.at_ns <= reading.at_ns <= takeover.until_ns:
            continue
        if virtual_ip not in reading.held:
            free.append(reading)
            continue
        free.clear()  # whatever it was seen without before, it has it back
        if reading.at_ns > limit_ns:
            after_s = (reading.at_ns - since_ns) / NS
            why = f"{name} still holds the virtual IP {after_s:.1f} s after {since}"
            span, late_s = (since_ns, reading.at_ns), (reading.at_ns - limit_ns) / NS
            missed(gone, why, late_s, span, whose, recorded.lateness, reading.place)
    after = [reading for reading in free if reading.at_ns >= stopped.at_ns]
    if not after:
        return
    if free[0].at_ns <= limit_ns:
        gone.met(free[0].place, after[-1].place)
    elif not gone.delays:
        seen_ns = free[0].at_ns
        why = f"not shown: {gone.what}: its virtual IP was seen to be gone"
        why = f"{why} {(seen_ns - since_ns) / NS:.1f} s after {since}, and not sooner"
        span, late_s = (since_ns, seen_ns), (seen_ns - limit_ns) / NS
        unclear(gone, why, late_s, span, whose, recorded.lateness, free[0].place)
