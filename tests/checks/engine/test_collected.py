"""What a run was to carry out stands in `run.json`, and what never began is told by it."""

from __future__ import annotations

import json

import pytest

from checks.engine.collected import Collected

ONE = "scenarios/failover/test_it.py::test_one"
SERIES = "scenarios/failover/test_it.py::test_faults"
TWENTY = [f"{SERIES}[pause-{number}/20]" for number in range(1, 21)]


def test_repetitions_are_one_entry() -> None:
    told = Collected.of([ONE, *TWENTY], full=True, deselected=3).facts()
    assert told == {
        "scenarios": {ONE: 1, f"{SERIES}[pause]": 20},
        "full": True,
        "deselected": 3,
    }


def test_what_was_written_is_read() -> None:
    one = Collected.of([ONE, *TWENTY], full=True, deselected=3)
    assert Collected.told(json.loads(json.dumps({"collected": one.facts()}))) == one


def test_what_did_not_begin_is_counted_by_its_name() -> None:
    one = Collected.of([ONE, *TWENTY], full=True, deselected=0)
    assert one.never_began([ONE, TWENTY[0], TWENTY[0]]) == {f"{SERIES}[pause]": 19}
    assert one.never_began([ONE, *TWENTY, "another"]) == {}


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"collected": None},
        {"collected": {"scenarios": [ONE], "full": True, "deselected": 0}},
        {"collected": {"scenarios": {ONE: "x"}, "full": True, "deselected": 0}},
        {"collected": {"scenarios": {ONE: 1}, "full": "yes", "deselected": 0}},
    ],
)
def test_what_makes_no_sense_was_not_recorded(told: dict[str, object]) -> None:
    assert Collected.told(told) is None
