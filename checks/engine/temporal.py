"""Predicates over time: what must always, never, soon or first have happened in a history.

A small algebra. A `Pattern` says which events are meant and has a name for the reasons:

    lost = where("vpn.lost"); back = where("vpn.back")
    within(75).after(lost).comes(back) & never(where("role", state="BOTH"))

A `Formula` judges a sequence of events to a Verdict and names the event that broke it. Times are
compared with their uncertainties: an order or a delay that lies inside them is UNKNOWN. A
history that ends before a deadline has passed is UNKNOWN too. A formula whose occasion never came
(`after` an event that is not there) is UNKNOWN, because it showed nothing; `never` alone is
content with an empty history, so record that something was watched and ask for that too.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from checks.engine.verdict import Verdict, combine, failed, passed, unknown
from evidence.history import JSON, Event

S = TypeVar("S", bound=Hashable)
_SECOND = 1_000_000_000


@dataclass(frozen=True)
class Pattern:
    """Events of one sort, and the words for them."""

    name: str
    matches: Callable[[Event], bool]

    def __and__(self, other: Pattern) -> Pattern:
        return Pattern(
            f"{self.name} and {other.name}",
            lambda event: self.matches(event) and other.matches(event),
        )

    def __or__(self, other: Pattern) -> Pattern:
        return Pattern(
            f"{self.name} or {other.name}",
            lambda event: self.matches(event) or other.matches(event),
        )

    def __invert__(self) -> Pattern:
        return Pattern(f"not {self.name}", lambda event: not self.matches(event))

    def of(self, events: Iterable[Event]) -> list[Event]:
        """Return the events that match, in the order of time."""
        return in_time(event for event in events if self.matches(event))


def where(kind: str | None = None, source: str | None = None, **data: JSON) -> Pattern:
    """Return the pattern of events with this kind, source and data."""
    wanted = [text for text in (kind, source and f"of {source}") if text]
    wanted += [f"{key}={value!r}" for key, value in data.items()]

    def matches(event: Event) -> bool:
        return (
            (kind is None or event.kind == kind)
            and (source is None or event.source == source)
            and all(key in event.data and event.data[key] == value for key, value in data.items())
        )

    return Pattern(" ".join(wanted) or "any event", matches)


@dataclass(frozen=True)
class Formula:
    """Something that a history keeps or breaks; `a & b` is kept when both are."""

    name: str
    judge: Callable[[Sequence[Event]], Verdict]

    def __and__(self, other: Formula) -> Formula:
        return Formula(
            f"{self.name}; {other.name}",
            lambda events: combine((self.judge(events), other.judge(events))),
        )


def in_time(events: Iterable[Event]) -> list[Event]:
    """Return events in the order of their time (of their recording, where that is equal)."""
    return sorted(events, key=lambda event: event.at_ns)


def describe(event: Event) -> str:
    """Name an event for a reason: where it stands, what it is, from whom."""
    return f"{event.place} ({event.kind} of {event.source} at {event.at_ns / _SECOND:.6f})"


def always(pattern: Pattern, among: Pattern) -> Formula:
    """Every event of `among` must match `pattern`."""
    name = f"always {pattern.name} among {among.name}"

    def judge(events: Sequence[Event]) -> Verdict:
        occasions = among.of(events)
        if not occasions:
            return unknown(f"{name}: there was no {among.name}")
        wrong = [event for event in occasions if not pattern.matches(event)]
        return _none(wrong, name, [event.place for event in occasions])

    return Formula(name, judge)


def never(pattern: Pattern) -> Formula:
    """No event may match `pattern`."""
    name = f"never {pattern.name}"
    return Formula(name, lambda events: _none(pattern.of(events), name, []))


def _none(wrong: Sequence[Event], name: str, places: Sequence[str]) -> Verdict:
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        return failed(
            f"{name}: broken by {describe(wrong[0])}{more}", evidence=[e.place for e in wrong]
        )
    return passed(f"{name}: kept", evidence=places)


def before(first: Pattern, second: Pattern) -> Formula:
    """Every event of `second` must have an event of `first` before it."""
    name = f"{first.name} before {second.name}"

    def judge(events: Sequence[Event]) -> Verdict:
        firsts, seconds = first.of(events), second.of(events)
        if not seconds:
            return unknown(f"{name}: there was no {second.name}")
        if not firsts:
            return failed(f"{name}: no {first.name} at all before {describe(seconds[0])}")
        earliest = min(firsts, key=lambda event: event.at_ns + event.uncertainty_ns)
        gap = seconds[0].at_ns - earliest.at_ns
        doubt = seconds[0].uncertainty_ns + earliest.uncertainty_ns
        places = (earliest.place, seconds[0].place)
        both = f"{describe(earliest)}, {describe(seconds[0])}"
        if abs(gap) <= doubt and doubt:
            return unknown(f"{name}: too close to tell: {both}", evidence=places)
        if gap < 0:
            return failed(f"{name}: the order is wrong: {both}", evidence=places)
        return passed(f"{name}: kept", evidence=places)

    return Formula(name, judge)


@dataclass(frozen=True)
class _Within:
    seconds: float
    occasion: Pattern | None = None

    def after(self, occasion: Pattern) -> _Within:
        """Say what starts the clock, every time it happens."""
        return _Within(self.seconds, occasion)

    def comes(self, awaited: Pattern) -> Formula:
        """Say what must happen before the time is over."""
        occasion = self.occasion
        if occasion is None:
            raise ValueError("say what starts the clock: within(seconds).after(...).comes(...)")
        name = f"{awaited.name} within {self.seconds:g} s after {occasion.name}"

        def judge(events: Sequence[Event]) -> Verdict:
            ordered = in_time(events)
            starts = [event for event in ordered if occasion.matches(event)]
            if not starts:
                return unknown(f"{name}: there was no {occasion.name}")
            return combine(self._one(name, start, awaited, ordered) for start in starts)

        return Formula(name, judge)

    def _one(self, name: str, start: Event, awaited: Pattern, ordered: Sequence[Event]) -> Verdict:
        limit = round(self.seconds * _SECOND)
        for event in ordered:
            if event is start or event.at_ns < start.at_ns or not awaited.matches(event):
                continue
            return self._late(name, start, event, limit)
        watched = ordered[-1].at_ns - start.at_ns
        if watched <= limit:
            return unknown(
                f"{name}: the history ends {watched / _SECOND:.3f} s after {describe(start)}",
                evidence=[start.place],
            )
        return failed(f"{name}: it never came after {describe(start)}", evidence=[start.place])

    def _late(self, name: str, start: Event, event: Event, limit: int) -> Verdict:
        took = event.at_ns - start.at_ns
        doubt = event.uncertainty_ns + start.uncertainty_ns
        places = (start.place, event.place)
        text = f"{name}: {describe(event)} came {took / _SECOND:.6f} s after {describe(start)}"
        if took - doubt > limit:
            return failed(text, evidence=places)
        if took + doubt > limit and doubt:
            return unknown(f"{text}, uncertain by {doubt / _SECOND:.6f} s", evidence=places)
        return passed(text, evidence=places)


def within(seconds: float) -> _Within:
    """Begin `within(seconds).after(occasion).comes(awaited)`.

    Raises ValueError for a time that is not above zero.
    """
    if not seconds > 0:
        raise ValueError(f"within {seconds} s: nothing can happen in no time")
    return _Within(seconds)


def never_longer(
    seconds: float, name: str, initial: S, step: Callable[[S, Event], S], bad: Callable[[S], bool]
) -> Formula:
    """No `bad` state may last longer than `seconds`.

    The state starts as `initial` and becomes `step(state, event)` at each event in turn; a bad
    state still standing at the last event counts up to there.
    """
    title = f"{name} never longer than {seconds:g} s"

    def judge(events: Sequence[Event]) -> Verdict:
        ordered = in_time(events)
        if not ordered:
            return unknown(f"{title}: there was nothing to watch")
        state, since = initial, ordered[0] if bad(initial) else None
        for event in ordered:
            state = step(state, event)
            if since is not None:
                lasted = event.at_ns - since.at_ns
                doubt = event.uncertainty_ns + since.uncertainty_ns
                text = f"{title}: {lasted / _SECOND:.6f} s from {describe(since)}"
                if lasted - doubt > seconds * _SECOND:
                    return failed(text, evidence=[since.place, event.place])
                if doubt and lasted + doubt > seconds * _SECOND:
                    return unknown(f"{text}, uncertain by {doubt / _SECOND:.6f} s")
            since = (since or event) if bad(state) else None
        return passed(f"{title}: kept")

    return Formula(title, judge)
