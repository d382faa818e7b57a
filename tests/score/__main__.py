"""Print the score as a table: `python -m tests.score [requirement ...]`; 1 when one is wrong."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from checks.engine.verdict import Status
from tests.score.healthy import WRITERS
from tests.score.scoring import Tally, cases, score


def main(requirements: list[str]) -> int:
    """Judge every case, or those of some requirements."""
    console = Console(width=120)
    unknown = sorted(set(requirements) - set(WRITERS))
    if unknown:
        console.print(f"no good run of {', '.join(unknown)}: add one to tests/score/healthy.py")
        return 2
    tallies = score(cases(requirements or WRITERS))
    console.print(_table(tallies))
    wrong = [
        f"{status}: {name}"
        for tally in tallies.values()
        for status, names in tally.wrong.items()
        for name in names
    ]
    for line in wrong:
        console.print(line, markup=False, highlight=False)
    console.print(f"{sum(tally.cases for tally in tallies.values())} cases, {len(wrong)} wrong")
    return 1 if wrong else 0


def _table(tallies: dict[tuple[str, str], Tally]) -> Table:
    table = Table("class", "rule")
    for name in ("cases", "right", *(f"wrong: {status}" for status in Status)):
        table.add_column(name, justify="right")
    before = ""
    for (name, rule), tally in sorted(tallies.items()):
        wrong = [len(tally.wrong.get(status, ())) for status in Status]
        figures = [str(number or "-") for number in (tally.cases, tally.right, *wrong)]
        table.add_row("" if name == before else name, rule, *figures)
        before = name
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
