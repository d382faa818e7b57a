"""`python -m checks verify RUN`, `preflight RECORD...` and `list`: judging without a lab.

Exit status of `verify`: 0 when every verdict is PASS and the same as recorded, 1 when any is
FAIL or differs, 2 when none is worse than UNKNOWN (or the run cannot be read). Of `preflight`: 0
when the heartbeat is carried each way that was tried, 1 when not, 2 when that stays open.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from checks.engine.judging import Rejudged, judge_again
from checks.engine.registry import checks
from checks.engine.requirements import catalogue
from checks.engine.verdict import Status, worst
from checks.preflight.diagnosis import Cause, diagnose
from checks.preflight.records import UNSEEN, observations, read_record
from evidence.errors import EvidenceError
from evidence.events.preflight import Observations

_COLOURS = {Status.PASS: "green", Status.FAIL: "red", Status.UNKNOWN: "yellow"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "verify":
            return verify(options.run, Console())
        if options.command == "preflight":
            return preflight(options.records, Console())
        return show_catalogue(Console())
    except EvidenceError as error:
        Console(stderr=True).print(f"error: {escape(str(error))}", soft_wrap=True)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m checks", description="Judge recorded runs.")
    commands = parser.add_subparsers(dest="command", required=True)
    again = commands.add_parser("verify", help="judge a recorded run again and compare")
    again.add_argument("run", type=Path, help="the run's directory, such as runs/latest")
    before = commands.add_parser(
        "preflight",
        help="say whether a network carries the heartbeat, and what keeps it from doing so",
        description="Reads what checks/preflight/probe.py wrote on both hosts.",
    )
    before.add_argument("records", type=Path, nargs="+", metavar="RECORD")
    commands.add_parser("list", help="list every requirement and whether a check shows it")
    return parser


def verify(run: Path, console: Console) -> int:
    """Judge `run` again, print each verdict beside the recorded one; return the exit status."""
    rejudged = sorted(judge_again(run), key=lambda part: (part.requirement, part.scenario))
    for part in rejudged:
        said = f"{_coloured(part.again.status)}, {_recorded(part)}: {escape(part.scenario)}"
        console.print(f"{part.requirement}  {said}", highlight=False, soft_wrap=True)
        for reason in part.again.reasons:
            console.print(Padding(escape(reason), (0, 0, 0, 7), expand=False), highlight=False)
    differ = [part for part in rejudged if not part.same]
    status = worst(part.again.status for part in rejudged)
    counts = f"verdicts: {len(rejudged)}, other than recorded: {len(differ)}"
    console.print(f"{counts}; all in all {_coloured(status)}", highlight=False)
    if differ or status is Status.FAIL:
        return 1
    return 0 if status is Status.PASS else 2


def preflight(records: Sequence[Path], console: Console) -> int:
    """Diagnose each way that was tried and print the cause; return the exit status."""
    seen = observations(read_record(path) for path in records)
    ways = [(one, diagnose(one)) for one in seen]
    for one, diagnosis in ways:
        console.print(f"{one.sender} to {one.receiver}, VHID {one.vhid}:", highlight=False)
        console.print(f"  {escape(str(diagnosis))}", highlight=False, soft_wrap=True)
    if not _both_ways(seen):
        console.print("only one way was tried: the standby becomes the sender one day")
    console.print("not seen by this: " + "; ".join(UNSEEN), highlight=False)
    causes = {diagnosis.cause for _, diagnosis in ways}
    if causes - {Cause.NONE, Cause.UNDECIDED}:
        return 1
    return 2 if Cause.UNDECIDED in causes or not _both_ways(seen) else 0


def _both_ways(seen: Sequence[Observations]) -> bool:
    ways = {(one.sender, one.receiver) for one in seen}
    return all((there, here) in ways for here, there in ways)


def _recorded(part: Rejudged) -> str:
    if part.same:
        return "as recorded"
    if part.recorded is None:
        return "[red]not recorded[/]"
    if part.recorded.status is part.again.status:
        return "[red]other reasons[/]"
    return f"[red]was {part.recorded.status}[/]"


def _coloured(status: Status) -> str:
    return f"[{_COLOURS[status]}]{status}[/]"


def show_catalogue(console: Console) -> int:
    """Print every requirement; those without a check say so."""
    judged = checks()
    table = Table("requirement", "guide", "holds", "shown")
    for requirement in catalogue():
        shown = "by a check" if requirement.id in judged else "[yellow]not shown yet[/]"
        where = f"{requirement.guide}: {requirement.section}"
        table.add_row(requirement.id, escape(where), escape(requirement.statement), shown)
    console.print(table)
    console.print(f"{len(judged)} of {len(catalogue())} requirements are shown by a check")
    return 0
