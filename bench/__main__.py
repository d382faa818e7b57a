"""`python -m bench NAME`: measures one thing and prints its figures.

A benchmark is a module of this package with `summary` (a line), `measure(arguments) -> dict of
figures`, and `add_arguments(parser)` for options of its own; add its name to `BENCHMARKS`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Mapping
from typing import Protocol, cast

from rich.console import Console
from rich.table import Table

from lab.errors import VpnproofError

BENCHMARKS = ("wire",)


class Benchmark(Protocol):
    """What a module of this package offers."""

    summary: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the benchmark's options."""

    def measure(self, arguments: argparse.Namespace) -> Mapping[str, object]:
        """Measure, and return the figures by name."""


def main(arguments: list[str]) -> int:
    """Run the benchmark that is named, print its figures, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    commands = parser.add_subparsers(dest="name", required=True)
    for name in BENCHMARKS:
        benchmark = cast(Benchmark, importlib.import_module(f"bench.{name}"))
        command = commands.add_parser(name, help=benchmark.summary)
        command.add_argument("--json", action="store_true", help="print the figures as JSON")
        benchmark.add_arguments(command)
        command.set_defaults(benchmark=benchmark)
    given = parser.parse_args(arguments)
    chosen = cast(Benchmark, given.benchmark)
    try:
        figures = chosen.measure(given)
    except VpnproofError as error:
        print(error, file=sys.stderr)
        return 1
    if given.json:
        print(json.dumps(figures))
    else:
        Console().print(_table(chosen.summary, figures))
    return 0


def _table(title: str, figures: Mapping[str, object]) -> Table:
    table = Table(title=title)
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in figures.items():
        table.add_row(name, f"{value:,.1f}" if isinstance(value, float) else str(value))
    return table


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
