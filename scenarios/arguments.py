"""What the command line asks for: which scenarios, of which guides, and at most how many."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from pathlib import Path

from scenarios.repetitions import repetitions

SCENARIOS = Path(__file__).parent
NOTHING_RUNS = (
    "collectonly",
    "help",
    "version",
    "markers",
    "showfixtures",
    "show_fixtures_per_test",
    "setupplan",
    "cacheshow",
)
"""Of pytest's options: with these no scenario begins."""


def ask_for_scenarios(arguments: Iterable[str]) -> bool:
    """Whether any argument of pytest is a scenario, or a folder of them."""
    return any(_place(argument).is_relative_to(SCENARIOS) for argument in arguments)


def guides_of(arguments: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return which of the `known` guides the arguments are about; an argument may mean all."""
    asked = set()
    for argument in arguments:
        place = _place(argument)
        if place.is_relative_to(SCENARIOS):
            asked.add(next(iter(place.relative_to(SCENARIOS).parts), ""))
    return [guide for guide in known if guide in asked or "" in asked]


def at_most(arguments: Sequence[str], *, full: bool) -> int | None:
    """Return how many scenarios the arguments can mean, as far as that is seen at a glance.

    None when some are not named one by one, or have parameters.
    """
    total = 0
    for argument in arguments:
        path, _, name = argument.partition("::")
        count = 1 if name.endswith("]") else _items(Path(path), name, full=full)
        if count is None:
            return None
        total += count
    return total


def _place(argument: str) -> Path:
    return Path(argument.partition("::")[0]).resolve()


def _items(path: Path, name: str, *, full: bool) -> int | None:
    """Count the items of a test function by its decorators; None when it has parameters."""
    try:
        module = ast.parse(path.read_text())
    except (OSError, ValueError, SyntaxError):
        return None  # pytest says what is wrong
    for function in module.body:
        if isinstance(function, ast.FunctionDef) and function.name == name:
            marks = " ".join(map(ast.unparse, function.decorator_list))
            if "parametrize" in marks:
                return None
            return repetitions(full) if "mark.repeated" in marks else 1
    return None
