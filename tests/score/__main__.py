"""Print the score as a table, and hold what was found against what stands in the project.

`python -m tests.score [requirement ...]`: 1 when a verdict is wrong, when a check kills nothing, or
when the kill table that ships (`checks/kills.json`) or where verdicts turn (`tests/score/turns/`)
is not what was found. With `--write` these are written anew; read in the difference which mutants
were killed before and for which reason, and which limits have moved.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

from rich.console import Console
from rich.table import Table

from checks.engine import kills as shipped
from checks.engine.verdict import Status
from evidence.errors import BadEvidence
from tests.score.healthy import WRITERS, healthy
from tests.score.kills import Kills, every_sentence
from tests.score.renamed import renamed
from tests.score.scoring import Tally, add, cases, score
from tests.score.turning import moved, written


def main(arguments: Sequence[str]) -> int:
    """Judge every case, or those of some requirements."""
    parser = argparse.ArgumentParser(prog="python -m tests.score")
    parser.add_argument("requirement", nargs="*")
    parser.add_argument("--write", action="store_true", help="write what was found anew")
    told = parser.parse_args(arguments)
    console = Console(width=120)
    unknown = sorted(set(told.requirement) - set(WRITERS))
    if unknown:
        console.print(f"no good run of {', '.join(unknown)}: add one to tests/score/healthy.py")
        return 2
    chosen = told.requirement or list(WRITERS)
    tallies: dict[tuple[str, str], Tally] = {}
    kills, turns = Kills(), dict[str, str]()
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as beside:
        for requirement, (of_one, killed, turned) in zip(
            chosen, beside.map(_scored, chosen), strict=True
        ):
            add(tallies, of_one)
            kills.update(killed)
            turns[requirement] = turned
    console.print(_table(tallies))
    wrong = [
        f"{status}: {name}"
        for tally in tallies.values()
        for status, names in tally.wrong.items()
        for name in names
    ]
    wrong += _of_kills(kills.table(), chosen, write=told.write)
    wrong += moved(turns, write=told.write)
    for line in wrong:
        console.print(line, markup=False, highlight=False)
    console.print(f"{sum(tally.cases for tally in tallies.values())} cases, {len(wrong)} wrong")
    return 1 if wrong else 0


def _scored(requirement: str) -> tuple[dict[tuple[str, str], Tally], Kills, str]:
    """Judge every case of a requirement; its tallies, what was killed, and where it turns."""
    kills = Kills()
    tallies = score(cases([requirement]), kills.seen)
    every_sentence(kills, [requirement])
    return tallies, kills, written(renamed(healthy(requirement)))


def _of_kills(found: shipped.Table, chosen: Collection[str], *, write: bool) -> Iterator[str]:
    """Yield what is wrong with the kill table of some requirements; write it first, if asked."""
    for requirement in shipped.kill_nothing(found, chosen):
        yield f"kills nothing: {requirement}: no mutant of it is FAIL"
    try:
        before = shipped.read_kills()
    except BadEvidence as error:
        before = {}
        if not write:
            yield str(error)
    if write:
        kept = {name: kills for name, kills in before.items() if name not in chosen}
        known = {name: kills for name, kills in kept.items() if name in WRITERS}
        shipped.FILE.write_text(shipped.written({**known, **found}))
        return
    ours = {name: kills for name, kills in before.items() if name in chosen or name not in WRITERS}
    for line in shipped.differences(ours, found):
        yield f"stale: {shipped.FILE.name}: {line}"


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
