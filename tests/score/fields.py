"""Violations by the fields of events: left out, inverted, beyond a limit, of another machine.

Events that are the same but for when they were, and for what was read, are changed together: what
was seen once more of the same client and service would make up for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pydantic import ValidationError

from evidence.event import Event
from tests.score.case import NOT_PASS, Case, some
from tests.score.healthy import Healthy
from tests.score.kills import shortened
from tests.score.recording import Recording

Place = tuple[str | int, ...]

COMMON = Event.model_fields.keys() | {"kind"}
GROUPS, PLACES = 10, 8
"""How many of a kind are tried at most, spread evenly."""
_LONGEST = 120  # characters of what an event speaks of
HUGE = 1_000_000


def left_out(good: Healthy) -> Iterator[Case]:
    """Leave out each kind of event that is asked for, and each of what cited ones speak of."""
    for kind in sorted(good.asked & {_kind(one) for one in good.recording.events}):
        every = [one for one in good.recording.events if _kind(one) == kind]
        yield Case(good.requirement, "left out", kind, good.recording.but(every), NOT_PASS)
    for kind, groups in _groups(good).items():
        if len(groups) > 1:
            for name in some(list(groups), GROUPS):
                what = f"{kind} {name}"
                rest = good.recording.but(groups[name])
                yield Case(good.requirement, "one left out", what, rest, NOT_PASS)


def inverted(good: Healthy) -> Iterator[Case]:
    """Invert each boolean."""
    yield from _altered(good, "inverted", _booleans, lambda value: [not value])


def beyond(good: Healthy) -> Iterator[Case]:
    """Put each number beyond a limit: which way that is, is not known, so one of two may PASS."""
    yield from _altered(good, "a number beyond", _numbers, lambda _: [HUGE, 0])


def of_another(good: Healthy) -> Iterator[Case]:
    """Let each of what was seen on one machine have been seen on the other."""
    for kind, groups in _groups(good).items():
        for name in some(list(groups), GROUPS):
            other = _other(good.recording, groups[name][0].source)
            if other is not None:
                moved = good.recording.changed(
                    groups[name], lambda fields, other=other: fields.update(source=other)
                )
                what = f"{kind} {name}, on {other}"
                yield Case(good.requirement, "another machine", what, moved, NOT_PASS)


def groups_of(good: Healthy, most: int) -> Iterator[tuple[str, list[Event]]]:
    """Yield some of what the PASS rests on, of each kind so many at most, with what it is."""
    for kind, groups in _groups(good).items():
        for name in some(list(groups), most):
            yield shortened(f"{kind} {name}", _LONGEST), groups[name]


def numbers_of(good: Healthy, most: int, places: int) -> Iterator[tuple[str, Place, list[Event]]]:
    """Yield some numbers that the PASS rests on: what it is, where in the event, the events."""
    for what, events in groups_of(good, most):
        read = events[0].model_dump(mode="json")
        for place in some(list(_within(read, _numbers)), places):
            yield f"{what}: {'.'.join(map(str, place))}", place, events


def value_at(event: Event, place: Place) -> Any:
    """Return what an event holds at a place."""
    return _value(event.model_dump(mode="json"), place)


def adding(place: Place, more: float) -> Callable[[dict[str, Any]], object]:
    """Return what makes a number at a place of an event's fields larger."""

    def change(fields: dict[str, Any]) -> None:
        above = _value(fields, place[:-1])
        above[place[-1]] += more

    return change


def _groups(good: Healthy) -> dict[str, dict[str, list[Event]]]:
    """Return the events that the PASS rests on, by kind and by what they speak of.

    With those that speak of the same and are not cited: they could stand in for them.
    """
    cited = {(_kind(one), _speaks_of(one)) for one in good.cited}
    found: dict[str, dict[str, list[Event]]] = {}
    for event in good.recording.events:
        kind, name = _kind(event), _speaks_of(event)
        if (kind, name) in cited:
            found.setdefault(kind, {}).setdefault(name, []).append(event)
    return found


def _kind(event: Event) -> str:
    return str(event.model_dump()["kind"])


def _speaks_of(event: Event) -> str:
    fields = event.model_dump(mode="json")
    told = [str(value) for name, value in fields.items() if _names(name, value)]
    return " ".join([event.source, *told])


def _names(name: str, value: object) -> bool:
    """Tell whether a field says what an event speaks of, and not what was read."""
    return name == "port" or (isinstance(value, str) and name not in COMMON | {"mac"})


def _altered(
    good: Healthy,
    rule: str,
    places: Callable[[Any], Iterator[Place]],
    others: Callable[[Any], list[object]],
) -> Iterator[Case]:
    for kind, groups in _groups(good).items():
        for name in some(list(groups), GROUPS):
            read = groups[name][0].model_dump(mode="json")
            for place in some(list(_within(read, places)), PLACES):
                made = []
                for other in others(_value(read, place)):
                    try:
                        made.append(good.recording.changed(groups[name], setting(place, other)))
                    except (ValidationError, LookupError):
                        continue  # it cannot even be recorded
                if made:
                    what = f"{kind} {name}: {'.'.join(map(str, place))}"
                    first, *others_made = made
                    yield Case(
                        good.requirement, rule, what, first, NOT_PASS,
                        alternatives=tuple(others_made),
                    )  # fmt: skip


def _within(fields: dict[str, Any], places: Callable[[Any], Iterator[Place]]) -> Iterator[Place]:
    """Yield the places of what was read; how sure it is breaks no promise, whatever it says."""
    for name, value in fields.items():
        if name not in COMMON:
            each = ((name, *place) for place in places(value))
            yield from (place for place in each if place[-1] != "uncertainty_ns")


def _leaves(value: Any) -> Iterator[tuple[Place, Any]]:
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    else:
        yield (), value
        return
    for key, part in inner:
        yield from (((key, *place), leaf) for place, leaf in _leaves(part))


def _booleans(value: Any) -> Iterator[Place]:
    return (place for place, leaf in _leaves(value) if isinstance(leaf, bool))


def _numbers(value: Any) -> Iterator[Place]:
    return (
        place
        for place, leaf in _leaves(value)
        if isinstance(leaf, int | float) and not isinstance(leaf, bool)
    )


def _value(fields: Any, place: Place) -> Any:
    for key in place:
        fields = fields[key]
    return fields


def setting(place: Place, other: object) -> Callable[[dict[str, Any]], object]:
    """Return what puts another value at a place of an event's fields."""

    def change(fields: dict[str, Any]) -> None:
        _value(fields, place[:-1])[place[-1]] = other

    return change


def _other(recording: Recording, source: str) -> str | None:
    """Return another node or machine of the same lab; None when `source` is none of them."""
    names = list(recording.pair.nodes) if recording.pair else recording.machines
    if source not in names:
        return None
    return names[(names.index(source) + 1) % len(names)]
