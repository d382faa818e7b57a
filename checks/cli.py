"""`python -m checks verify RUN`, `preflight RECORD...` and `list`: judging without a lab.

Exit status of `verify`: 1 when a requirement is FAIL, now or as recorded; 0 when every one is PASS,
as recorded, and nothing was altered; 2 for everything else: what is UNKNOWN, was judged otherwise,
altered, damaged, never judged or never sealed, and what cannot be read at all. Of `preflight`: 0
when the heartbeat is carried each way, 1 when not, 2 when that stays open. What keeps from judging
is one line on standard error.

Who rewrites everything alike (history, captures, verdicts, seal) is not found by hashes that lie
beside what they speak of; `verify --seal HASH` finds that, by the hash that a run prints last.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from checks.combinations import verify_each
from checks.engine.integrity import Integrity, integrity
from checks.engine.judging import Rejudged, all_in_all, judge_again
from checks.engine.registry import checks
from checks.engine.requirements import catalogue
from checks.engine.seal import sealed
from checks.engine.verdict import Status, worst
from checks.last_line import complain, ended
from checks.preflight.diagnosis import Cause, diagnose
from checks.preflight.records import UNSEEN, observations, read_record
from evidence.events.hosts import HostLost
from evidence.events.preflight import Observations
from evidence.parts import Histories, read_histories
from evidence.printable import visible

_VERIFY = """Judges every attempt, series and requirement of a run again, by its evidence alone,
and looks at every file of it: the history's chain of hashes, the captures' digests, the verdicts
and what they rest on, and the seal. Exit status: 1 a FAIL; 0 all PASS, as recorded and unaltered; 2
everything else: UNKNOWN, altered, damaged, never judged, or not to be read."""
_LIMIT = """What this cannot tell: whoever rewrites history, captures, verdicts and seal alike
leaves no trace in them. The hash that a run prints last, kept somewhere else, tells: give it by
--seal."""
_COLOURS = {Status.PASS: "green", Status.FAIL: "red", Status.UNKNOWN: "yellow"}
_ENDS = {Status.PASS: 0, Status.FAIL: 1, Status.UNKNOWN: 2}
_LONGEST = 4000
"""Characters that are shown of a reason, or a name."""
_MOST_REASONS = 200
"""That are shown of a verdict."""
_INDENT, _NARROWEST = " " * 7, 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    options = _parser().parse_args(arguments)
    commands: dict[str, Callable[[Console], int]] = {
        "list": show_catalogue,
        "verify": lambda console: verify_each(options.run, console, options.seal, verify),
        "preflight": lambda console: preflight(options.records, console),
    }
    return ended(partial(commands[options.command], Console()))


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
    histories = read_histories(run)
    rejudged = judge_again(run, histories)
    looked = integrity(run, seal, histories)
    for part in rejudged:
        said = (_coloured(part.again.status), ", ", _recorded(part), ": ", _name(part))
        _print(console, _shown(part.requirement), "  ", *said)
        reasons = [*_altered(part), *part.again.reasons]
        if len(reasons) > _MOST_REASONS:
            left = len(reasons) - _MOST_REASONS
            reasons = [*reasons[:_MOST_REASONS], f"and {left} more reasons"]
        _print_below(console, reasons)
    kinds = (("altered", "red"), ("damaged", "red"), ("open", "yellow"))
    found = [(*kind, one) for kind in kinds for one in getattr(looked, kind[0])]
    for word, colour, one in found:
        _print(console, (word, colour), ": ", _shown(one))
    for one in looked.cut:
        _print(console, "cut short: ", _shown(one))
    _print_hosts(console, histories)
    status = _status(rejudged, looked)
    differ = sum(not part.same for part in rejudged)
    counts = f"verdicts: {len(rejudged)}, other than recorded: {differ}"
    if looked.altered:
        counts += f", altered: {len(looked.altered)}"
    _print(console, "evidence sealed: ", _shown(sealed(run) or "no"))
    _print(console, counts, "; all in all ", _coloured(status))
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        complain(f"{found[0][0]}: {found[0][2]}{more}")
    return _ENDS[status]


def _status(rejudged: Sequence[Rejudged], looked: Integrity) -> Status:
    """Return the worst of all: a FAIL that was recorded stays one, whatever is found now."""
    verdicts = all_in_all(rejudged)
    found = [verdicts.of(requirement).status for requirement in verdicts.attempts]
    found += [part.recorded.status for part in rejudged if part.recorded and _is_fail(part)]
    doubts = (looked.altered, looked.damaged, looked.open, not all(one.same for one in rejudged))
    return worst(found + [Status.UNKNOWN] * any(doubts))


def _is_fail(part: Rejudged) -> bool:
    return part.recorded is not None and part.recorded.status is Status.FAIL


def preflight(records: Sequence[Path], console: Console) -> int:
    """Diagnose each way that was tried and print the cause; return the exit status."""
    seen = observations(read_record(path) for path in records)
    ways = [(one, diagnose(one)) for one in seen]
    for one, diagnosis in ways:
        _print(console, f"{_shown(one.sender)} to {_shown(one.receiver)}, VHID {one.vhid}:")
        _print(console, "  ", visible(str(diagnosis), layout=True, most=_LONGEST))
    if not _both_ways(seen):
        _print(console, "only one way was tried: the standby becomes the sender one day")
    console.print(Text("not seen by this: " + "; ".join(UNSEEN)))
    causes = {diagnosis.cause for _, diagnosis in ways}
    if causes - {Cause.NONE, Cause.UNDECIDED}:
        return 1
    return 2 if Cause.UNDECIDED in causes or not _both_ways(seen) else 0


def _both_ways(seen: Sequence[Observations]) -> bool:
    ways = {(one.sender, one.receiver) for one in seen}
    return all((there, here) in ways for here, there in ways)


def _print(console: Console, *parts: str | tuple[str, str]) -> None:
    """Print one line; nothing in it is taken for markup, an emoji or a number."""
    console.print(Text.assemble(*parts), soft_wrap=True, highlight=False)


def _print_hosts(console: Console, histories: Histories) -> None:
    """Name the hosts whose evidence this is, and those that were lost."""
    if histories.over_hosts:
        names = ", ".join(part.host for part, _ in histories if part.host)
        _print(console, "evidence of hosts: ", _shown(names))
    for lost in histories.own.of(HostLost):
        _print(console, ("lost", "yellow"), ": ", _shown(f"{lost.host}: {lost.why}"))


def _print_below(console: Console, reasons: Sequence[str]) -> None:
    """Print reasons below a verdict, each wrapped to the terminal, in one go: there may be many."""
    width = max(_NARROWEST, console.width - len(_INDENT))
    every = (Text(visible(reason, layout=True, most=_LONGEST)) for reason in reasons)
    lines = [line.plain.rstrip() for one in every for line in one.wrap(console, width)]
    if lines:
        _print(console, "\n".join(_INDENT + line for line in lines))


def _shown(text: str) -> str:
    return visible(text, most=_LONGEST)


def _name(part: Rejudged) -> str:
    return _shown(part.scenario) + (f", attempt {part.attempt}" if part.attempt > 1 else "")


def _altered(part: Rejudged) -> list[str]:
    return [f"{place} is another than when this was judged" for place in part.altered]


def _recorded(part: Rejudged) -> str | tuple[str, str]:
    if part.same:
        return "as recorded"
    if part.recorded is None:
        return ("not recorded", "red")
    if part.recorded.status is part.again.status:
        return ("other evidence" if part.altered else "other reasons", "red")
    return (f"was {part.recorded.status}", "red")


def _coloured(status: Status) -> tuple[str, str]:
    return (str(status), _COLOURS[status])


def show_catalogue(console: Console) -> int:
    """Print every requirement; those without a check say so."""
    judged = checks()
    table = Table("requirement", "guide", "holds", "shown")
    for requirement in catalogue():
        shown = "by a check" if requirement.id in judged else Text("not shown yet", "yellow")
        where = f"{requirement.guide}: {requirement.section}"
        table.add_row(requirement.id, Text(where), Text(requirement.statement), shown)
    console.print(table)
    console.print(f"{len(judged)} of {len(catalogue())} requirements are shown by a check")
    return 0
