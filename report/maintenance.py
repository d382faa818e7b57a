"""Maintenance as swim lanes: what was typed on each machine, and what each client had meanwhile.

A scenario is shown so when it was begun for a requirement of the guide's section "Maintenance", or
planned one. What is drawn are the values that the checks judge by (`scripted`, `served`), so that a
page and a verdict cannot tell different stories. Where a part of it cannot be told, the rest is
drawn, with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from checks.engine.attempts import Attempt
from checks.engine.obligations import Obligations
from checks.engine.requirements import catalogue
from checks.engine.verdict import Status
from checks.multi_node.deployment import deployment
from checks.multi_node.proofs import maintenance
from checks.multi_node.service import Service
from checks.multi_node.traffic import traffic
from checks.multi_node.tunnels import last_attempts
from evidence.coverage import Hole, coverage_of
from evidence.errors import EvidenceError
from evidence.event import NS_BOUND
from evidence.events.maintenance import MaintenancePlanned, ScriptRun
from evidence.events.multi_node import TunnelTried
from evidence.moment import NS, Window
from report.drawn import Bar, Mark, Picture
from report.frames import OfLab, about_openvpn, numbered
from report.lacks import capture_of
from report.reading import Material
from report.scripted import Scripted
from report.served import Client, lane_of, look
from report.swimlanes import swimlanes
from report.timeline import Timeline

SECTION = "Maintenance"
BEFORE_NS, AFTER_NS = 8 * NS, 3 * NS
"""What is shown: so much before the maintenance began, and after what came last."""
MOST_MARKS = 400
NOTHING_TYPED = "no script was typed"


@dataclass(frozen=True)
class Maintenance:
    """One attempt at a maintenance. status: its worst verdict; set_aside: a later attempt counts.

    complaint: what is out of place first; away: who had no service, and when; note: what cannot be
    told, and why; each "" for none. alt: the drawing in words.
    """

    scenario: str
    attempt: int
    host: str
    status: Status | None
    set_aside: bool
    complaint: str = ""
    away: str = ""
    note: str = ""
    alt: str = ""
    picture: Picture | None = None
    drawing: Timeline | None = None


def maintenances(material: Material) -> list[Maintenance]:
    """Return every attempt at a scenario about maintenance, host by host in the order of time."""
    ids = {one.id for one in catalogue() if one.section == SECTION}
    planned = {
        one.scenario for _, history in material.histories for one in history.of(MaintenancePlanned)
    }
    about = [
        one
        for one in material.attempts
        if one.scenario in planned or ids.intersection(one.requirements)
    ]
    return [_of(material, one, f"s{number}") for number, one in enumerate(about, start=1)]


def _of(material: Material, attempt: Attempt, name: str) -> Maintenance:
    part, _ = material.part_of(attempt)
    made = Maintenance(
        attempt.scenario,
        attempt.number,
        part.host,
        material.status_of(attempt),
        material.is_set_aside(attempt),
    )
    events = material.events_of(attempt)
    began = [one.began_ns for one in events if isinstance(one, ScriptRun)]
    if not began:
        return replace(made, note=NOTHING_TYPED)
    planned = [one.at_ns for one in events if isinstance(one, MaintenancePlanned)]
    scripted = Scripted(events, planned[-1] if planned else min(began), None)
    clients: Sequence[Client] = ()
    notes = []
    try:
        evidence, holes = _evidence(material, attempt)
        site = deployment(evidence, Obligations())
        steps = maintenance(evidence, site)
        scripted = replace(scripted, steps=steps)
        seen = traffic(evidence, site)
        looks = evidence.events(TunnelTried)
        clients = [
            Client(Service.of(one, seen), steps, evidence.window, evidence.numbered, holes, looks)
            for one in last_attempts(evidence, site)
        ]
        silent = [one.name for one in clients if not one.service.served]
        notes += [f"what service {', '.join(silent)} had is not known"] if silent else []
    except EvidenceError as error:
        notes.append(f"not all of it can be told: {error.message}")
    made = replace(
        made,
        complaint=scripted.steps.complaint() if scripted.steps is not None else "",
        away="; ".join(what for one in clients for what in one.said()),
        note="; ".join(notes),
    )
    picture = _picture(scripted, clients)
    made = replace(made, alt=_alt(made, scripted, picture), picture=picture)
    drawing = swimlanes(
        name,
        picture.window,
        scripted.zero_ns,
        picture.lanes,
        picture.marks,
        picture.bars,
        made.alt,
    )
    return replace(made, drawing=drawing)


def _evidence(material: Material, attempt: Attempt) -> tuple[OfLab, Sequence[Hole]]:
    """Return what an attempt left, and where its capture tells nothing."""
    part, recording = material.part_of(attempt)
    last = max(attempt.judged, key=lambda one: attempt.judged[one], default="")
    number = attempt.number - attempt.earlier
    found = attempt.evidence(last, material.histories)
    path = capture_of(part, found.lab)
    capture = numbered(path, part.place(path), about_openvpn)
    window = found.window
    try:
        holes = coverage_of(path).holes(window.from_ns, window.until_ns)
    except EvidenceError as error:
        holes = [Hole(window.from_ns, window.until_ns, error.message)]
    return OfLab(part.directory, attempt.scenario, last, recording, number, capture), holes


def _picture(scripted: Scripted, clients: Sequence[Client]) -> Picture:
    looks = [look(one) for one in scripted.of(TunnelTried)]
    bars = [*scripted.bars(), *(bar for one in clients for bar in one.bars())]
    marks = [*scripted.marks(), *looks, *(mark for one in clients for mark in one.marks())]
    window = _window(scripted, clients, marks)
    shown = [one for one in marks if window.holds(one.at_ns)]
    shown.sort(key=lambda one: one.at_ns)
    lanes = dict.fromkeys(
        [
            *scripted.machines,
            *(lane_of(one.client) for one in scripted.of(TunnelTried)),
            *(one.lane for one in clients),
        ]
    )
    return Picture(
        window,
        tuple(lanes),
        tuple(shown[:MOST_MARKS]),
        tuple(one for one in (_cut(bar, window) for bar in bars) if one is not None),
        (),
    )


def _window(scripted: Scripted, clients: Sequence[Client], marks: Sequence[Mark]) -> Window:
    """Return from before the beginning until what came last, with some more."""
    runs = scripted.runs
    from_ns = min(scripted.zero_ns, runs[0].began_ns) - BEFORE_NS
    ends = [
        *(one.at_ns for one in runs),
        *(one.at_ns for one in marks),
        *(gap.until_ns for one in clients for gap in one.gaps),
    ]
    watched_ns = min((one.window.until_ns for one in clients), default=NS_BOUND)
    until_ns = min(max(ends) + AFTER_NS, watched_ns)
    return Window(from_ns, max(until_ns, *(one.at_ns for one in runs)))


def _cut(bar: Bar, window: Window) -> Bar | None:
    """Return what is shown of a bar; None where that is nothing."""
    from_ns, until_ns = max(bar.from_ns, window.from_ns), min(bar.until_ns, window.until_ns)
    return replace(bar, from_ns=from_ns, until_ns=until_ns) if from_ns <= until_ns else None


def _alt(made: Maintenance, scripted: Scripted, picture: Picture) -> str:
    machines = len(scripted.machines)
    clients = len(picture.lanes) - machines
    lanes = f"{machines} machine{'s' * (machines != 1)} and {clients} client{'s' * (clients != 1)}"
    scripts = "; ".join(scripted.said(one) for one in scripted.runs)
    said = [f"{lanes}, a lane each", scripts, made.away, made.complaint, made.note]
    return ". ".join(one for one in said if one)
