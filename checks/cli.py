"""`python -m checks verify RUN`, `preflight RECORD...` and `list`: judging without a lab.

Exit status of `verify`: 0 when every requirement is PASS, as recorded, and nothing was altered; 1
when any is FAIL, or another verdict than recorded, or when something was altered; 2 when nothing
is worse than UNKNOWN (also: a line or a capture is damaged, something was never judged, the run
was not sealed, the run cannot be read). Of `preflight`: 0 when the heartbeat is carried each way
that was tried, 1 when not, 2 when that stays open.

Who rewrites everything alike (history, captures, verdicts, seal) is not found by hashes that lie
beside what they speak of; `verify --seal HASH` finds that, by the hash that a run prints last.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from checks.engine.integrity import Integrity, integrity
from checks.engine.judging import Rejudged, all_in_all, judge_again
from checks.engine.registry import checks
from checks.engine.requirements import catalogue
from checks.engine.seal import sealed
from checks.engine.verdict import Status, worst
from checks.preflight.diagnosis import Cause, diagnose
from checks.preflight.records import UNSEEN, observations, read_record
from evidence.errors import EvidenceError
from evidence.events.preflight import Observations

_VERIFY = """Judges every attempt, series and requirement of a run again, by its evidence alone,
and looks at every file of it: the history's chain of hashes, the captures' digests, the verdicts
and what they rest on, and the seal. Exit status: 0 all PASS and unaltered, 1 a FAIL or something
altered, 2 UNKNOWN, also for what is damaged or was never judged."""
_LIMIT = """What this cannot tell: whoever rewrites history, captures, verdicts and seal alike
leaves no trace in them. The hash that a run prints last, kept somewhere else, tells: give it by
--seal."""
_COLOURS = {Status.PASS: "green", Status.FAIL: "red", Status.UNKNOWN: "yellow"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "verify":
            return verify(options.run, Console(), options.seal)
        if options.command == "preflight":
            return preflight(options.records, Console())
        return show_catalogue(Console())
    except EvidenceError as error:
        Console(stderr=True).print(f"error: {escape(str(error))}", soft_wrap=True)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m checks", description="Judge recorded runs.")
    commands = parser.add_subparsers(dest="command", required=True)
    again = commands.add_parser(
        "verify",
        help="judge a recorded run again, and say what was altered in it",
        description=_VERIFY,
        epilog=_LIMIT,
    )
    again.add_argument("run", type=Path, help="the run's directory, such as runs/latest")
    again.add_argument(
        "--seal",
        metavar="HASH",
        default="",
        help='what the run printed last: "evidence sealed: HASH"',
    )
    before = commands.add_parser(
        "preflight",
        help="say whether a network carries the heartbeat, and what keeps it from doing so",
        description="Reads what checks/preflight/probe.py wrote on both hosts.",
    )
    before.add_argument("records", type=Path, nargs="+", metavar="RECORD")
    commands.add_parser("list", help="list every requirement and whether a check shows it")
    return parser


def verify(run: Path, console: Console, seal: str = "") -> int:
    """Judge `run` again, print each verdict beside the recorded one; return the exit status."""
    rejudged = judge_again(run)
    looked = integrity(run, seal)
    for part in rejudged:
        said = f"{_coloured(part.again.status)}, {_recorded(part)}: {escape(_name(part))}"
        console.print(f"{part.requirement}  {said}", highlight=False, soft_wrap=True)
        for reason in (*_altered(part), *part.again.reasons):
            console.print(Padding(escape(reason), (0, 0, 0, 7), expand=False), highlight=False)
    for word, colour, found in (
        ("altered", "red", looked.altered),
        ("damaged", "red", looked.damaged),
        ("open", "yellow", looked.open),
    ):
        for one in found:
            console.print(f"[{colour}]{word}[/]: {escape(one)}", highlight=False, soft_wrap=True)
    status = _status(rejudged, looked)
    differ = sum(not part.same for part in rejudged)
    counts = f"verdicts: {len(rejudged)}, other than recorded: {differ}"
    if looked.altered:
        counts += f", altered: {len(looked.altered)}"
    console.print(f"evidence sealed: {sealed(run) or 'no'}", highlight=False, soft_wrap=True)
    console.print(f"{counts}; all in all {_coloured(status)}", highlight=False)
    if differ or looked.altered or status is Status.FAIL:
        return 1
    return 0 if status is Status.PASS else 2


def _status(rejudged: Sequence[Rejudged], looked: Integrity) -> Status:
    verdicts = all_in_all(rejudged)
    found = [verdicts.of(requirement).status for requirement in verdicts.attempts]
    return worst(found + [Status.UNKNOWN] * bool(looked.altered or looked.damaged or looked.open))


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


def _name(part: Rejudged) -> str:
    return part.scenario + (f", attempt {part.attempt}" if part.attempt > 1 else "")


def _altered(part: Rejudged) -> list[str]:
    return [f"{place} is another than when this was judged" for place in part.altered]


def _recorded(part: Rejudged) -> str:
    if part.same:
        return "as recorded"
    if part.recorded is None:
        return "[red]not recorded[/]"
    if part.recorded.status is part.again.status:
        return "[red]other evidence[/]" if part.altered else "[red]other reasons[/]"
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
