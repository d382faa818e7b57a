"""Every failover of a run: its fault, what was measured of it, and what is to be drawn of it.

Made of the values that the checks judge by (`checks.failover`), so that a page and a verdict cannot
tell different stories. One that cannot be measured is shown with what there is, and the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from checks.engine.attempts import Attempt
from checks.engine.verdict import Status
from checks.failover.recorded import Recorded, WatchedFault
from checks.failover.takeover import Takeover, measure
from evidence.errors import EvidenceError, Imprecise, Missing
from evidence.events.pair import PairConfigured
from evidence.events.run import ScenarioStarted
from evidence.events.takeover import FaultInjected
from evidence.history import Recording
from evidence.moment import Window
from evidence.parts import Part
from report.busy import Shade
from report.drawn import Bar, Mark, drawn
from report.frames import Numbered, OfLab, about, numbered
from report.lacks import Lack, capture_of
from report.measured import Measured, measured
from report.reading import Material

NOT_MOVED = "no takeover while it was watched"


@dataclass(frozen=True)
class Failover:
    """One fault, and what became of it. status: the worst verdict of its attempt.

    host: whose clock all its times are by; "" where the run has one only. note: why nothing could
    be measured, or that the role did not move; "" otherwise. set_aside: it left its attempt
    undecided, and a later attempt was made, which counts in its place.
    """

    scenario: str
    attempt: int
    fault: str
    victim: str
    peer: str
    engine: str
    status: Status | None
    injected_ns: int
    window: Window
    capture: str
    measured: tuple[Measured, ...]
    lanes: tuple[str, ...]
    marks: tuple[Mark, ...]
    bars: tuple[Bar, ...]
    shades: tuple[Shade, ...]
    note: str
    host: str = ""
    set_aside: bool = False

    @property
    def title(self) -> str:
        """What was done, to whom."""
        return f"{self.fault} of {self.victim}"

    @property
    def dark(self) -> bool:
        """Whether its takeover cannot be told: `note` says why."""
        return bool(self.note) and not self.note.startswith(NOT_MOVED)


def failovers(material: Material) -> tuple[list[Failover], list[Lack]]:
    """Return every failover, host by host in the order of its time, and what kept from one."""
    found: list[Failover] = []
    lacks: list[Lack] = []
    for part, recording in material.histories:
        of_part = _of_part(material, part, recording, lacks)
        found += sorted(of_part, key=lambda one: one.injected_ns)
    return found, lacks


def _of_part(
    material: Material, part: Part, recording: Recording, lacks: list[Lack]
) -> list[Failover]:
    faulty = {one.scenario for one in recording.of(FaultInjected)}
    by_lab: dict[str, list[Attempt]] = {}
    labs = {one.line: one.lab for one in recording.of(ScenarioStarted)}
    for attempt in material.attempts:
        if attempt.part == part.prefix and attempt.scenario in faulty:
            by_lab.setdefault(labs[attempt.line], []).append(attempt)
    found: list[Failover] = []
    pairs = {one.virtual_ip for one in recording.of(PairConfigured)}
    for lab, attempts in by_lab.items():
        try:
            path = capture_of(part, lab)
        except EvidenceError:
            continue  # `missing_captures` tells of it
        capture = numbered(path, part.place(path), about(pairs))
        for attempt in attempts:
            try:
                found += _of_attempt(material, attempt, capture)
            except EvidenceError as error:
                lacks.append(Lack(f"failovers of {attempt.scenario}", error.message))
    return found


def _of_attempt(material: Material, attempt: Attempt, capture: Numbered) -> Iterator[Failover]:
    last = max(attempt.judged, key=lambda one: attempt.judged[one], default="")
    part, recording = material.part_of(attempt)
    number = attempt.number - attempt.earlier
    recorded = Recorded(OfLab(part.directory, attempt.scenario, last, recording, number, capture))
    status, aside = material.status_of(attempt), material.is_set_aside(attempt)
    for fault in recorded.faults():
        found = _failover(recorded, fault, attempt, status, capture)
        yield replace(found, host=part.host, set_aside=aside)


def _failover(
    recorded: Recorded,
    fault: WatchedFault,
    attempt: Attempt,
    status: Status | None,
    capture: Numbered,
) -> Failover:
    takeover, note = _measure(recorded, fault)
    picture = drawn(recorded, fault, takeover, capture)
    return Failover(
        attempt.scenario,
        attempt.number,
        fault.name,
        fault.victim.name,
        recorded.pair.peer_of(fault.victim.name).name,
        recorded.pair.engine,
        status,
        fault.at.at_ns,
        picture.window,
        capture.place,
        tuple(measured(recorded, takeover)),
        picture.lanes,
        picture.marks,
        picture.bars,
        picture.shades,
        note,
    )


def _measure(recorded: Recorded, fault: WatchedFault) -> tuple[Takeover | None, str]:
    try:
        takeover = measure(recorded, fault)
    except (Missing, Imprecise) as error:
        return None, error.message
    if takeover.happened:
        return takeover, ""
    wanted = "" if fault.event.expects_takeover else ", and none was to come"
    return takeover, f"{NOT_MOVED}{wanted}"
