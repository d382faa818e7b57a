"""Which mutants are programs of their own, and which are the same one, or another by accident."""

from __future__ import annotations

import re

SAME = (
    (r"ReplaceBinaryOperator_BitOr_\w+", "of types: nobody evaluates annotations"),
    (r"ReplaceComparisonOperator_(Is_Eq|IsNot_NotEq)", "of None and of what enumerations list"),
    (
        r"ReplaceComparisonOperator_(Eq|NotEq)_Is(Not)?",
        "whether equal values are one object is the interpreter's choice, not the program's",
    ),
    (r"NoOp", "nothing is changed"),
)
"""Operators of cosmic-ray that are left out, and why."""
_SAME = re.compile("core/(" + "|".join(name for name, _ in SAME) + ")")
_FROZEN = re.compile(r"@dataclass\(.*\bfrozen=$")


def is_another_program(operator: str, source: str, at: tuple[int, int]) -> bool:
    """Whether a mutant means anything else; at: its line, from 1, and column, from 0.

    That nothing assigns to what is frozen, mypy shows; a test of it would be a test of mypy.
    """
    if _SAME.fullmatch(operator):
        return False
    row, column = at
    line = source.splitlines()[row - 1]
    if "ReplaceBinaryOperator" in operator:
        return not _separates_parameters(line, column)
    return operator != "core/ReplaceTrueWithFalse" or not _FROZEN.search(line[:column])


def _separates_parameters(line: str, column: int) -> bool:
    """Whether a `*` or `/` stands between parameters, where cosmic-ray takes it for an operator.

    Whoever names what comes after it notices no change.
    """
    return line[column : column + 1] in ("*", "/") and line[column + 1 :].lstrip()[:1] in (",", ")")
