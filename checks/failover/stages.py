"""The stages of a takeover, measured and held against what they may take.

How a length of time is held against a limit is `checks.engine.in_time`'s matter, which limit
applies that of `checks.protocols.budgets`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from checks.engine.in_time import Span, Watch, later, owe_in_time
from checks.engine.obligations import Obligations
from checks.failover.takeover import GUEST_CRASH, Takeover
from checks.protocols.budgets import Budget, Keepalived
from checks.protocols.spread import spread
from evidence.events.run import HostLate
from evidence.moment import NS, Moment


class Stage(enum.StrEnum):
    """A span of a takeover."""

    SILENCE = "last advertisement to the peer's first"
    TAKEOVER = "fault to the peer's first advertisement"
    ANNOUNCED = "the peer's first advertisement to its gratuitous ARP"
    SERVICE = "fault to every service answering on the virtual IP"
    TUNNEL = "fault to the tunnel carrying traffic again"


def span(takeover: Takeover, stage: Stage) -> Span | None:
    """Measure one stage; None when one of its ends was not seen. A tunnel's is its client's."""
    first = None if takeover.first is None else takeover.taken
    announced = Moment(takeover.announced[0].at_ns) if takeover.announced else None
    ends: Mapping[Stage, tuple[Moment | None, Moment | None]] = {
        Stage.SILENCE: (Moment(takeover.last.at_ns, takeover.unsure_ns), first),
        Stage.TAKEOVER: (takeover.struck, first),
        # both dated by one clock
        Stage.ANNOUNCED: (first and Moment(first.at_ns), announced),
        Stage.SERVICE: (takeover.injected, takeover.answered),
    }
    start, end = ends.get(stage, (None, None))
    return None if start is None or end is None else Span(start, end)


def measured(found: Iterable[Takeover]) -> dict[str, list[float]]:
    """Measure each stage of every takeover, in seconds; a stage that was not seen is left out."""
    series = list(found)
    spans = {stage: [span(takeover, stage) for takeover in series] for stage in Stage}
    return {
        str(stage): [one.seconds for one in those if one is not None]
        for stage, those in spans.items()
        if any(those)
    }


def figures(found: Iterable[Takeover]) -> list[str]:
    """Put the spread of every stage into words."""
    return [f"{stage}: {spread(seconds)}" for stage, seconds in measured(found).items()]


def owe_stage(
    owed: Obligations,
    takeover: Takeover,
    stage: Stage,
    budget: Budget,
    late: Sequence[HostLate],
    *,
    slack_s: float = 0.0,
) -> None:
    """Owe that one stage of a takeover keeps its budget: silence, or from the fault to the role."""
    last = Moment(takeover.last.at_ns)
    start = last if stage is Stage.SILENCE else takeover.struck
    watch = Watch(
        f"{takeover}: {stage}",
        {takeover.peer.name, "wire"},
        start,
        later(last, _due_s(takeover)),
        takeover.until_ns,
        takeover.places,
        late,
        {takeover.victim.name, "wire"} if stage is Stage.SILENCE else (),
    )
    if stage is not Stage.SILENCE:
        watch = from_fault(watch, takeover)
    owe_in_time(owed, watch, span(takeover, stage), budget, slack_s=slack_s)


def from_fault(watch: Watch, takeover: Takeover) -> Watch:
    """Let what is watched from a fault on be late, too, because the fault itself came late.

    A guest's kernel crashes by a timer of its own: the moment is assumed, 0.5 to 0.8 s after the
    command. A node that the host keeps from running crashes later; what is dead is kept from
    nothing. Every other fault is done by the harness, or its command is waited for.
    """
    if takeover.fault.name != GUEST_CRASH:
        return watch
    victim = takeover.victim
    silent_ns = takeover.last.at_ns + int(victim.engine.period_s * NS)
    own = [one for one in watch.late if one.of == victim.name and one.from_ns < silent_ns]
    others = [one for one in watch.late if one.of != victim.name]
    late = [*own, *(one for one in others if one.until_ns > watch.due.at_ns)]
    begun = Moment(takeover.injected.earliest_ns)
    return replace(watch, whose={*watch.whose, victim.name}, due=begun, late=late)


def _due_s(takeover: Takeover) -> float:
    """Return how long (s) after the last advertisement a takeover may be due at the earliest.

    After keepalived's goodbye the peer waits for its skew alone (RFC 3768, 6.4.2; RFC 5798, 6.4.2);
    after any other advertisement for its dead time.
    """
    engine = takeover.peer.engine
    if isinstance(engine, Keepalived) and takeover.last.resigning:
        return engine.skew_s
    return engine.last_advert_to_takeover().minimum_s
