"""Which mutants are programs of their own."""

from __future__ import annotations

import pytest

from tests.mutation.operators import separates_parameters


@pytest.mark.parametrize(
    ("source", "column", "expected"),
    [
        ("def f(a, *, b): ...", 9, True),
        ("def f(a, /): ...", 9, True),
        ("x = a * b", 6, False),
        ("x = a / (b)", 6, False),
        ("def f(*names): ...", 6, False),
    ],
)
def test_a_bare_star_is_no_operator(source: str, column: int, expected: bool) -> None:
    assert separates_parameters(source, (1, column)) is expected
