"""Recorded evidence that was judged wrongly once: a row for each, in its own sentence.

`tests.checks.test_verdict_cases` judges them. To add one: a function that makes the evidence,
beneath `@row` with the requirement, the sentence and the verdict that is right.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from tests.checks.cases.row import ROWS, Row


def every_row() -> list[Row]:
    """Return the rows of all modules here."""
    for module in sorted(one.name for one in iter_modules(__path__)):
        import_module(f"{__name__}.{module}")
    return ROWS
