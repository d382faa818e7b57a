"""FO-24, 25: how fast the standby takes over after a crash, and the service is back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from checks.engine.in_time import Span, Watch, owe_in_time
from checks.engine.lateness import explain, missed, unclear
from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check, measures
from checks.failover import whole_run
from checks.failover.keeping import settle_stays
from checks.failover.recorded import Recorded
from checks.failover.regained import regained_late
from checks.failover.served import Served
from checks.failover.serving import ANSWERS_S, SERVICES
from checks.failover.stages import Stage, figures, from_fault, measured, owe_stage
from checks.failover.takeover import CLEAN_STOP, RESTART, Takeover, takeovers
from checks.protocols import budgets
from checks.protocols.budgets import Budget
from checks.protocols.heartbeat import Advertised
from evidence.events.takeover import (
    GuestCaptured,
    ServiceProbed,
)
from evidence.moment import NS, Moment
from evidence.scenario import Evidence

STAYS_S = 5.0
"""FO-25: a service that is back answers again so long after its first answer, at the least."""
CAPTURES_AGREE_S = 0.010
"""How far the wire's and a guest's own capture may differ about one takeover."""


@check("FO-24")
def a_crash_makes_the_standby_active(evidence: Evidence, owed: Obligations) -> None:
    """Judge every takeover by the configured budget and the guide's "a few seconds"."""
    recorded = Recorded(evidence)
    owe_takeovers(owed, recorded, guide=True)
    whole_run.owe_one_master(owed, recorded)
    whole_run.owe_no_unexplained_role_change(owed, recorded)


@measures("FO-24")
def the_crashes(evidence: Evidence) -> Mapping[str, Sequence[float]]:
    """Measure the takeovers after crashes."""
    return measured(takeovers(Recorded(evidence), Obligations(), but=(CLEAN_STOP, RESTART)))


def owe_takeovers(owed: Obligations, recorded: Recorded, *, guide: bool) -> None:
    """Owe the budgets of every takeover but those of clean stops and restarts.

    guide: also the guide's own limit; another engine has only its own timers.
    """
    found = takeovers(recorded, owed, but=(CLEAN_STOP, RESTART))
    for takeover in found:
        engine = takeover.peer.engine
        slack_s = unheard_s(recorded, takeover)
        owe_stage(
            owed, takeover, Stage.SILENCE, takeover.silence, recorded.lateness, slack_s=slack_s
        )
        owe_stage(owed, takeover, Stage.TAKEOVER, _unhurried(engine), recorded.lateness)
        if guide:
            limit = Budget(0, budgets.GUIDE_TAKEOVER_S, "the guide's few seconds", "FO-24")
            owe_stage(owed, takeover, Stage.TAKEOVER, limit, recorded.lateness)
        _owe_agreement(owed, recorded, takeover)
        owe_stays(owed, recorded, takeover)
    owed.tell(*figures(found))


def unheard_s(recorded: Recorded, takeover: Takeover) -> float:
    """Return by how much (s) a takeover may be sooner: the last advertisement may not be heard.

    By a period; by nothing where the standby's own capture holds it, and nothing kept the standby
    from reading it.
    """
    period_s, name = takeover.peer.engine.active_period_s, takeover.peer.name
    heard = any(
        _same(seen, takeover.last)
        for captured in recorded.evidence.events(GuestCaptured, name)
        for seen in recorded.guest_heartbeat(captured)
    )
    span = takeover.last.at_ns, takeover.taken.at_ns
    return 0.0 if heard and not explain(period_s, span, {name}, recorded.lateness) else period_s


def owe_stays(owed: Obligations, recorded: Recorded, takeover: Takeover) -> None:
    """Owe that the new holder stays active until the watch ends."""
    one = owed.owe(f"{takeover}: {takeover.peer.name} active until the watch ended")
    settle_stays(one, recorded, takeover)


def _unhurried(engine: budgets.Engine) -> Budget:
    """Take the budget from the fault without its minimum: a fault may be noted a bit late."""
    budget = engine.fault_to_takeover()
    return Budget(0.0, budget.maximum_s, budget.formula, budget.source)


def _owe_agreement(owed: Obligations, recorded: Recorded, takeover: Takeover) -> None:
    """Owe that the peer's own capture says the same, where one was made. Spans are compared."""
    for captured in recorded.evidence.events(GuestCaptured, takeover.peer.name):
        one = owed.owe(f"{takeover}: the wire and {takeover.peer.name}'s own capture agree")
        inside = recorded.guest_heartbeat(captured)
        # The guest's clock may be off by more than a period: find this takeover by its counter.
        first = next((seen for seen in inside if _same(seen, takeover.first)), None)
        last = next((seen for seen in inside if _same(seen, takeover.last)), None)
        if first is None or last is None or takeover.first is None:
            one.doubt(f"{takeover.peer.name}'s own capture misses the takeover", captured.place)
            continue
        ours = (takeover.first.at_ns - takeover.last.at_ns) / NS
        theirs = (first.at_ns - last.at_ns) / NS
        apart_s = abs(ours - theirs)
        if apart_s > CAPTURES_AGREE_S:
            why = (
                f"{takeover}: the wire says {ours:.3f} s, the guest {theirs:.3f} s: "
                f"{apart_s * 1000:.1f} ms apart, so neither is trusted"
            )
            span = takeover.last.at_ns - int(apart_s * NS), takeover.first.at_ns
            whose, excess_s = {takeover.peer.name, "wire"}, apart_s - CAPTURES_AGREE_S
            unclear(one, why, excess_s, span, whose, recorded.lateness)
        one.met(captured.place, recorded.wire)


def _same(one: Advertised, other: Advertised | None) -> bool:
    return other is not None and one.advert.packet == other.advert.packet


@check("FO-25")
def the_service_is_back_soon(evidence: Evidence, owed: Obligations) -> None:
    """Judge the time from the fault until each service that the guide names answers again.

    It is not back while another node claims the virtual IP, too: whoever asks may be led there.
    """
    recorded = Recorded(evidence)
    limit = Budget(0, budgets.GUIDE_SERVICE_S, "the guide's 5 to 10 seconds", "FO-25")
    found = takeovers(recorded, owed, but=(RESTART,))
    for takeover in found:
        served = {one.service: one for one in takeover.served}
        for service in SERVICES:
            _owe_service(owed, recorded, takeover, served.get(service, Served(service, 0)), limit)
    whole_run.owe_one_master(owed, recorded)
    owed.tell(*figures(found))


def _owe_service(
    owed: Obligations, recorded: Recorded, takeover: Takeover, served: Served, limit: Budget
) -> None:
    """Owe that one service is back in time, and stays."""
    what = f"{takeover}: {served} answering on the virtual IP"
    if not served.asked:
        owed.open(f"{what} was not asked for after the fault")
        return
    if why := regained_late(recorded, takeover):
        owed.owe(what).late(why, recorded.wire, *takeover.places)
        return
    whose = {takeover.peer.name, "wire", "scenario"}
    places = (*takeover.places, *served.places)
    start, due = takeover.injected, takeover.taken
    watch = Watch(what, whose, start, due, takeover.until_ns, places, recorded.lateness)
    watch = from_fault(watch, takeover)
    back, excuses = _back(watch, served, limit)
    owe_in_time(owed, watch, None if back is None else Span(start, back), limit)
    one = owed.owe(f"{what} until the watch ended")
    for excuse in excuses:
        one.late(excuse, *places)
    for other in served.elsewhere:
        _settle_elsewhere(one, recorded, takeover, what, other)
    if back is not None and served.last is not None:
        stayed_s = (served.last.at_ns - back.at_ns) / NS
        if stayed_s < STAYS_S:
            why = f"{what}: seen for {stayed_s:.1f} s only, {STAYS_S:.0f} s are needed"
            span = served.last.at_ns, takeover.until_ns
            unclear(one, why, STAYS_S - stayed_s, span, whose, recorded.lateness)
        one.met(*places)


def _back(watch: Watch, served: Served, limit: Budget) -> tuple[Moment | None, list[str]]:
    """Find since when a service is back, and which silences since then a busy host explains.

    A silence that it does not explain ends what was before it; None where that is the last one. One
    after which the service was back in time needs no explanation; nor does a last question that is
    too young for its answer.
    """
    back: Moment | None = None
    excuses: list[str] = []
    for stretch in reversed(served.stretches):
        if back is not None and Span(watch.start, back).seconds <= limit.maximum_s:
            break
        if stretch.lost is not None and not _too_young(stretch.lost, back, watch.until_ns):
            excuse = _silent_late(watch, stretch.lost, back)
            if excuse is None:
                break
            excuses.append(excuse)
        back = stretch.back
    return back, excuses


def _too_young(lost: Moment, again: Moment | None, until_ns: int) -> bool:
    """Tell whether a question without an answer came so late in a watch that none was due in it."""
    return again is None and (until_ns - lost.at_ns) / NS < ANSWERS_S


def _silent_late(watch: Watch, lost: Moment, again: Moment | None) -> str | None:
    """Say that questions got no answer, and why they may have got none yet.

    again: the next answer, None in the end. None where nothing kept anybody from answering for as
    long as it took.
    """
    until_ns = watch.until_ns if again is None else again.at_ns
    silent_s = (until_ns - lost.at_ns) / NS
    excess_s, span = max(silent_s - ANSWERS_S, 1 / NS), (lost.at_ns, until_ns)
    excuse = explain(excess_s, span, watch.whose, watch.late)
    when = "in the end" if again is None else f"for {silent_s:.1f} s"
    return excuse and f"{watch.what}: no answer {when}, but {excuse}"


def _settle_elsewhere(
    one: Obligation, recorded: Recorded, takeover: Takeover, what: str, other: ServiceProbed
) -> None:
    """Break an obligation by an answer of another node, unless the old one's was late."""
    why = f"{what}: {other.mac} answered, not {takeover.peer.mac}"
    if other.mac != takeover.victim.mac:
        one.broken(why, other.place)
        return
    span = takeover.taken.at_ns, other.at_ns
    excess_s = max(span[1] - span[0], 1) / NS
    whose = {takeover.victim.name, takeover.peer.name, "wire", "scenario"}
    missed(one, why, excess_s, span, whose, recorded.lateness, other.place)


@measures("FO-25")
def the_takeovers_of_services(evidence: Evidence) -> Mapping[str, Sequence[float]]:
    """Measure the takeovers after which services are asked for."""
    return measured(takeovers(Recorded(evidence), Obligations(), but=(RESTART,)))
