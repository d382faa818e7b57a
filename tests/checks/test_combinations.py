"""`python -m checks verify` of a run of a matrix: all of it, by one exit status."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from checks.cli import main
from checks.engine.seal import seal
from evidence.combinations import Outcome
from tests.checks.engine.recorded import SAID, attempt, good_run
from tests.matrix_runs import CENTOS, KEEPALIVED, NOT_HAD, UCARP, matrix_run, nothing

pytestmark = pytest.mark.usefixtures("own_checks")


def bad_run(directory: Path) -> None:
    attempt(directory, "bad")
    seal(directory)


def test_every_combination_is_judged_again_and_all_pass(tmp_path: Path, capsys) -> None:
    sealed = matrix_run(tmp_path, {UCARP: good_run, KEEPALIVED: good_run})
    assert main(["verify", str(tmp_path), "--seal", sealed]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said.count(f"{SAID}  PASS, as recorded: scenarios/test_it.py::test_it") == 2
    assert [f"{UCARP}: PASS", f"{KEEPALIVED}: PASS", f"evidence sealed: {sealed}"] == said[-4:-1]
    assert said[-1] == "combinations: 2; all in all PASS"


def test_one_that_fails_fails_the_run_whatever_the_others_are(tmp_path: Path, capsys) -> None:
    matrix_run(tmp_path, {UCARP: bad_run, KEEPALIVED: good_run, CENTOS: nothing})
    assert main(["verify", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert f"{UCARP}: FAIL\n{KEEPALIVED}: PASS\n{CENTOS}: UNKNOWN\n" in said
    assert f"UNKNOWN: {NOT_HAD}" in said


def test_one_that_could_not_run_is_unknown_and_keeps_the_run_from_passing(tmp_path: Path) -> None:
    matrix_run(tmp_path, {UCARP: good_run, CENTOS: nothing})
    assert main(["verify", str(tmp_path)]) == 2


@pytest.mark.parametrize(
    ("outcome", "why"),
    [
        (Outcome(status=2, why="it was broken off"), "it was broken off"),
        (Outcome(status=-9, why="pytest was ended by SIGKILL"), "pytest was ended by SIGKILL"),
        (Outcome(), "nothing says how it ended"),
    ],
)
def test_one_that_did_not_come_to_its_end_keeps_the_run_from_passing(
    outcome: Outcome, why: str, tmp_path: Path, capsys
) -> None:
    """What it had judged by then passes, and it is sealed: the rest is not missed by anybody."""
    matrix_run(tmp_path, {UCARP: good_run, KEEPALIVED: good_run}, ended={UCARP: outcome})
    assert main(["verify", str(tmp_path)]) == 2
    said = capsys.readouterr().out
    assert f"UNKNOWN: it did not come to its end: {why}" in said
    assert f"{UCARP}: UNKNOWN\n{KEEPALIVED}: PASS\n" in said


def test_one_that_failed_before_it_was_broken_off_has_failed(tmp_path: Path) -> None:
    cut = Outcome(status=2, why="it was broken off")
    matrix_run(tmp_path, {UCARP: bad_run, KEEPALIVED: good_run}, ended={UCARP: cut})
    assert main(["verify", str(tmp_path)]) == 1


def rewrite_a_capture(run: Path) -> None:
    path = run / "matrix" / UCARP / "wire" / "lab.pcapng"
    path.write_bytes(path.read_bytes()[:-8] + bytes(8))


def replace_a_combination(run: Path) -> None:
    shutil.rmtree(run / "matrix" / UCARP)
    shutil.copytree(run / "matrix" / KEEPALIVED, run / "matrix" / UCARP)


def remove_a_combination(run: Path) -> None:
    shutil.rmtree(run / "matrix" / UCARP)


def add_a_combination(run: Path) -> None:
    shutil.copytree(run / "matrix" / UCARP, run / "matrix" / "another")


def forget_a_combination(run: Path) -> None:
    path = run / "run.json"
    told = json.loads(path.read_text())
    del told["matrix"][UCARP]
    path.write_text(json.dumps(told))


def rewrite_an_outcome(run: Path) -> None:
    path = run / "matrix.json"
    path.write_text(path.read_text().replace('"why":""', '"why":"none"', 1))


def remove_the_outcomes(run: Path) -> None:
    (run / "matrix.json").unlink()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (rewrite_a_capture, "altered: wire/lab.pcapng: it was altered after it had been sealed"),
        (replace_a_combination, f"altered: matrix/{UCARP}: its seal is another than when"),
        (remove_a_combination, "UNKNOWN: nothing of it was recorded"),
        (add_a_combination, "altered: matrix/another: is no combination that run.json names"),
        (forget_a_combination, "altered: run.json: it was altered after it had been sealed"),
        (rewrite_an_outcome, "altered: matrix.json: it was altered after it had been sealed"),
        (remove_the_outcomes, "open: matrix.json: no seal: the run did not end"),
    ],
)
def test_whatever_was_changed_since_is_named_and_ends_with_2(
    change, told: str, tmp_path: Path, capsys
) -> None:
    matrix_run(tmp_path, {UCARP: good_run, KEEPALIVED: good_run})
    change(tmp_path)
    assert main(["verify", str(tmp_path)]) == 2
    assert told in capsys.readouterr().out


def test_who_rewrites_everything_alike_is_found_by_the_seal_that_was_kept(
    tmp_path: Path, capsys
) -> None:
    kept = matrix_run(tmp_path / "one", {UCARP: good_run})
    matrix_run(tmp_path / "two", {UCARP: good_run})
    assert main(["verify", str(tmp_path / "two")]) == 0
    assert main(["verify", str(tmp_path / "two"), "--seal", kept]) == 2
    assert "and another one was kept" in capsys.readouterr().out


def test_one_that_cannot_be_read_keeps_no_other_from_being_judged(tmp_path: Path, capsys) -> None:
    matrix_run(tmp_path, {UCARP: good_run, KEEPALIVED: bad_run})
    (tmp_path / "matrix" / UCARP / "history.jsonl").unlink()
    assert main(["verify", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert f"{UCARP}: UNKNOWN\n{KEEPALIVED}: FAIL" in said.out
    assert "history.jsonl" in said.err


def test_a_link_back_to_the_run_is_followed_once(tmp_path: Path) -> None:
    matrix_run(tmp_path, {UCARP: good_run})
    shutil.rmtree(tmp_path / "matrix" / UCARP)
    (tmp_path / "matrix" / UCARP).symlink_to(tmp_path)
    assert main(["verify", str(tmp_path)]) == 2
