"""`python -m report RUN`, `verify RUN` and `compare A B`.

Exit status: 0 the report was made, nothing was changed, or nothing turned and nothing moved; 1
something was changed, or the signature is not good, or something turned or moved; 2 it could not be
made, or not be told.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from checks.last_line import ended
from evidence.combinations import combinations_of
from evidence.printable import visible
from report.comparing import ALPHA, Comparison, compare, read_report
from report.joint import make_joint
from report.making import make_report
from report.ranks import NAME as TEST
from report.signing import check_signature
from report.sums import NAME as SUMS
from report.sums import changed
from report.writing import ReportError

_COMMANDS = ("make", "verify", "compare")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] not in (*_COMMANDS, "-h", "--help"):
        given.insert(0, "make")
    return ended(partial(_run, _parser().parse_args(given)))


def _run(options: argparse.Namespace) -> int:
    if options.command == "verify":
        return verify(options, Console())
    if options.command == "compare":
        before, after = read_report(options.before), read_report(options.after)
        return show(compare(before, after), Console())
    return make(options, Console())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m report",
        usage="python -m report RUN [-o FILE] [--sign KEY] [--pdf] | verify RUN | compare A B",
        description="Make the report of a run from its evidence alone, and compare reports.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make", help="make a report; may be left out: report RUN")
    making.add_argument("run", type=Path, metavar="RUN", help="such as runs/latest")
    making.add_argument(
        "-o", type=Path, metavar="FILE", dest="out", help="instead of RUN/report.html"
    )
    making.add_argument(
        "--sign", type=Path, metavar="KEY", help=f"sign {SUMS} by this SSH key (ssh-keygen -Y)"
    )
    making.add_argument("--pdf", action="store_true", help="print it, too; needs Chromium")
    again = commands.add_parser("verify", help="name what was changed since the report was made")
    again.add_argument("run", type=Path, metavar="RUN")
    again.add_argument("--sums", type=Path, metavar="FILE", help=f"instead of RUN/{SUMS}")
    again.add_argument("--signer", metavar="NAME", help="also check that NAME signed it")
    again.add_argument("--allowed", type=Path, metavar="FILE", help="keys of allowed signers")
    both = commands.add_parser(
        "compare", help="which requirement turned, which figure moved out of its noise"
    )
    both.add_argument("before", type=Path, metavar="A", help="a run, or its report.json")
    both.add_argument("after", type=Path, metavar="B")
    return parser


def make(options: argparse.Namespace, console: Console) -> int:
    """Make a report, and say where it is."""
    if combinations_of(options.run):
        for line in make_joint(options.run, options.out, options.sign, pdf=options.pdf).lines():
            _say(console, line)
        return 0
    made = make_report(options.run, options.out, options.sign, pdf=options.pdf)
    _say(console, f"{made.content.summary.status}: {made.content.summary.sentence}")
    for line in made.lines():
        _say(console, line)
    return 0


def verify(options: argparse.Namespace, console: Console) -> int:
    """Name what was changed since the report was made, and check who signed it if asked to."""
    sums = options.sums or options.run / SUMS
    if (options.signer is None) != (options.allowed is None):
        raise ReportError("--signer and --allowed go together: a name, and the keys of names")
    found = list(changed(options.run, sums))
    for one in found:
        _say(console, one)
    bad = bool(found)
    if options.signer is not None:
        try:
            _say(console, check_signature(sums, options.signer, options.allowed))
        except ReportError as error:
            _say(console, f"signature: {error}")
            bad = True
    if not found:
        _say(console, f"nothing was changed since {sums} was written")
    return 1 if bad else 0


def show(comparison: Comparison, console: Console) -> int:
    """Print what turned and what moved."""
    for name, before, after in comparison.differs:
        _say(console, f"other {name}: {before} -> {after}")
    for turned in comparison.turned:
        word = "worse" if turned.worse else "better"
        _say(console, f"{turned.requirement}: {turned.before} -> {turned.after} ({word})")
    if not comparison.turned:
        _say(console, "no requirement turned, nor did the whole run")
    for one in comparison.figures:
        told = f"{one.figure}: median {one.before:.3f} -> {one.after:.3f} s, n {one.counts[0]}"
        told += f" and {one.counts[1]}"
        if one.p is None:
            _say(console, f"{told}: too few to tell")
        else:
            word = "moved" if one.moved else "within its noise"
            _say(console, f"{told}: {word}, p = {float(one.p):.2g}")
    for name in comparison.only_one:
        _say(console, f"{name}: measured in one of the two only")
    _say(console, f"figures by: {TEST}; p adjusted for their number (Holm), {float(ALPHA):g}")
    if not comparison.same:
        return 1
    return 2 if comparison.untold else 0


def _say(console: Console, text: str) -> None:
    console.print(escape(visible(text, layout=True)), highlight=False, soft_wrap=True)
