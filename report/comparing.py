"""Two reports compared: which requirement turned, or the whole run, and which figure moved.

A figure moved out of its noise when the test of `ranks`, adjusted for the number of figures, says
that chance alone does so less often than once in a hundred times. What has too few values to be
told from chance, among as many figures, is not tested. What is in one report only is named, not
compared.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from evidence.combinations import combinations_of
from evidence.errors import BadEvidence
from report.content import content_of
from report.joint import joint_of, joint_table
from report.ranks import holm, least_p, p_value
from report.tables import FORMAT, WHOLE, table

ALPHA = Fraction(1, 100)
_MOST_VALUES = 80
"""Of one figure: to count all choices among more takes minutes. The first so many are taken."""


@dataclass(frozen=True)
class Turned:
    """A requirement with another verdict; "absent" where a run was not about it.

    So may the whole run: evidence that was altered, or is not whole, turns no requirement.
    """

    requirement: str
    before: str
    after: str

    @property
    def worse(self) -> bool:
        """Whether it is worse than it was."""
        order = ("FAIL", "UNKNOWN", "absent", "PASS")
        return order.index(self.after) < order.index(self.before)


@dataclass(frozen=True)
class Moved:
    """A figure in both reports: medians and counts. p: adjusted; None: too few to tell."""

    figure: str
    before: float
    after: float
    counts: tuple[int, int]
    p: Fraction | None

    @property
    def moved(self) -> bool:
        """Whether it moved out of its noise."""
        return self.p is not None and self.p < ALPHA


@dataclass(frozen=True)
class Comparison:
    """What became of two runs."""

    turned: tuple[Turned, ...]
    figures: tuple[Moved, ...]
    only_one: tuple[str, ...]
    differs: tuple[tuple[str, str, str], ...]

    @property
    def same(self) -> bool:
        """Whether no verdict turned and no figure moved, as far as it can be told."""
        return not self.turned and not any(one.moved for one in self.figures)

    @property
    def untold(self) -> bool:
        """Whether figures have too few values to tell that they did not move."""
        return any(one.p is None for one in self.figures)


def read_report(path: Path) -> Mapping[str, Any]:
    """Read a report.json, or make what it would hold of a run's directory."""
    if path.is_dir():
        return joint_table(joint_of(path)) if combinations_of(path) else table(content_of(path))
    try:
        told = json.loads(path.read_bytes())
        found = told["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadEvidence(
            f"{path}: no report can be read: {error!r}",
            hint="name the directory of a run, or its report.json",
        ) from error
    if found != FORMAT:
        raise BadEvidence(f"{path}: a report in format {found}, and this reads {FORMAT}")
    return dict(told)


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> Comparison:
    """Compare two reports; raise BadEvidence when one of them holds something else."""
    try:
        return Comparison(
            tuple(_turned(_verdicts(before), _verdicts(after))),
            tuple(_moved(before["figures"], after["figures"])),
            tuple(sorted({*before["figures"]} ^ {*after["figures"]})),
            tuple(_differs(before["tested"], after["tested"])),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadEvidence(f"a report holds something else than a report does: {error!r}") from error


def _verdicts(report: Mapping[str, Any]) -> dict[str, str]:
    each = {name: str(one["verdict"]) for name, one in report["requirements"].items()}
    return {**each, WHOLE: str(report["verdict"])}


def _turned(before: Mapping[str, str], after: Mapping[str, str]) -> list[Turned]:
    names = {*before, *after}
    both = ((one, before.get(one, "absent"), after.get(one, "absent")) for one in names)
    return sorted(
        (Turned(*one) for one in both if one[1] != one[2]), key=lambda one: one.requirement
    )


def _moved(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Moved]:
    names = sorted({*before} & {*after})
    values = [
        (name, list(map(float, before[name]["values"])), list(map(float, after[name]["values"])))
        for name in names
    ]
    values = [one for one in values if one[1] and one[2]]
    tested = _may_move(values)
    raw = [p_value(old[:_MOST_VALUES], new[:_MOST_VALUES]) for _, old, new in tested]
    adjusted = dict(zip((name for name, _, _ in tested), holm(raw), strict=True))
    return [
        Moved(
            name,
            statistics.median(old),
            statistics.median(new),
            (len(old), len(new)),
            adjusted.get(name),
        )
        for name, old, new in values
    ]


_Values = tuple[str, list[float], list[float]]
"""A figure's name, and its values in both reports."""


def _may_move(values: Iterable[_Values]) -> list[_Values]:
    """Leave out figures of so few values that none can move among as many, the fewest first."""
    left = list(values)
    while left and (most := max(map(_least, left))) * len(left) >= ALPHA:
        left = [one for one in left if _least(one) < most]
    return left


_OF_EACH_RUN = ("Begun", "Started", "Last event", "Evidence", "Seal", "Secrets")
"""Facts that are another in every run; "Begun" in reports of before."""


def _least(one: _Values) -> Fraction:
    _, old, new = one
    return least_p(len(old), len(new))


def _differs(before: Mapping[str, str], after: Mapping[str, str]) -> list[tuple[str, str, str]]:
    names = [name for name in before if name not in _OF_EACH_RUN]
    return [
        (name, str(before[name]), str(after[name]))
        for name in names
        if name in after and before[name] != after[name]
    ]
