"""Which mutants each check kills, and why: counted by rule while the score is made.

Beside the mutants that are made by rule stand those of `tests.checks.cases` that have to be FAIL,
each under its own sentence, and for a reason that holds the words which the sentence names. Damage
that is sampled by the octets of a file is left out: which octets those are, any change moves.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from checks.engine.kills import Kill, Table
from checks.engine.verdict import Status, Verdict
from evidence.printable import visible
from tests.checks.cases import every_row
from tests.score.case import ONLY_PASS, Case

SAMPLED = ("a history damaged", "a capture damaged")
_LONGEST = 240  # characters of a mutant or a reason in the table: a loaded firewall has 4,000
_DRAWN = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
"""A certificate that a good run holds: another one each time."""
_PLACE = re.compile(rf"{re.escape(tempfile.gettempdir())}/\w+/")
"""Where a mutant was judged: another directory each time."""


@dataclass(frozen=True)
class Killed:
    """A mutant that was no PASS, and the reason that tells it."""

    mutant: str
    status: Status
    reason: str


@dataclass
class Kills:
    """What was killed so far, by requirement and rule."""

    _found: dict[tuple[str, str], list[Killed]] = field(default_factory=dict)

    def seen(self, case: Case, verdict: Verdict) -> None:
        """Count a case, unless it is evidence that has to PASS, or sampled."""
        if case.right != ONLY_PASS and case.rule not in SAMPLED:
            self.add(case.requirement, case.rule, case.what, verdict)

    def add(
        self,
        requirement: str,
        rule: str,
        mutant: str,
        verdict: Verdict,
        words: Collection[str] = (),
    ) -> None:
        """Count a mutant; what was taken for good, or crashed the check, is none that was killed.

        words: the reason that is shown holds them, if one does.
        """
        if verdict.status is Status.PASS or "the check crashed" in verdict.text:
            return
        named = (one for one in verdict.reasons if all(word in one for word in words))
        reason = next(named, verdict.reasons[0])
        killed = Killed(shortened(mutant), verdict.status, shortened(reason))
        self._found.setdefault((requirement, rule), []).append(killed)

    def update(self, others: Kills) -> None:
        """Count what others have counted, too; they are of other requirements."""
        self._found.update(others._found)

    def table(self) -> Table:
        """Return the kill table."""
        table: dict[str, tuple[Kill, ...]] = {}
        for (requirement, rule), killed in sorted(self._found.items()):
            table[requirement] = (*table.get(requirement, ()), _kill(rule, killed))
        return table


def _kill(rule: str, killed: list[Killed]) -> Kill:
    failed = [one for one in killed if one.status is Status.FAIL]
    shown = (failed or killed)[0]
    return Kill(
        rule=rule,
        failed=len(failed),
        unknown=len(killed) - len(failed),
        mutant=shown.mutant,
        reason=shown.reason,
    )


def shortened(said: str, most: int = _LONGEST) -> str:
    """Return text as it is shown on one line: without what is another one each time."""
    said = _PLACE.sub("", said)
    return visible(_DRAWN.sub("(a certificate)", said.strip()), most=most)


def every_sentence(kills: Kills, requirements: Collection[str]) -> None:
    """Judge each sentence of some requirements that has to be FAIL."""
    for row in every_row():
        if row.right is Status.FAIL and row.requirement in requirements:
            with tempfile.TemporaryDirectory() as name:
                verdict = row.judge(Path(name))
            kills.add(row.requirement, row.sentence, "", verdict, row.words)
