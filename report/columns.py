"""A run of a matrix as columns: each requirement, and each figure, in each of its combinations.

A combination that could not run is a column like the others: everything in it is UNKNOWN. What a
combination was not to show (a scenario of the other heartbeat, say) is an empty cell, no verdict.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

from checks.engine.requirements import catalogue
from checks.engine.verdict import Status, worst
from evidence.combinations import Combination, Outcome
from report.content import Content
from report.distributions import Distribution
from report.limits import on_stand_ins
from report.matrix import Row
from report.summary import Summary
from report.tables import junit_suites, table

_HEAVY = ("failovers", "kills", "maintenance", "mutants", "round_robin")
"""What the joint report.json leaves to that of each combination."""
_FAILED = 1
"""What pytest ends with when a scenario failed."""


@dataclass(frozen=True)
class Column:
    """One combination. summary: None when it could not run. why: why not, or not to its end.

    failed: whether its pytest ended so. stand_ins: guides that were followed with a stand-in.
    """

    combination: Combination
    why: str
    summary: Summary | None = None
    rows: tuple[Row, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    of_mutants: bool = False
    table: Mapping[str, Any] | None = None
    suites: tuple[ET.Element, ...] = ()
    failed: bool = False
    stand_ins: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What is different in it."""
        return self.combination.title

    @property
    def doubt(self) -> str:
        """What is wrong with it although all that it was to show is PASS; "" for nothing."""
        if self.failed and self.summary is not None and self.summary.status is Status.PASS:
            return "pytest ended with status 1: a scenario failed, whatever its requirements say"
        return ""

    @property
    def status(self) -> Status:
        """Its verdict: UNKNOWN at best when it did not come to its end, or is in doubt."""
        own = self.summary.status if self.summary else Status.UNKNOWN
        return worst([own, Status.UNKNOWN]) if self.why or self.doubt else own

    @property
    def sentence(self) -> str:
        """What became of it."""
        if self.summary is None:
            return f"It could not run: {self.why}."
        cut = f" It did not come to its end: {self.why}." if self.why else ""
        doubt = f" But {self.doubt}." if self.doubt else ""
        return self.summary.sentence + cut + doubt


@dataclass(frozen=True)
class Cell:
    """A requirement in one combination. status: None where it was not to be shown.

    anchor: its row in that combination's report, "" when it has none.
    """

    status: Status | None
    said: str = ""
    anchor: str = ""


@dataclass(frozen=True)
class Across:
    """A requirement in all combinations, in the order of the columns."""

    id: str
    guide: str
    statement: str
    cells: tuple[Cell, ...]

    @property
    def status(self) -> Status:
        """The worst of them."""
        return worst(cell.status for cell in self.cells if cell.status is not None)


@dataclass(frozen=True)
class Timed:
    """How long one thing took in all combinations: None where it was not measured."""

    stage: str
    what: str
    cells: tuple[Distribution | None, ...]


def column(combination: Combination, outcome: Outcome, content: Content | None) -> Column:
    """Make a column of what was made of a combination's evidence; None: there is none."""
    if content is None:
        return Column(combination, outcome.why or "nothing of it was recorded")
    told = table(content)
    return Column(
        combination,
        outcome.cut,
        content.summary,
        content.rows,
        tuple(one for stage in content.stages for one in stage.distributions),
        content.of_mutants,
        {name: value for name, value in told.items() if name not in _HEAVY},
        tuple(junit_suites(content)),
        outcome.status == _FAILED,
        tuple(on_stand_ins(content.material, content.rows)),
    )


def across(columns: Sequence[Column]) -> Iterator[Across]:
    """Yield every requirement of any combination, in the order of the catalogue."""
    found = {row.id: row for one in columns for row in one.rows}
    order = {one.id: number for number, one in enumerate(catalogue())}
    for name in sorted(found, key=lambda one: (order.get(one, len(order)), one)):
        row = found[name]
        cells = tuple(_cell(one, name) for one in columns)
        yield Across(name, row.guide, row.statement, cells)


def _cell(column: Column, requirement: str) -> Cell:
    if column.summary is None:
        return Cell(Status.UNKNOWN, column.why)
    for number, row in enumerate(column.rows, start=1):
        if row.id == requirement:
            said = "" if row.status is Status.PASS else "; ".join(row.reasons[:1])
            return Cell(row.status, said, f"r-{number}")
    return Cell(None)


def timed(columns: Sequence[Column]) -> Iterator[Timed]:
    """Yield every figure of any combination."""
    by_column = [{_figure(one, each): each for each in one.distributions} for one in columns]
    for key in dict.fromkeys(key for found in by_column for key in found):
        stage, *what = key
        cells = tuple(found.get(key) for found in by_column)
        yield Timed(stage, ", ".join(filter(None, what)), cells)


def _figure(column: Column, one: Distribution) -> tuple[str, str, str, str]:
    """Return what is the same of a figure in all columns: a heartbeat that makes one is not."""
    own = column.combination.settings.get("heartbeat")
    return one.stage, one.fault, one.who, "" if one.engine == own else one.engine


def place(column: Column, page: Path, name: str) -> str:
    """Return where a combination's own report lies, as seen from a page; "" when it has none."""
    if column.summary is None:
        return ""
    return quote(os.path.relpath(column.combination.directory / name, page.parent))
