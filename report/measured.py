"""How long the stages of one failover took, each with the limits that apply to it.

The limits are those of `checks.protocols.budgets`; whether one was kept is the verdict's to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from checks.failover.recorded import Recorded
from checks.failover.stages import Stage, span
from checks.failover.takeover import CLEAN_STOP, RESTART, Takeover
from checks.failover.tunnels import back_after, up_before
from checks.protocols import budgets
from checks.protocols.budgets import Budget
from evidence.events.takeover import TunnelWatched

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


def measured(recorded: Recorded, takeover: Takeover | None) -> Iterator[Measured]:
    """Yield each stage of a failover that was seen from end to end."""
    if takeover is not None:
        for stage in (Stage.SILENCE, Stage.TAKEOVER, Stage.ANNOUNCED, Stage.SERVICE):
            seen = span(takeover, stage)
            if seen is not None:
                limits = tuple(_limits(takeover, stage))
                yield Measured(stage, seen.seconds, seen.uncertainty_s, limits)
    if takeover is not None and takeover.happened:
        yield from _tunnels(recorded, takeover)


def _tunnels(recorded: Recorded, takeover: Takeover) -> Iterator[Measured]:
    """Yield how long each client's tunnel took to be back for good, as FO-39 judges it."""
    watched = recorded.evidence.events(TunnelWatched)
    for one in up_before(watched, takeover.injected.at_ns):
        seen = back_after(recorded, takeover, one).measured
        if seen is not None:
            judged = takeover.fault.name != RESTART
            limits = (Budget(0, *_TUNNEL[one.protocol], "FO-39"),) if judged else ()
            who = f"{one.source} ({one.protocol})"
            yield Measured(Stage.TUNNEL, seen.seconds, seen.uncertainty_s, limits, who)


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
        yield takeover.silence
    elif stage is Stage.TAKEOVER:
        yield _at_most(engine.fault_to_takeover())
        if guides:
            yield Budget(0, budgets.GUIDE_TAKEOVER_S, _FEW_SECONDS, "FO-24")
    elif stage is Stage.SERVICE and guides:
        yield Budget(0, budgets.GUIDE_SERVICE_S, "the guide's 5 to 10 seconds", "FO-25")


def _at_most(budget: Budget) -> Budget:
    return replace(budget, minimum_s=0)
