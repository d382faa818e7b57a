"""FO-27: after a clean stop the standby takes over, and the stopped node lets go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from checks.engine.lateness import FRAME_LATE_S, missed, unclear
from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check, measures
from checks.failover import whole_run
from checks.failover.recorded import Recorded
from checks.failover.stages import Stage, figures, measured, owe_stage, owe_stopped
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
    """Owe of every clean stop that it is soon, keeps its budgets, and frees the virtual IP."""
    found = takeovers(recorded, owed, only=(CLEAN_STOP,))
    for takeover in found:
        budget = takeover.peer.engine.clean_stop_to_takeover()
        # The stop command takes its time; ucarp goes on advertising until it ends.
        limits = [Budget(0, budget.maximum_s, budget.formula, budget.source)]
        if guide:
            limits.append(Budget(0, budgets.GUIDE_TAKEOVER_S, "the guide's limit", "FO-27"))
        for limit in limits:
            owe_stage(owed, takeover, Stage.SILENCE, limit, recorded.lateness)
        owe_stopped(owed, recorded, takeover)
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
    taken_ns = takeover.first.at_ns
    late_s = (stopped.at_ns - taken_ns) / NS
    # keepalived drops the address, and says goodbye, as the first thing; the rest of the service
    # may take its time. With ucarp the address goes with the end of the stop.
    if recorded.pair.engine == "ucarp" and late_s > ADDRESS_GONE_S:
        why = f"{node.name} was still stopping {late_s:.1f} s after {takeover.peer.name} took over"
        span, whose = (taken_ns, stopped.at_ns), {node.name, "scenario"}
        late = recorded.lateness
        missed(gone, why, late_s - ADDRESS_GONE_S, span, whose, late, stopped.place)
    _settle_gone(gone, recorded, takeover, stopped)


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
    gone: Obligation, recorded: Recorded, takeover: Takeover, stopped: ServiceStopped
) -> None:
    """Discharge an obligation where a stopped node was seen without the virtual IP in time.

    Break it where it was seen with it later; who looked too late shows nothing.
    """
    name, virtual_ip = takeover.victim.name, recorded.pair.virtual_ip
    limit_ns = stopped.at_ns + int(ADDRESS_GONE_S * NS)
    read_late: list[AddressesHeld] = []
    for reading in recorded.evidence.events(AddressesHeld, name):
        held, late_s = virtual_ip in reading.held, (reading.at_ns - limit_ns) / NS
        if not stopped.at_ns <= reading.at_ns <= takeover.until_ns:
            continue
        if not held and late_s <= 0:
            gone.met(reading.place)
        elif held and late_s > 0:
            why = f"{name} still holds the virtual IP more than 1 s after its stop"
            span = stopped.at_ns, reading.at_ns
            missed(gone, why, late_s, span, {name}, recorded.lateness, reading.place)
        elif not held:
            read_late.append(reading)
    if read_late and not gone.shown and not gone.delays:
        read_ns = read_late[0].at_ns
        why = f"not shown: {gone.what}: read {(read_ns - stopped.at_ns) / NS:.1f} s after its stop"
        span, whose = (stopped.at_ns, read_ns), {name, "scenario"}
        unclear(gone, why, (read_ns - limit_ns) / NS, span, whose, recorded.lateness)
