"""All that a report holds, put together: values for the page, the tables and the comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from markupsafe import Markup

from checks.engine.mutants import Outcome
from checks.engine.repetition import Repetition
from checks.engine.verdict import Status
from report.distributions import Distribution, distributions, stages
from report.failovers import Failover, failovers
from report.figures import strips
from report.hosts import Host, hosts
from report.kills import Killed, broken, is_of_mutants, shipped
from report.lacks import Lack
from report.maintenance import Maintenance, maintenances
from report.matrix import Row, matrix
from report.reading import Material, read_run
from report.round_robin import Draw, draws
from report.summary import Summary, summary
from report.timeline import Timeline, timeline

MOST_TIMELINES = 400
"""So many failovers are drawn, worst verdicts first; the measurements are of all."""

MOST_PRINTED = 3
"""On paper: a report is to have ten pages at most."""


@dataclass(frozen=True)
class Drawing:
    """A failover and its timeline. printed: whether it is shown on paper, too."""

    failover: Failover
    timeline: Timeline
    printed: bool


@dataclass(frozen=True)
class Series:
    """All repetitions of one scenario: the worst verdicts first, then in the order of time."""

    name: str
    drawings: tuple[Drawing, ...]

    @property
    def status(self) -> Status | None:
        """The worst verdict among those that count."""
        order = (Status.FAIL, Status.UNKNOWN, Status.PASS)
        found = {one.failover.status for one in self.drawings if not one.failover.set_aside}
        return next((one for one in order if one in found), None)

    @property
    def opened(self) -> bool:
        """Whether a reader sees it without asking: what is not PASS, and what is printed."""
        return self.status is not Status.PASS or any(one.printed for one in self.drawings)


@dataclass(frozen=True)
class Stage:
    """The distributions of one stage, and their figure."""

    name: str
    distributions: tuple[Distribution, ...]
    figure: Markup


@dataclass(frozen=True)
class Content:
    """What a report holds."""

    material: Material
    summary: Summary
    rows: tuple[Row, ...]
    failovers: tuple[Failover, ...]
    series: tuple[Series, ...]
    not_drawn: int
    stages: tuple[Stage, ...]
    draws: tuple[Draw, ...]
    maintenance: tuple[Maintenance, ...]
    of_mutants: bool
    broken: tuple[Outcome, ...]
    kills: tuple[Killed, ...]
    hosts: tuple[Host, ...]

    @property
    def guides(self) -> list[str]:
        """The guides whose requirements are in the matrix."""
        return list(dict.fromkeys(row.guide for row in self.rows))

    @property
    def set_aside(self) -> int:
        """How many failovers count no more: their attempts were undecided, and made again."""
        return sum(one.set_aside for one in self.failovers)

    @property
    def dark(self) -> list[Failover]:
        """The failovers whose takeover cannot be told from what evidence there is."""
        return [one for one in self.failovers if one.dark]


def content_of(directory: Path) -> Content:
    """Make all that a report holds of a run's directory; raise BadEvidence when it is none."""
    material = read_run(directory)
    found, lacks = failovers(material)
    material = _with(material, lacks)
    rows = tuple(matrix(material))
    shown = sorted(found, key=_shown_first)[:MOST_TIMELINES]  # of equal ones, host by host
    return Content(
        material,
        summary(material, rows),
        rows,
        tuple(found),
        tuple(_series(shown)),
        len(found) - len(shown),
        tuple(_stages(distributions(one for one in found if not one.set_aside))),
        tuple(draws(material)),
        tuple(maintenances(material)),
        is_of_mutants(material),
        broken(material),
        shipped(),
        tuple(hosts(material)),
    )


def _with(material: Material, lacks: Sequence[Lack]) -> Material:
    return replace(material, lacks=tuple(dict.fromkeys((*material.lacks, *lacks))))


def _shown_first(one: Failover) -> tuple[bool, int]:
    order = (Status.FAIL, Status.UNKNOWN, None, Status.PASS)
    return one.set_aside, order.index(one.status)


def _series(shown: Sequence[Failover]) -> list[Series]:
    """Group what is shown, in the order of `shown`: the worst comes first."""
    by_name: dict[str, list[Drawing]] = {}
    for number, one in enumerate(shown, start=1):
        repetition = Repetition.named(one.scenario)
        name = repetition.series if repetition else one.scenario
        drawing = Drawing(one, _timeline(one, f"f{number}"), number <= MOST_PRINTED)
        by_name.setdefault(name, []).append(drawing)
    return [Series(name, tuple(drawings)) for name, drawings in by_name.items()]


def _timeline(one: Failover, name: str) -> Timeline:
    took = [f"{each.stage} {each.seconds:.2f} s" for each in one.measured]
    alt = f"{one.title}, {one.engine}: {'; '.join(took) or one.note or 'nothing measured'}"
    return timeline(
        name, one.window, one.injected_ns, one.lanes, one.marks, one.bars, one.shades, alt
    )


def _stages(found: Sequence[Distribution]) -> list[Stage]:
    return [
        Stage(name, tuple(each), strips(f"d{number}", each))
        for number, (name, each) in enumerate(stages(found).items(), start=1)
    ]
