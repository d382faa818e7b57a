"""The requirement matrix: each requirement of a run, its verdict, and what that rests on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from checks.engine.repetition import Repetition
from checks.engine.requirements import Requirement, catalogue
from checks.engine.verdict import Status, Verdict, unknown
from report.reading import Material

MOST_REASONS = 40
"""So many reasons of one verdict are shown; all of them stand in report.json."""


@dataclass(frozen=True)
class Part:
    """One scenario's word on a requirement, and where to look. hosts: where it was begun."""

    scenario: str
    status: Status
    attempts: int
    reasons: tuple[str, ...]
    evidence: tuple[str, ...]
    digests: tuple[tuple[str, str], ...]
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One requirement. judged: whether anybody said anything of it.

    provoke, limit: what the catalogue says of how it is to be shown, "" for nothing.
    """

    id: str
    guide: str
    section: str
    statement: str
    provoke: str
    limit: str
    status: Status
    judged: bool
    reasons: tuple[str, ...]
    owed: int
    discharged: int
    late: bool
    parts: tuple[Part, ...]

    @property
    def attempts(self) -> int:
        """How often the scenario was begun that was begun most often."""
        return max((part.attempts for part in self.parts), default=0)

    @property
    def more_reasons(self) -> int:
        """How many reasons are not among those shown."""
        return max(0, len(self.reasons) - MOST_REASONS)


def matrix(material: Material) -> list[Row]:
    """Return each requirement that was to be judged, or was, in the order of the catalogue."""
    told = material.facts.get("requirements")
    wanted = {str(one) for one in told} if isinstance(told, list) else set()
    for attempt in material.attempts:
        wanted.update(attempt.requirements)
    wanted |= {*material.verdicts.attempts, *material.verdicts.to_judge}
    hosts = _hosts(material)
    return [_row(material, *one, hosts) for one in _known(wanted)]


def _hosts(material: Material) -> dict[str, tuple[str, ...]]:
    """Return on which hosts each scenario was begun; a series, its repetitions."""
    found: dict[str, dict[str, None]] = {}
    for one in material.attempts:
        part, _ = material.part_of(one)
        repetition = Repetition.named(one.scenario)
        for name in (one.scenario, *((repetition.series,) if repetition else ())):
            if part.host:
                found.setdefault(name, {})[part.host] = None
    return {name: tuple(hosts) for name, hosts in found.items()}


def _known(ids: Iterable[str]) -> Iterator[tuple[str, Requirement | None]]:
    left = set(ids)
    for one in catalogue():
        if one.id in left:
            left.discard(one.id)
            yield one.id, one
    for other in sorted(left):  # of another revision's catalogue, or of nobody's
        yield other, None


def _row(
    material: Material,
    requirement_id: str,
    known: Requirement | None,
    hosts: Mapping[str, tuple[str, ...]],
) -> Row:
    judged = bool(material.verdicts.attempts.get(requirement_id))
    never = unknown("it was to be judged by this run, and never was")
    verdict = material.verdicts.of(requirement_id) if judged else never
    return Row(
        requirement_id,
        known.guide if known else "unknown",
        known.section if known else "",
        known.statement if known else "no requirement of this revision's catalogue",
        _said(known.provoke) if known else "",
        _said(known.limit) if known else "",
        verdict.status,
        judged,
        verdict.reasons,
        verdict.owed,
        verdict.discharged,
        verdict.late,
        tuple(_parts(material, requirement_id, hosts)),
    )


def _said(text: str) -> str:
    return "" if text == "-" else text


def _parts(
    material: Material, requirement_id: str, hosts: Mapping[str, tuple[str, ...]]
) -> Iterator[Part]:
    attempts = material.verdicts.attempts.get(requirement_id, {})
    said: Mapping[str, Verdict] = material.verdicts.by_requirement.get(requirement_id, {})
    for scenario, verdict in said.items():
        yield Part(
            scenario,
            verdict.status,
            len(attempts[scenario]),
            verdict.reasons,
            verdict.evidence,
            tuple(sorted(verdict.digests.items())),
            hosts.get(scenario, ()),
        )
