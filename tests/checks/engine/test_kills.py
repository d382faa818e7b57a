"""The kill table: read as it was written, refused when it is none, and what is missing in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.engine.kills import Kill, differences, kill_nothing, read_kills, written
from checks.engine.registry import checks
from evidence.errors import BadEvidence


def kill(**others: object) -> Kill:
    told = {"rule": "left out", "failed": 1, "unknown": 2, "mutant": "it", "reason": "not there"}
    return Kill.model_validate({**told, **others})


TABLE = {"FO-24": (kill(), kill(rule="inverted")), "MN-05": (kill(failed=0),)}


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "kills.json").write_text(written(TABLE))
    assert read_kills(tmp_path / "kills.json") == TABLE


def test_each_kill_stands_on_a_line_of_its_own() -> None:
    assert sum("rule" in line for line in written(TABLE).splitlines()) == 3


@pytest.mark.parametrize("content", ["", "[]", '{"FO-24": [{}]}', '{"FO-24": [{"a": 1}]}'])
def test_what_is_no_table_is_refused_by_its_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "kills.json"
    path.write_text(content)
    with pytest.raises(BadEvidence, match=r"kills\.json"):
        read_kills(path)


def test_a_check_that_calls_no_mutant_fail_kills_nothing() -> None:
    assert kill_nothing(TABLE, ["FO-24", "MN-05", "FO-25"]) == ["FO-25", "MN-05"]


def test_what_differs_is_told_by_requirement_and_rule() -> None:
    found = {"FO-24": (kill(reason="another"), kill(rule="beyond")), "MN-05": TABLE["MN-05"]}
    said = list(differences(TABLE, found))
    assert [line.partition(":")[0] for line in said] == [
        "FO-24, beyond", "FO-24, inverted", "FO-24, left out",
    ]  # fmt: skip
    assert "nothing; now 1 FAIL" in said[0]
    assert "now nothing" in said[1]
    assert "not there; now" in said[2]
    assert said[2].endswith("another")


def test_every_check_that_ships_has_killed_something() -> None:
    assert kill_nothing(read_kills(), checks()) == []
