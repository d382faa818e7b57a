"""`python -m checks`: what it says and its exit status."""

from pathlib import Path

import pytest

from checks.cli import main
from checks.engine.seal import seal
from checks.engine.verdicts import record_verdict
from tests.checks.engine.recorded import SAID, SCENARIO, attempt, good_run
from tests.checks.engine.verdicts import BAD


@pytest.mark.usefixtures("own_checks")
def test_a_run_that_passes_again_ends_with_0(tmp_path: Path, capsys) -> None:
    attempt(tmp_path, "good")
    made = seal(tmp_path)
    assert main(["verify", str(tmp_path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"{SAID}  PASS, as recorded: {SCENARIO}"
    assert said[-2] == f"evidence sealed: {made}"
    assert said[-1] == "verdicts: 1, other than recorded: 0; all in all PASS"


@pytest.mark.usefixtures("own_checks")
def test_a_fail_that_was_recorded_stays_one_whatever_is_found_now(tmp_path: Path, capsys) -> None:
    attempt(tmp_path, "good")
    record_verdict(tmp_path, SAID, SCENARIO, BAD)
    assert main(["verify", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert f"{SAID}  PASS, was FAIL: " in said
    assert "other than recorded: 1" in said


@pytest.mark.usefixtures("own_checks")
def test_reasons_of_a_verdict_stand_below_it(tmp_path: Path, capsys) -> None:
    attempt(tmp_path, "bad")
    seal(tmp_path)
    main(["verify", str(tmp_path)])
    verdict, *reasons, _, _ = capsys.readouterr().out.splitlines()
    assert verdict.startswith(f"{SAID}  FAIL, as recorded: ")
    assert reasons == [" " * 7 + "the controller is bad"]


@pytest.mark.usefixtures("own_checks")
def test_what_was_altered_and_what_is_open_is_listed_by_file_and_line(
    tmp_path: Path, capsys
) -> None:
    good_run(tmp_path)
    path = tmp_path / "history.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"text":"good"', b'"text":"Good"', 1))
    attempt(tmp_path, "good", number=2, judged=False)
    assert main(["verify", str(tmp_path)]) == 2
    said = capsys.readouterr().out
    assert f"{SAID}  UNKNOWN, was PASS: " in said
    assert "\ndamaged: history.jsonl:2: it was altered after it had been written" in said
    assert "\nopen: history.jsonl:7: attempt 2 of " in said
    assert "\naltered: history.jsonl: it was altered after it had been sealed" in said
    assert ", altered: 1; all in all UNKNOWN" in said


@pytest.mark.usefixtures("own_checks")
@pytest.mark.parametrize(("said", "ends"), [("good", 0), ("bad", 1), ("dark", 2), ("late", 2)])
def test_the_exit_status_is_the_worst_verdict(tmp_path: Path, said: str, ends: int) -> None:
    attempt(tmp_path, said)
    seal(tmp_path)
    assert main(["verify", str(tmp_path)]) == ends


@pytest.mark.usefixtures("own_checks")
def test_an_attempt_that_was_late_and_repeated_keeps_nothing_from_passing(tmp_path: Path) -> None:
    attempt(tmp_path, "late")
    attempt(tmp_path, "good", number=2)
    seal(tmp_path)
    assert main(["verify", str(tmp_path)]) == 0


@pytest.mark.usefixtures("own_checks")
def test_a_run_in_which_nothing_was_judged_ends_with_2(tmp_path: Path) -> None:
    attempt(tmp_path, "good", judged=False)
    seal(tmp_path)
    assert main(["verify", str(tmp_path)]) == 2


@pytest.mark.usefixtures("own_checks")
def test_the_seal_that_was_kept_is_compared(tmp_path: Path, capsys) -> None:
    kept = good_run(tmp_path)
    assert main(["verify", str(tmp_path), "--seal", kept]) == 0
    assert main(["verify", str(tmp_path), "--seal", kept[:-1] + "?"]) == 2
    assert "and another one was kept" in capsys.readouterr().out


def test_help_says_what_verify_cannot_tell(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["verify", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "rewrites history, captures, verdicts and seal alike leaves no trace" in said
    assert "--seal" in said


def test_a_directory_that_is_no_run_ends_with_2_and_says_what_to_name(tmp_path, capsys) -> None:
    assert main(["verify", str(tmp_path)]) == 2
    assert "runs/latest" in capsys.readouterr().err


def test_a_run_of_before_is_refused_by_name(tmp_path: Path, capsys) -> None:
    (tmp_path / "history.jsonl").write_text('{"at_ns":1,"source":"pytest","kind":"x"}\n')
    assert main(["verify", str(tmp_path)]) == 2
    assert "recorded in format 1" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["MN-22", "FO-49"])
def test_list_names_every_requirement(word: str, own_checks, capsys) -> None:
    assert main(["list"]) == 0
    assert word in capsys.readouterr().out


def test_list_says_what_is_not_shown(own_checks, capsys) -> None:
    main(["list"])
    assert "not shown" in capsys.readouterr().out
