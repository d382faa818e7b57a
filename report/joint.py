"""The report of a run of a matrix: one page with a column for each combination, and its tables.

Each combination has a report of its own in its own directory, and every cell leads there. As those,
this one is made of evidence and verdicts alone, and judges nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from checks.engine.joint import broken
from checks.engine.verdict import Status
from evidence.combinations import OUTCOMES, Combination, Outcome, combinations_of, outcomes_of
from evidence.errors import EvidenceError
from evidence.run import RunDirectory
from report.columns import Across, Column, Timed, across, column, place, timed
from report.content import content_of
from report.joint_summary import Setting, joint_limits, joint_sentence, joint_status, settings
from report.making import PAGE, lines_on, make_report
from report.page import laid_out
from report.pdf import forget, print_page
from report.signing import sign
from report.sums import write_sums
from report.tables import FORMAT, WHOLE, in_doubt, junit
from report.writing import ReportError, write_whole


@dataclass(frozen=True)
class Joint:
    """All that the report of a matrix holds. doubts: what is wrong with the whole run."""

    directory: Path
    facts: Mapping[str, Any]
    columns: tuple[Column, ...]
    rows: tuple[Across, ...]
    figures: tuple[Timed, ...]
    settings: tuple[Setting, ...]
    seal: str
    doubts: tuple[str, ...]

    @property
    def status(self) -> Status:
        """The verdict over all combinations."""
        return joint_status(self.columns, self.doubts)

    @property
    def sentence(self) -> str:
        """What became of the run."""
        return joint_sentence(self.columns, self.rows, self.doubts)

    @property
    def limits(self) -> tuple[str, ...]:
        """What nothing in it could have shown, in some combinations or in all."""
        return tuple(joint_limits(self.columns, self.rows))

    @property
    def of_mutants(self) -> bool:
        """Whether deployments were broken on purpose: then it is no sign-off."""
        return any(one.of_mutants for one in self.columns)

    @property
    def guides(self) -> list[str]:
        """The guides whose requirements are in it."""
        return list(dict.fromkeys(row.guide for row in self.rows))

    @property
    def counts(self) -> dict[str, int]:
        """How many requirements came to each verdict, by the worst of all combinations."""
        statuses = [row.status for row in self.rows]
        return {str(one): statuses.count(one) for one in (Status.PASS, Status.FAIL, Status.UNKNOWN)}


@dataclass(frozen=True)
class JointMade:
    """A report of a matrix that was made."""

    joint: Joint
    page: Path
    sums: Path
    signature: Path | None

    def lines(self) -> Iterator[str]:
        """Yield what became of the run, and where its report is."""
        yield f"{self.joint.status}: {self.joint.sentence}"
        yield from lines_on(self.joint.directory, self.page, self.sums, self.signature)


def make_joint(
    run: Path, out: Path | None = None, key: Path | None = None, *, pdf: bool = False
) -> JointMade:
    """Make the report of a run of a matrix, and of each combination in its own directory.

    With `out` elsewhere the run is left alone. Raises as `report.making.make_report` does.
    """
    at = out or run / PAGE
    if not at.parent.is_dir():
        raise ReportError(f"{at.parent}: there is no such directory", hint="make it first")
    joint = joint_of(run, renew=out is None)
    links = [place(one, at, PAGE) for one in joint.columns]
    written = [
        write_whole(at, laid_out("joint.html.j2", joint=joint, links=links)),
        write_whole(at.with_suffix(".json"), json.dumps(joint_table(joint), indent=1) + "\n"),
        write_whole(at.with_suffix(".xml"), junit(_suites(joint))),
    ]
    if pdf:
        written.append(print_page(at))
    else:
        forget(at, run)
    sums = write_sums(run, at.parent, written)
    return JointMade(joint, at, sums, sign(sums, key) if key else None)


def joint_of(run: Path, *, renew: bool = False) -> Joint:
    """Make all that the report holds; `renew`: the reports of the combinations, too."""
    combinations, doubts = combinations_of(run), []
    became: Mapping[str, Outcome] = {}
    seal = ""
    try:
        said = outcomes_of(run)
        became, seal = said.combinations, said.seal
        doubts += list(broken(run))
    except EvidenceError as error:
        doubts.append(error.message)
    if not seal:
        doubts.append(f"{OUTCOMES}: no seal: the run did not end, or the seal was removed")
    columns = tuple(_column(one, became.get(one.name, Outcome()), renew) for one in combinations)
    return Joint(
        run,
        RunDirectory(run).facts(),
        columns,
        tuple(across(columns)),
        tuple(timed(columns)),
        tuple(settings(columns)),
        seal,
        tuple(doubts),
    )


def _column(one: Combination, outcome: Outcome, renew: bool) -> Column:
    if not one.recorded:
        return column(one, outcome, None)
    content = make_report(one.directory).content if renew else content_of(one.directory)
    return column(one, outcome, content)


def joint_table(joint: Joint) -> dict[str, Any]:
    """Return it as plain values, as `report.json` of a run: each name with its combination's."""
    told = {one.combination.name: one.table or {} for one in joint.columns}

    def all_of(part: str) -> dict[str, Any]:
        parts = ((name, one.get(part, {})) for name, one in told.items())
        return {f"{name}: {key}": value for name, one in parts for key, value in one.items()}

    return {
        "format": FORMAT,
        "verdict": str(joint.status),
        "sentence": joint.sentence,
        "tested": {
            f"{one.combination.name}: {setting.name}": value
            for setting in joint.settings
            for one, value in zip(joint.columns, setting.values, strict=True)
        },
        "facts": dict(joint.facts),
        "counts": joint.counts,
        "seal": joint.seal,
        "doubts": list(joint.doubts),
        "limits": list(joint.limits),
        "combinations": {
            one.combination.name: {
                **one.combination.settings,
                "verdict": str(one.status),
                "sentence": one.sentence,
                "why": one.why,
            }
            for one in joint.columns
        },
        "requirements": all_of("requirements"),
        "figures": all_of("figures"),
    }


def _suites(joint: Joint) -> Iterator[ET.Element]:
    """Yield the suites of all combinations; one that could not run is an error, so are doubts."""
    for one in joint.columns:
        name = one.combination.name
        for suite in one.suites:
            suite.set("name", f"{name}: {suite.get('name')}")
            yield suite
        if wrong := one.why or one.doubt:
            yield in_doubt(name, "the whole combination", wrong)
    if joint.doubts:
        yield in_doubt(WHOLE, WHOLE, joint.sentence, joint.doubts)
