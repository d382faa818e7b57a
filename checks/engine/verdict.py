"""PASS, FAIL, UNKNOWN: what became of a requirement, and how several verdicts become one.

The worst wins: FAIL over UNKNOWN over PASS. Nothing judged is UNKNOWN, never PASS. A verdict of a
check is made of what it owed (`obligations`), by nothing else.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


class Status(enum.StrEnum):
    """What became of a requirement."""

    PASS = "PASS"  # noqa: S105 - the name of a verdict, not a password
    UNKNOWN = "UNKNOWN"
    FAIL = "FAIL"


_BADNESS = {Status.PASS: 0, Status.UNKNOWN: 1, Status.FAIL: 2}


@dataclass(frozen=True)
class Verdict:
    """A status, why, and where in the evidence directory to look (`history.jsonl:12`).

    owed, discharged: how many obligations the check had, and how many of them were shown to be
    kept. late: whether the host's lateness is all that keeps it from PASS. digests: SHA-256 of
    the evidence that it rests on, by file.
    """

    status: Status
    reasons: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    owed: int = 0
    discharged: int = 0
    late: bool = False
    digests: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The verdict on a line of its own, its reasons below it."""
        return "\n  - ".join((str(self.status), *self.reasons))


def unknown(*reasons: str, evidence: Iterable[str] = ()) -> Verdict:
    """Say UNKNOWN, with what is missing. PASS and FAIL are made of obligations only."""
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
    leading = [part for part in parts if part.status is status]
    return Verdict(
        status,
        tuple(dict.fromkeys(reason for part in leading for reason in part.reasons)),
        tuple(dict.fromkeys(place for part in parts for place in part.evidence)),
        sum(part.owed for part in parts),
        sum(part.discharged for part in parts),
        status is Status.UNKNOWN and all(part.late for part in leading),
        {file: digest for part in parts for file, digest in part.digests.items()},
    )
