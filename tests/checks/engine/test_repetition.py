"""The names of repetitions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.engine.repetition import Repetition, identity


@pytest.mark.parametrize(
    ("scenario", "series"),
    [("f.py::test_it[3/20]", "f.py::test_it"), ("f.py::test_it[a-b-3/20]", "f.py::test_it[a-b]")],
)
def test_a_repetition_is_told_by_its_name(scenario: str, series: str) -> None:
    assert Repetition.named(scenario) == Repetition(series, 3, 20)


@pytest.mark.parametrize(
    "scenario",
    [
        "f.py::test_it",
        "f.py::test_it[vrrp-v3]",
        "a/b[3/20] more",
        "f.py::test_it[1/9999999999]",
        "f.py::test_it[1/0]",
        "f.py::test_it[0/3]",
        "f.py::test_it[01/3]",
    ],
)
def test_other_scenarios_are_no_repetitions(scenario: str) -> None:
    assert Repetition.named(scenario) is None


@given(st.from_regex(r"[a-z][a-z0-9/_-]*", fullmatch=True), st.integers(1, 99), st.integers(1, 99))
def test_whatever_case_is_repeated_its_series_is_the_case(case: str, number: int, of: int) -> None:
    found = Repetition.named(f"f.py::test_it[{case}-{identity(number, of)}]")
    assert found == Repetition(f"f.py::test_it[{case}]", number, of)
