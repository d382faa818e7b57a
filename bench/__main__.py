"""`python -m bench NAME`: measures one thing, prints its figures and keeps them as JSON.

A benchmark is a module of this package with `summary` (a line), `measure(arguments) -> dict of
figures`, and `add_arguments(parser)` for options of its own; add its name to `BENCHMARKS`. One
whose figures two columns do not show well has `table(figures)`, too: it returns what to print.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol, cast

from rich.console import Console
from rich.table import Table

from evidence.errors import EvidenceError
from lab.cache import replacing
from lab.errors import VpnproofError

_ROOT = Path(__file__).parent.parent
BENCHMARKS = ("wire", "lab", "suite", "continuity", "takeover", "verify", "controller", "hosts")
_WIDE = 130  # columns that the widest table needs: a narrow terminal folds it, and loses nothing


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
        with _ended_in_order():
            figures = chosen.measure(given)
    except (VpnproofError, EvidenceError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("broken off; labs are down, and evidence that was named is kept", file=sys.stderr)
        return 130
    kept = _keep(given.name, figures)
    if given.json:
        print(json.dumps(figures))
    else:
        shown = getattr(chosen, "table", partial(_table, chosen.summary))
        Console(width=max(Console().width, _WIDE)).print(shown(figures))
        print(f"kept in {kept}")
    return 0


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Take SIGTERM, and SIGINT where a shell has it ignored in the background, as Ctrl-C."""
    before = {
        number: signal.signal(number, signal.default_int_handler)
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _table(title: str, figures: Mapping[str, object]) -> Table:
    table = Table(title=title)
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in figures.items():
        table.add_row(name, _cell(value))
    return table


def _cell(value: object) -> str:
    if value is None:
        return "not measured"
    return f"{value:,.2f}" if isinstance(value, float) else str(value)


def _keep(name: str, figures: Mapping[str, object]) -> Path:
    """Write the figures beside the evidence of runs, with the day and what they were taken on."""
    kept = _ROOT / "runs" / "bench" / f"{name}-{time.strftime('%Y-%m-%dT%H-%M-%S')}.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    host = {"host": platform.platform(), "processors": os.cpu_count()}
    with replacing(kept) as partial:
        partial.write_text(json.dumps({**host, "figures": figures}, indent=2) + "\n")
    return kept


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
