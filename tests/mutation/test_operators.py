"""Which mutants are programs of their own."""

from __future__ import annotations

import pytest

from tests.mutation.operators import is_another_program

SUB, TRUE = "core/ReplaceBinaryOperator_Mul_Sub", "core/ReplaceTrueWithFalse"


@pytest.mark.parametrize(
    ("operator", "source", "column", "expected"),
    [
        (SUB, "def f(a, *, b): ...", 9, False),
        (SUB, "def f(a, /): ...", 9, False),
        (SUB, "x = a * b", 6, True),
        (SUB, "x = a / (b)", 6, True),
        (SUB, "def f(*names): ...", 6, True),
        (TRUE, "@dataclass(frozen=True)", 18, False),
        (TRUE, "@dataclass(eq=True, frozen=True)", 14, True),
        (TRUE, "x = True", 4, True),
        ("core/ReplaceBinaryOperator_BitOr_Add", "x: int | None", 7, False),
        ("core/ReplaceComparisonOperator_Is_Eq", "x is None", 2, False),
        ("core/ReplaceComparisonOperator_Is_IsNot", "x is None", 2, True),
        ("core/ReplaceComparisonOperator_IsNot_Is", "x is not None", 2, True),
        ("core/ReplaceComparisonOperator_Eq_Is", "x == y", 2, False),
        ("core/ReplaceComparisonOperator_LtE_IsNot", "x <= y", 2, True),
        ("core/ReplaceComparisonOperator_Eq_NotEq", "x == y", 2, True),
        ("core/NoOp", "x", 0, False),
    ],
)
def test_a_mutant_is_another_program(
    operator: str, source: str, column: int, expected: bool
) -> None:
    assert is_another_program(operator, f"\n{source}\n", (2, column)) is expected
