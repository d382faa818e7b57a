"""A run of a matrix: which combinations it has, whoever wrote it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evidence.combinations import Outcome, combinations_of, combined, outcomes_of
from evidence.errors import BadEvidence

TWO = {"ucarp_debian-12": {"heartbeat": "ucarp", "image": "debian-12"}, "x": {"heartbeat": "x"}}


def run(directory: Path, matrix: object) -> Path:
    (directory / "run.json").write_text(json.dumps({"matrix": matrix}))
    return directory


def test_its_combinations_are_those_that_run_json_names(tmp_path: Path) -> None:
    first, second = combinations_of(run(tmp_path, TWO))
    assert first.directory == tmp_path / "matrix" / "ucarp_debian-12"
    assert first.title == "ucarp, debian-12"
    assert second.place == "matrix/x"
    assert combined(tmp_path, [TWO["ucarp_debian-12"]]) == (first,)


def test_any_other_run_has_none(tmp_path: Path) -> None:
    assert combinations_of(tmp_path) == ()
    (tmp_path / "run.json").write_text("{}")
    assert combinations_of(tmp_path) == ()
    (tmp_path / "run.json").write_text("{")
    assert combinations_of(tmp_path) == (), "its damage is told by who reads the run"


def test_a_run_json_that_is_damaged_is_named_where_combinations_lie(tmp_path: Path) -> None:
    (tmp_path / "matrix").mkdir()
    with pytest.raises(BadEvidence, match=r"run\.json"):
        combinations_of(tmp_path)


@pytest.mark.parametrize(
    "matrix",
    [
        {},
        [],
        {"../other": {"image": "a"}},
        {"/etc": {"image": "a"}},
        {"..": {"image": "a"}},
        {"a": {"image": 1}},
        {"a": "image"},
        {f"n{number}": {"image": "a"} for number in range(201)},
    ],
    ids=["none", "list", "outside", "absolute", "above", "number", "word", "201"],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, matrix: object) -> None:
    with pytest.raises(BadEvidence, match=r"run\.json: matrix: "):
        combinations_of(run(tmp_path, matrix))


def test_a_link_that_leads_out_of_the_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run" / "matrix").mkdir(parents=True)
    (tmp_path / "run" / "matrix" / "x").symlink_to(tmp_path)
    with pytest.raises(BadEvidence, match="no file of the run"):
        combinations_of(run(tmp_path / "run", TWO))


def test_what_became_of_them_is_read_and_a_run_that_was_cut_off_says_nothing(
    tmp_path: Path,
) -> None:
    assert outcomes_of(tmp_path).combinations == {}
    told = {"format": 1, "combinations": {"x": {"status": 1, "why": "", "seal": "ab"}}}
    (tmp_path / "matrix.json").write_text(json.dumps(told))
    assert outcomes_of(tmp_path).combinations == {"x": Outcome(status=1, seal="ab")}


@pytest.mark.parametrize(
    "told",
    ["[]", "{", '{"format": 2}', '{"combinations": {"x": {"status": "0"}}}', '{"more": 1}'],
)
def test_outcomes_that_are_none_are_refused(tmp_path: Path, told: str) -> None:
    (tmp_path / "matrix.json").write_text(told)
    with pytest.raises(BadEvidence, match=r"matrix\.json"):
        outcomes_of(tmp_path)
