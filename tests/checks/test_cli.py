"""`python -m checks`: what it says and its exit status."""

from pathlib import Path

import pytest

from checks.cli import main
from checks.engine.judging import judge_now
from checks.engine.verdict import failed
from checks.engine.verdicts import record_verdict
from evidence.history import History
from tests.checks.factories import SCENARIO, Run, good_config
from tests.checks.test_judging import recorded_run


def test_a_run_that_passes_again_ends_with_0(tmp_path: Path, capsys) -> None:
    recorded_run(tmp_path)
    assert main(["verify", str(tmp_path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"MN-05  PASS, as recorded: {SCENARIO}"
    assert said[-1] == "verdicts: 1, other than recorded: 0; all in all PASS"


def test_a_verdict_other_than_recorded_ends_with_1(tmp_path: Path, capsys) -> None:
    recorded_run(tmp_path)
    record_verdict(tmp_path, "MN-05", SCENARIO, failed("altered"))
    assert main(["verify", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "MN-05  PASS, was FAIL: " in said
    assert "other than recorded: 1" in said


def test_reasons_of_a_verdict_stand_below_it(tmp_path: Path, capsys) -> None:
    judged(tmp_path, "10.1.0.64/26")
    main(["verify", str(tmp_path)])
    verdict, *reasons, _ = capsys.readouterr().out.splitlines()
    assert verdict.startswith("MN-05  FAIL, as recorded: ")
    assert reasons
    assert all(line.startswith(" " * 7) for line in reasons)


def judged(directory: Path, range_of_b: str | None) -> None:
    with History(directory / "history.jsonl", SCENARIO) as history:
        history.record("scenario.start", "pytest", lab="lab")
        if range_of_b is not None:
            config = good_config()
            config["config"]["vpnProfiles"]["node-b"]["range"] = range_of_b
            history.record("controller.config", "controller", **config)
        judge_now(directory, history, "MN-05")


def test_a_run_that_fails_again_ends_with_1(tmp_path: Path) -> None:
    judged(tmp_path, "10.1.0.64/26")
    assert main(["verify", str(tmp_path)]) == 1


def test_a_run_that_shows_nothing_ends_with_2(tmp_path: Path) -> None:
    judged(tmp_path, None)
    assert main(["verify", str(tmp_path)]) == 2


def test_a_run_in_which_nothing_was_judged_ends_with_2(tmp_path: Path) -> None:
    Run().write(tmp_path)
    assert main(["verify", str(tmp_path)]) == 2


def test_a_directory_that_is_no_run_ends_with_2_and_says_what_to_name(tmp_path, capsys) -> None:
    assert main(["verify", str(tmp_path)]) == 2
    assert "runs/latest" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["MN-22", "FO-49", "not shown"])
def test_list_names_every_requirement_and_what_is_not_shown(word: str, capsys) -> None:
    assert main(["list"]) == 0
    assert word in capsys.readouterr().out
