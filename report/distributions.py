"""How long things took over all repetitions, by fault and stage, against what they may take."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from checks.failover.stages import Stage
from checks.protocols.budgets import Budget
from checks.protocols.spread import Spread, spread
from report.failovers import Failover
from report.measured import Measured

_ID = re.compile(r"[A-Z]{2,3}-\d\d")
_ORDER = [str(stage) for stage in Stage]


@dataclass(frozen=True)
class Sample:
    """One measurement, and which scenario it is of."""

    seconds: float
    uncertainty_s: float
    scenario: str


@dataclass(frozen=True)
class Distribution:
    """All measurements of one stage after one fault. engine: which the pair ran."""

    stage: str
    fault: str
    engine: str
    who: str
    samples: tuple[Sample, ...]
    limits: tuple[Budget, ...]

    @property
    def name(self) -> str:
        """What was measured, in one line; a figure of report.json bears it."""
        who = f", {self.who}" if self.who else ""
        return f"{self.fault} ({self.engine}{who}): {self.stage}"

    @property
    def row(self) -> str:
        """What a row of a figure is called, below the name of its stage."""
        return f"{self.fault}, {self.engine}" + (f"\n{self.who}" if self.who else "")

    @property
    def seconds(self) -> list[float]:
        """The measurements, in the order of time."""
        return [one.seconds for one in self.samples]

    @property
    def spread(self) -> Spread | None:
        """Count, median, 95th percentile and worst."""
        return spread(self.seconds)

    @property
    def uncertainty_s(self) -> float:
        """How far off one of them may be, at most."""
        return max((one.uncertainty_s for one in self.samples), default=0.0)

    @property
    def allowed(self) -> list[str]:
        """The limits in words, each once: some differ by less than is written."""
        limits = [
            f"{one.minimum_s:.2f} to {one.maximum_s:.2f} s"
            f" ({one.formula}{f'; {one.source}' if _ID.fullmatch(one.source) else ''})"
            for one in self.limits
        ]
        return list(dict.fromkeys(limits))

    @property
    def over(self) -> int:
        """How many took longer than the tightest limit, whatever the verdict makes of it."""
        limit = min((one.maximum_s for one in self.limits), default=float("inf"))
        return sum(one > limit for one in self.seconds)


def distributions(failovers: Iterable[Failover]) -> list[Distribution]:
    """Group every measurement by stage, fault, engine and client."""
    found: dict[tuple[str, str, str, str], list[tuple[Failover, Measured]]] = {}
    for failover in failovers:
        for one in failover.measured:
            key = (one.stage, failover.fault, failover.engine, one.who)
            found.setdefault(key, []).append((failover, one))
    return [
        Distribution(
            *key,
            tuple(Sample(one.seconds, one.uncertainty_s, of.scenario) for of, one in each),
            tuple(dict.fromkeys(limit for _, one in each for limit in one.limits)),
        )
        for key, each in sorted(found.items(), key=lambda one: (_ORDER.index(one[0][0]), one[0]))
    ]


def stages(all_of_them: Iterable[Distribution]) -> dict[str, list[Distribution]]:
    """Put distributions together by stage: a figure each."""
    found: dict[str, list[Distribution]] = {}
    for one in all_of_them:
        found.setdefault(one.stage, []).append(one)
    return found
