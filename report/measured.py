"""How long the stages of one failover took, each with the limits that apply to it.

The limits are those of `checks.protocols.budgets`; whether one was kept is the verdict's to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from checks.failover.recorded import Recorded, WatchedFault
from checks.failover.stages import Stage, span
from checks.failover.takeover import CLEAN_STOP, RESTART, Takeover
from checks.protocols import budgets
from checks.protocols.budgets import Budget
from evidence.events.takeover import TunnelCarried
from evidence.moment import NS

_MINUTE = f"the guide's about a minute, taken as {budgets.GUIDE_TUNNEL_UDP_S:.0f} s"
_TUNNEL = {
    "udp": (budgets.GUIDE_TUNNEL_UDP_S, _MINUTE),
    "tcp": (budgets.GUIDE_TUNNEL_TCP_S, "this project's limit: the new node resets it"),
}
_FEW_SECONDS = f"the guide's few seconds, taken as {budgets.GUIDE_TAKEOVER_S:.0f} s"


@dataclass(frozen=True)
class Measured:
    """One stage: seconds, how far off that may be, and what it may take; who: a client, or ""."""

    stage: str
    seconds: float
    uncertainty_s: float
    limits: tuple[Budget, ...] = ()
    who: str = ""


def measured(
    recorded: Recorded, fault: WatchedFault, takeover: Takeover | None
) -> Iterator[Measured]:
    """Yield each stage of a failover that was seen from end to end."""
    if takeover is not None:
        for stage in (Stage.SILENCE, Stage.TAKEOVER, Stage.ANNOUNCED, Stage.SERVICE):
            seen = span(takeover, stage)
            if seen is not None:
                limits = tuple(_limits(takeover, stage))
                yield Measured(stage, seen.seconds, seen.uncertainty_s, limits)
    back: set[str] = set()
    for one in recorded.evidence.events(TunnelCarried):
        sent_ns = one.at_ns if one.sent_ns is None else one.sent_ns
        if one.source not in back and fault.at.latest_ns <= sent_ns <= fault.until_ns:
            back.add(one.source)
            limit = Budget(0, *_TUNNEL[one.protocol], "FO-39")
            uncertain_s = (one.uncertainty_ns + fault.at.uncertainty_ns) / NS
            seconds = (one.at_ns - fault.at.at_ns) / NS
            who = f"{one.source} ({one.protocol})"
            yield Measured(Stage.TUNNEL, seconds, uncertain_s, (limit,), who)


def _limits(takeover: Takeover, stage: Stage) -> Iterator[Budget]:
    """Yield what the checks hold a stage against; a restart is not judged by how soon (FO-30)."""
    fault, engine = takeover.fault.name, takeover.peer.engine
    guides = isinstance(engine, budgets.Ucarp)  # another engine has its own timers only
    if fault == CLEAN_STOP and stage is Stage.SILENCE:
        yield _at_most(engine.clean_stop_to_takeover())
        if guides:
            yield Budget(0, budgets.GUIDE_TAKEOVER_S, _FEW_SECONDS, "FO-27")
    elif fault in (CLEAN_STOP, RESTART):
        return
    elif stage is Stage.SILENCE:
        yield engine.last_advert_to_takeover()
    elif stage is Stage.TAKEOVER:
        yield _at_most(engine.fault_to_takeover())
        if guides:
            yield Budget(0, budgets.GUIDE_TAKEOVER_S, _FEW_SECONDS, "FO-24")
    elif stage is Stage.SERVICE and guides:
        yield Budget(0, budgets.GUIDE_SERVICE_S, "the guide's 5 to 10 seconds", "FO-25")


def _at_most(budget: Budget) -> Budget:
    return replace(budget, minimum_s=0)
