"""PASS, FAIL, UNKNOWN: what a check says, and how several of them become one.

The worst wins: FAIL over UNKNOWN over PASS. Nothing judged is UNKNOWN, never PASS.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field


class Status(enum.StrEnum):
    """What became of a requirement."""

    PASS = "PASS"  # noqa: S105 - the name of a verdict, not a password
    UNKNOWN = "UNKNOWN"
    FAIL = "FAIL"


_BADNESS = {Status.PASS: 0, Status.UNKNOWN: 1, Status.FAIL: 2}


@dataclass(frozen=True)
class Verdict:
    """A status, why, and where in the evidence directory to look (`history.jsonl:12`)."""

    status: Status
    reasons: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The verdict on a line of its own, its reasons below it."""
        return "\n  - ".join((str(self.status), *self.reasons))


def passed(*reasons: str, evidence: Iterable[str] = ()) -> Verdict:
    """Say PASS, with what was seen."""
    return Verdict(Status.PASS, reasons, tuple(evidence))


def failed(*reasons: str, evidence: Iterable[str] = ()) -> Verdict:
    """Say FAIL, with what was wrong."""
    return Verdict(Status.FAIL, reasons, tuple(evidence))


def unknown(*reasons: str, evidence: Iterable[str] = ()) -> Verdict:
    """Say UNKNOWN, with what is missing."""
    return Verdict(Status.UNKNOWN, reasons, tuple(evidence))


def worst(statuses: Iterable[Status]) -> Status:
    """Return the worst of `statuses`; UNKNOWN when there are none."""
    return max(statuses, key=_BADNESS.__getitem__, default=Status.UNKNOWN)


def combine(verdicts: Iterable[Verdict]) -> Verdict:
    """Make one verdict of several: the worst status, and the reasons that led to it."""
    parts = tuple(verdicts)
    if not parts:
        return unknown("nothing was judged")
    status = worst(part.status for part in parts)
    reasons = (reason for part in parts if part.status is status for reason in part.reasons)
    evidence = (place for part in parts for place in part.evidence)
    return Verdict(status, tuple(dict.fromkeys(reasons)), tuple(dict.fromkeys(evidence)))


@dataclass
class Findings:
    """What a check has found so far; `verdict` closes it.

    A violation outweighs a gap: when both are there, the verdict is FAIL and names the violations.
    """

    violations: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)

    def require(self, holds: bool, otherwise: str) -> bool:
        """Note the violation `otherwise` unless `holds`; return `holds`."""
        if not holds:
            self.violations.append(otherwise)
        return holds

    def gap(self, reason: str) -> None:
        """Note evidence that should be there and is not."""
        self.gaps.append(reason)

    def saw(self, *places: str) -> None:
        """Note where the evidence lies."""
        self.places.extend(places)

    def verdict(self, *shown: str) -> Verdict:
        """Close: FAIL with the violations, UNKNOWN with the gaps, or PASS with `shown`."""
        places = tuple(dict.fromkeys(self.places))
        if self.violations:
            return failed(*self.violations, evidence=places)
        if self.gaps:
            return unknown(*self.gaps, evidence=places)
        return passed(*shown, evidence=places)
