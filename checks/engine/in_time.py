"""A length of time, held against what it may be.

What could fall on either side of a limit is in doubt, not good. A limit that is missed by no more
than the host kept the machines involved from running is no fault of theirs (`lateness`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from checks.engine.lateness import lower_bound_s, missed, unclear
from checks.engine.obligations import Obligation, Obligations
from checks.protocols.budgets import Budget
from evidence.events.run import HostLate
from evidence.moment import NS, Moment


@dataclass(frozen=True)
class Span:
    """A measured length of time: its ends, and how far off it may be."""

    start: Moment
    end: Moment

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return (self.end.at_ns - self.start.at_ns) / NS

    @property
    def uncertainty_s(self) -> float:
        """How far off that may be."""
        return (self.start.uncertainty_ns + self.end.uncertainty_ns) / NS


@dataclass(frozen=True)
class Watch:
    """What was measured, who had to run for it, and until when it was watched.

    due: when it could have come at the earliest. Nobody is kept from what is not due yet, so what
    the host did before that explains nothing. begins_by: who may have been late with what it begins
    with, so that it looks shorter than it was.
    """

    what: str
    whose: Collection[str]
    start: Moment
    due: Moment
    until_ns: int
    places: tuple[str, ...]
    late: Sequence[HostLate]
    begins_by: Collection[str] = ()


def owe_in_time(
    owed: Obligations, watch: Watch, seen: Span | None, budget: Budget, *, slack_s: float = 0.0
) -> None:
    """Owe that a stage took no longer, and no less, than its budget.

    Later, or sooner, is a violation; so is a stage that never came although it was watched for
    longer than the budget. What lies within the uncertainty is a doubt, and what the host's
    lateness can explain is late. slack_s: by how much it may be sooner than the budget says.
    """
    one = owed.owe(f"{watch.what} within {budget}")
    if seen is None:
        _judge_absence(one, watch, budget)
        return
    least, most = seen.seconds - seen.uncertainty_s, seen.seconds + seen.uncertainty_s
    took = f"{watch.what} took {seen.seconds:.3f} s"
    span = min(watch.due.at_ns, seen.end.at_ns), seen.end.at_ns
    if least > budget.maximum_s:
        why = f"{took}, budget {budget}"
        excess_s = least - budget.maximum_s
        missed(one, why, excess_s, span, watch.whose, watch.late, *watch.places)
    elif most < lower_bound_s(budget.minimum_s) - slack_s:
        why, early_s = f"{took}: sooner than configured, {budget}", budget.minimum_s - seen.seconds
        excess_s = lower_bound_s(budget.minimum_s) - slack_s - most
        span = seen.start.at_ns - int(early_s * NS), seen.start.at_ns
        missed(one, why, excess_s, span, watch.begins_by, watch.late, *watch.places)
    elif most > budget.maximum_s:
        doubt = f"{took} +- {seen.uncertainty_s:.3f} s: too coarse for {budget.maximum_s:.2f} s"
        excess_s = most - budget.maximum_s  # it may have been missed, and that may be explained
        unclear(one, doubt, excess_s, span, watch.whose, watch.late, *watch.places)
    else:
        one.met(*watch.places)


def _judge_absence(one: Obligation, watch: Watch, budget: Budget) -> None:
    watched_s = (watch.until_ns - watch.start.latest_ns) / NS
    if watched_s <= budget.maximum_s:
        one.doubt(f"{watch.what} was not seen, watched for only {watched_s:.1f} s")
        return
    why = f"{watch.what} never came in {watched_s:.1f} s, budget {budget}"
    span = min(watch.due.at_ns, watch.until_ns), watch.until_ns
    excess_s = watched_s - budget.maximum_s
    missed(one, why, excess_s, span, watch.whose, watch.late, *watch.places)


def later(moment: Moment, seconds: float) -> Moment:
    """Return the moment so many seconds later."""
    return Moment(moment.at_ns + int(seconds * NS), moment.uncertainty_ns)
