"""How kills are counted, and that a check which kills nothing, or a stale table, ends the build."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from checks.engine import kills as shipped
from checks.engine.verdict import Status, Verdict
from tests.score import turning
from tests.score.__main__ import main
from tests.score.case import NOT_PASS, ONLY_PASS, Case
from tests.score.healthy import healthy
from tests.score.kills import Kills, every_sentence

FAIL, UNKNOWN = Verdict(Status.FAIL, ("it is broken",)), Verdict(Status.UNKNOWN, ("not told",))


def case(rule: str = "left out", right: frozenset[Status] = NOT_PASS) -> Case:
    return Case("FO-05", rule, "it", healthy("FO-05").recording, right)


def test_a_fail_is_shown_rather_than_what_is_unknown() -> None:
    kills = Kills()
    kills.seen(case(), UNKNOWN)
    kills.seen(case(), FAIL)
    (kill,) = kills.table()["FO-05"]
    assert (kill.failed, kill.unknown, kill.reason) == (1, 1, "it is broken")


@pytest.mark.parametrize(
    ("one", "verdict"),
    [
        (case(), Verdict(Status.PASS, ("fine",))),
        (case(), Verdict(Status.UNKNOWN, ("the check crashed: KeyError: 'a' (f, line 1)",))),
        (case(right=ONLY_PASS), FAIL),
        (case(rule="a history damaged"), UNKNOWN),
    ],
)
def test_what_was_not_killed_is_not_counted(one: Case, verdict: Verdict) -> None:
    kills = Kills()
    kills.seen(one, verdict)
    assert kills.table() == {}


def test_a_place_that_differs_each_time_is_no_part_of_a_reason() -> None:
    kills = Kills()
    place = Path(tempfile.gettempdir(), "tmp0ab_1c", "a.jsonl")
    kills.seen(case(), Verdict(Status.UNKNOWN, (f"{place}: torn",)))
    assert kills.table()["FO-05"][0].reason == "a.jsonl: torn"


def test_a_sentence_is_killed_for_the_reason_that_it_names() -> None:
    kills = Kills()
    every_sentence(kills, ["FO-16"])
    reasons = {kill.rule: kill.reason for kill in kills.table()["FO-16"]}
    assert reasons["advbase 2 where 1 is configured"].startswith("announces a period of [2.0]")


@pytest.fixture
def own_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the table lie elsewhere, as it is made now."""
    monkeypatch.setattr(turning, "TURNS", tmp_path / "turns")
    monkeypatch.setattr(shipped, "FILE", tmp_path / "kills.json")
    monkeypatch.setattr(shipped.read_kills, "__defaults__", (tmp_path / "kills.json",))
    assert main(["FO-05", "--write"]) == 0
    return tmp_path / "kills.json"


def test_a_table_that_was_just_written_is_not_stale(own_table: Path) -> None:
    assert main(["FO-05"]) == 0


def test_another_reason_than_the_one_that_ships_ends_the_build(
    own_table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own_table.write_text(own_table.read_text().replace("root@", "root at ", 1).replace("ssh", "s"))
    assert main(["FO-05"]) == 1
    assert "stale: kills.json: FO-05, " in capsys.readouterr().out


def test_a_table_that_is_gone_ends_the_build(
    own_table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own_table.unlink()
    assert main(["FO-05"]) == 1
    assert "no kill table can be read" in capsys.readouterr().out


def test_a_check_that_kills_nothing_ends_the_build(
    own_table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tests.score.__main__.every_sentence", lambda *_: None)
    monkeypatch.setattr("tests.score.kills.Kills.seen", lambda *_: None)
    assert main(["FO-05"]) == 1
    assert "kills nothing: FO-05" in capsys.readouterr().out
