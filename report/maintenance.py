"""Maintenance as swim lanes: what happened on each machine, in the order of time.

A scenario is shown so when it was begun for a requirement of the guide's section "Maintenance";
each event is a mark on the lane of the machine it was seen on.
"""

from __future__ import annotations

from collections.abc import Iterator

from checks.engine.attempts import Attempt
from checks.engine.requirements import catalogue
from evidence.event import Event
from evidence.events.run import HostLate, HostLatenessUnknown
from evidence.moment import Window
from report.drawn import Mark
from report.reading import Material
from report.timeline import Timeline, timeline

SECTION = "Maintenance"
MOST_MARKS = 400


def maintenance(material: Material) -> list[tuple[str, Timeline]]:
    """Return a drawing for each scenario about maintenance, with its name."""
    ids = {one.id for one in catalogue() if one.section == SECTION}
    about = [one for one in material.attempts if ids.intersection(one.requirements)]
    return [
        (one.scenario, drawing)
        for number, one in enumerate(about, start=1)
        for drawing in _drawing(material, one, f"s{number}")
    ]


def _drawing(material: Material, attempt: Attempt, name: str) -> Iterator[Timeline]:
    events = list(_events(material, attempt))[:MOST_MARKS]
    if not events:
        return
    lanes = tuple(dict.fromkeys(one.source for one in events))
    times = [one.at_ns for one in events]
    window = Window(min(times), max(times) + 1)
    marks = [Mark(one.at_ns, one.source, "step", _what(one), one.place) for one in events]
    alt = f"{len(marks)} events on {len(lanes)} machines in the order of time"
    yield timeline(name, window, window.from_ns, lanes, marks, (), (), alt)


def _events(material: Material, attempt: Attempt) -> Iterator[Event]:
    _, recording = material.part_of(attempt)
    later = [
        one.line
        for one in material.attempts
        if (one.part, one.scenario) == (attempt.part, attempt.scenario) and one.line > attempt.line
    ]
    until = min(later, default=2**63)
    for event in recording:
        mine = event.scenario == attempt.scenario and attempt.line <= event.line < until
        if mine and not isinstance(event, HostLate | HostLatenessUnknown):
            yield event


def _what(event: Event) -> str:
    """Put an event into a few words: its kind, and its short fields."""
    own = event.model_dump(mode="json", exclude={*Event.model_fields, "kind"})
    short = [f"{name} {value}" for name, value in own.items() if isinstance(value, str | int)]
    kind = event.model_dump()["kind"]
    return f"{kind}: {', '.join(short)}"[:300] if short else str(kind)
