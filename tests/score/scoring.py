"""Every case of every check, judged, and counted by rule."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from checks.engine.verdict import Status, Verdict
from tests.score import damages, fields, noise, wire
from tests.score.case import ONLY_PASS, Case
from tests.score.excused import excuse
from tests.score.healthy import WRITERS, Healthy, healthy

Rule = Callable[[Healthy], Iterator[Case]]


def as_it_is(good: Healthy) -> Iterator[Case]:
    """Leave the good run as it is."""
    yield Case(good.requirement, "a good run", "", good.recording, ONLY_PASS)


CLASSES: Mapping[str, tuple[Rule, ...]] = {
    "violation": (
        fields.left_out,
        fields.inverted,
        fields.beyond,
        fields.of_another,
        wire.second_holder,
        wire.nobody,
        wire.no_takeover,
        wire.silent_port,
        wire.one_machine,
    ),
    "healthy": (as_it_is, *noise.RULES),
    "damaged": damages.RULES,
}


def cases(requirements: Iterable[str] = WRITERS) -> Iterator[tuple[str, Case]]:
    """Yield each case with its class; those that are no violation of a requirement are left out."""
    for requirement in requirements:
        good = healthy(requirement)
        for name, rules in CLASSES.items():
            for rule in rules:
                yield from ((name, case) for case in rule(good) if excuse(case) is None)


@dataclass
class Tally:
    """How cases of one rule came out."""

    right: int = 0
    wrong: dict[Status, list[str]] = field(default_factory=dict)

    @property
    def cases(self) -> int:
        """How many there were."""
        return self.right + sum(map(len, self.wrong.values()))


def judged(case: Case) -> Verdict:
    """Judge a case in a directory of its own."""
    with tempfile.TemporaryDirectory() as name:
        return case.judge(Path(name))


def is_right(case: Case, verdict: Verdict) -> bool:
    """Tell whether a verdict is one of those that are right; a check that crashed never is."""
    return verdict.status in case.right and "the check crashed" not in verdict.text


def add(tallies: dict[tuple[str, str], Tally], others: Mapping[tuple[str, str], Tally]) -> None:
    """Add the tallies of other cases to `tallies`."""
    for key, other in others.items():
        tally = tallies.setdefault(key, Tally())
        tally.right += other.right
        for status, names in other.wrong.items():
            tally.wrong.setdefault(status, []).extend(names)


Seen = Callable[[Case, Verdict], object]


def score(
    found: Iterable[tuple[str, Case]], seen: Seen = lambda *_: None
) -> dict[tuple[str, str], Tally]:
    """Judge every case, and count them by class and rule; `seen` is told of each."""
    tallies: dict[tuple[str, str], Tally] = {}
    for name, case in found:
        tally = tallies.setdefault((name, case.rule), Tally())
        verdict = judged(case)
        seen(case, verdict)
        if is_right(case, verdict):
            tally.right += 1
        else:
            tally.wrong.setdefault(verdict.status, []).append(case.name)
    return tallies
