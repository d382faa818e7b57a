"""A takeover as the wire saw it, stage by stage, measured against a budget.

    fault -> last advertisement of the old -> first of the peer -> gratuitous ARP
          -> services answering on the virtual IP -> tunnel back

Advertisements and ARP carry the wire's own time stamps; fault, answers and tunnels are events
whose uncertainty counts against the verdict: what could fall on either side of a limit is
imprecise, not good. A fault after which the node just went on advertising hit nothing, and says
nothing. Which limit applies is `checks.protocols.budgets`' matter.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from checks.engine.verdict import Findings
from checks.protocols.arp import ArpSighting
from checks.protocols.budgets import Budget
from checks.protocols.heartbeat import NS, Beat, Heartbeat
from checks.protocols.spread import Spread, spread
from evidence.errors import Imprecise, Missing

CAPTURES_AGREE_S = 0.010
"""How far the wire's and a guest's own capture may differ about one takeover."""


class Stage(enum.StrEnum):
    """A span of a takeover."""

    SILENCE = "last advertisement to the peer's first"
    TAKEOVER = "fault to the peer's first advertisement"
    ANNOUNCED = "the peer's first advertisement to its gratuitous ARP"
    SERVICE = "fault to every service answering on the virtual IP"
    TUNNEL = "fault to the tunnel carrying traffic again"


@dataclass(frozen=True)
class Moment:
    """A point in time (ns, wire clock) and how far off it may be."""

    at_ns: int
    uncertainty_ns: int = 0


@dataclass(frozen=True)
class Fault:
    """What was done to the active node, and until when its effect was watched.

    `hits`: frames that a wire rule hit, where the fault is one; None for other faults.
    """

    name: str
    victim: str
    at: Moment
    until_ns: int
    hits: int | None = None


@dataclass(frozen=True)
class Span:
    """A measured length of time in seconds, and how far off it may be."""

    seconds: float
    uncertainty_s: float = 0.0


@dataclass(frozen=True)
class Timeline:
    """One takeover; a moment that was not seen is None."""

    fault: Fault
    last: Beat
    first: Beat | None
    announced: tuple[ArpSighting, ...] = ()
    answered: Moment | None = None
    tunnel: Moment | None = None

    def span(self, stage: Stage) -> Span | None:
        """Measure one stage; None when one of its ends was not seen."""
        first = None if self.first is None else Moment(self.first.at_ns)
        arp = Moment(self.announced[0].at_ns) if self.announced else None
        ends: Mapping[Stage, tuple[Moment | None, Moment | None]] = {
            Stage.SILENCE: (Moment(self.last.at_ns), first),
            Stage.TAKEOVER: (self.fault.at, first),
            Stage.ANNOUNCED: (first, arp),
            Stage.SERVICE: (self.fault.at, self.answered),
            Stage.TUNNEL: (self.fault.at, self.tunnel),
        }
        start, end = ends[stage]
        if start is None or end is None:
            return None
        return Span(
            (end.at_ns - start.at_ns) / NS, (start.uncertainty_ns + end.uncertainty_ns) / NS
        )


def measure(
    fault: Fault, heartbeat: Heartbeat, announcements: Iterable[ArpSighting] = ()
) -> Timeline:
    """Find one takeover in the advertisements and gratuitous ARPs that the wire let pass.

    `heartbeat` holds the pair's group only. Raises Missing when the fault hit nothing, or hit a
    node that was not active; Imprecise when the peer was advertising already.
    """
    if fault.hits == 0:
        raise Missing(f"the fault {fault.name!r} of {fault.victim} hit no frame")
    early = fault.at.at_ns - fault.at.uncertainty_ns
    victim = heartbeat.of(fault.victim)
    if victim.before(fault.at.at_ns + fault.at.uncertainty_ns) is None:
        raise Missing(f"{fault.victim} sent no advertisement before the fault {fault.name!r}")
    others = [beat for beat in heartbeat if beat.sender != fault.victim and not beat.resigning]
    previous = heartbeat.before(early)
    if previous is not None and previous.sender != fault.victim:
        raise Imprecise(f"{previous.sender}, not {fault.victim}, advertised before the fault")
    first = next((beat for beat in others if early <= beat.at_ns <= fault.until_ns), None)
    last = _before_silence(fault, victim) if first is None else victim.before(first.at_ns)
    if last is None:
        raise Missing(f"{fault.victim} sent no advertisement before the peer's first")
    claims = [] if first is None else _claims_of_takeover(fault, first, announcements)
    return Timeline(fault, last, first, tuple(claims))


def _before_silence(fault: Fault, victim: Heartbeat) -> Beat:
    """Find the victim's last advertisement before the fault silenced it, for however long.

    Raises Missing when the victim advertised on to the end: the fault did nothing to it.
    """
    early = fault.at.at_ns - fault.at.uncertainty_ns
    beats = [beat for beat in victim if beat.at_ns <= fault.until_ns]
    for beat, after_ns in zip(
        beats, [*(later.at_ns for later in beats[1:]), fault.until_ns], strict=True
    ):
        patience_ns = int(1.5 * beat.advert.period_s * NS)
        if after_ns > early and after_ns - beat.at_ns > patience_ns:
            return beat
    raise Missing(f"the fault {fault.name!r} hit nothing: {fault.victim} advertised on to the end")


def _claims_of_takeover(
    fault: Fault, first: Beat, announcements: Iterable[ArpSighting]
) -> list[ArpSighting]:
    """Select the announcements from just before the peer's first advertisement.

    ucarp announces right before its first advertisement, keepalived right after.
    """
    window_start = first.at_ns - NS // 2
    return [claim for claim in announcements if window_start <= claim.at_ns <= fault.until_ns]


def with_answers(
    timeline: Timeline, answers: Sequence[Moment], tunnels: Sequence[Moment] = ()
) -> Timeline:
    """Add when the services answered on the virtual IP, and the first traffic, after the fault.

    Answers before the fault are the old node's and are passed over.
    """
    return replace(
        timeline,
        answered=first_after(answers, timeline.fault),
        tunnel=first_after(tunnels, timeline.fault),
    )


def first_after(moments: Sequence[Moment], fault: Fault) -> Moment | None:
    """Find the first moment that surely lies after the fault, while its effect was watched."""
    later = [
        moment
        for moment in moments
        if moment.at_ns - moment.uncertainty_ns > fault.at.at_ns + fault.at.uncertainty_ns
        and moment.at_ns <= fault.until_ns
    ]
    return min(later, key=lambda moment: moment.at_ns, default=None)


def statistics(timelines: Iterable[Timeline]) -> dict[Stage, Spread]:
    """Compute each stage's spread over repetitions; stages never seen are left out."""
    series = list(timelines)
    found = {}
    for stage in Stage:
        spans = (timeline.span(stage) for timeline in series)
        whole = spread(span.seconds for span in spans if span is not None)
        if whole is not None:
            found[stage] = whole
    return found


def judge_stage(
    found: Findings, timelines: Sequence[Timeline], stage: Stage, budget: Budget, *, whose: str = ""
) -> None:
    """Hold one stage of every takeover against its budget; `whose` names a client, if it is one's.

    Later, or sooner, than the budget is a violation; so is a stage that never came although it
    was watched for longer than the budget. What lies within the uncertainty is a gap.
    """
    for timeline in timelines:
        what = f"{timeline.fault.name} of {timeline.fault.victim}: {stage}"
        what += f" ({whose})" if whose else ""
        span = timeline.span(stage)
        if span is None:
            _judge_absence(found, timeline, what, budget)
            continue
        least, most = span.seconds - span.uncertainty_s, span.seconds + span.uncertainty_s
        if least > budget.maximum_s:
            found.require(False, f"{what} took {span.seconds:.3f} s, budget {budget}")
        elif most < budget.minimum_s:
            found.require(
                False, f"{what} took only {span.seconds:.3f} s: sooner than configured, {budget}"
            )
        elif most > budget.maximum_s:
            found.gap(
                f"{what} took {span.seconds:.3f} s +- {span.uncertainty_s:.3f} s: too coarse for "
                f"a limit of {budget.maximum_s:.2f} s"
            )


def _judge_absence(found: Findings, timeline: Timeline, what: str, budget: Budget) -> None:
    start = timeline.fault.at.at_ns + timeline.fault.at.uncertainty_ns
    watched_s = (timeline.fault.until_ns - max(start, timeline.last.at_ns)) / NS
    if watched_s > budget.maximum_s:
        found.require(False, f"{what} never came in {watched_s:.1f} s, budget {budget}")
    else:
        found.gap(f"{what} was not seen, but watched for only {watched_s:.1f} s")


def judge_agreement(found: Findings, wire: Timeline, guest: Timeline) -> None:
    """Compare one takeover as the wire and as a guest's own capture saw it.

    Spans are compared, never the two clocks.
    """
    ours, theirs = wire.span(Stage.SILENCE), guest.span(Stage.SILENCE)
    if ours is None or theirs is None:
        found.gap(f"{wire.fault.name}: one of the two captures misses the takeover")
        return
    apart = abs(ours.seconds - theirs.seconds)
    if apart > CAPTURES_AGREE_S:
        found.gap(
            f"{wire.fault.name}: the wire says {ours.seconds:.3f} s, the guest "
            f"{theirs.seconds:.3f} s: {apart * 1000:.1f} ms apart, so neither is trusted"
        )
