"""Scenarios of the harness' own promises: what they record, without a lab."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from checks.engine.judging import Rejudged
from checks.engine.verdict import Status, Verdict
from checks.engine.verdicts import read_tables, write_tables
from checks.harness.refusing import CASES
from evidence.history import FILE_NAME, History
from scenarios.harness import again
from scenarios.harness.refusals import ASKED, refused
from scenarios.harness.test_killing import is_whole
from tests.checks.engine.recorded import SAID, good_run, own_checks

__all__ = ["own_checks"]


@pytest.mark.usefixtures("own_checks")
def test_verdicts_that_are_the_same_again_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good_run(tmp_path)
    again.main(tmp_path)
    counts, *differ = capsys.readouterr().out.splitlines()
    compared, on_capture = map(int, counts.split())
    assert compared > 0
    assert on_capture == 1
    assert differ == []


def test_verdicts_that_rest_on_frames_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = {"LAB-08": ["history.jsonl:3"], "LAB-02": ["history.jsonl:6", "wire/lab.pcapng"]}
    verdicts = {
        of: Verdict(Status.PASS, digests=dict.fromkeys(x, "ab")) for of, x in digests.items()
    }
    attempts = {of: {"a scenario": {1: one}} for of, one in verdicts.items()}
    made = [Rejudged(of, "a scenario", 1, one, one) for of, one in verdicts.items()]
    monkeypatch.setattr(again, "read_verdicts", lambda _: SimpleNamespace(attempts=attempts))
    monkeypatch.setattr(again, "judge_again", lambda _: made)
    again.main(tmp_path)
    assert capsys.readouterr().out == "2 1\n"


@pytest.mark.usefixtures("own_checks")
def test_a_verdict_that_is_another_again_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good_run(tmp_path)
    tables = read_tables(tmp_path)
    for scenario in tables["requirements"][SAID]["scenarios"].values():
        for attempt in scenario["attempts"].values():
            attempt["status"] = "FAIL"
    write_tables(tmp_path, tables)
    again.main(tmp_path)
    _, *differ = capsys.readouterr().out.splitlines()
    assert [line.partition(" of ")[0] for line in differ] == [SAID]
    assert differ[0].endswith("was FAIL, is PASS")


def test_every_case_that_the_check_wants_is_asked_for() -> None:
    assert ASKED.keys() == set(CASES)


@pytest.mark.parametrize("case", ["an address outside its network", "no such image"])
def test_a_refusal_is_recorded_with_what_it_has_to_say(case: str) -> None:
    told = refused(case, ASKED[case])
    assert told.status == 1
    assert told.started == ()
    assert all(words in told.said for words in told.wanted.model_dump().values())


def test_a_torn_history_is_not_whole(tmp_path: Path) -> None:
    history = tmp_path / FILE_NAME
    assert is_whole(tmp_path)
    with History(history, "it"):
        pass
    history.write_bytes(b'{"torn')
    assert not is_whole(tmp_path)
