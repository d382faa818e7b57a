"""Making a report, by hand and at the end of a run; what goes wrong is said, and harms nothing."""

from __future__ import annotations

import errno
import os
import shlex
from pathlib import Path

import pytest

from checks.engine.judging import never_began
from checks.engine.seal import seal
from report import making
from report.cli import main
from report.making import make_report, report_at_end
from report.writing import ReportError, write_whole
from tests.checks.engine.recorded import SAID, SCENARIO
from tests.report.conftest import facts

PARTS = {"report.html", "report.json", "report.xml", "SHA256SUMS"}


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_a_report_is_a_page_its_tables_and_the_sums(good_run: Path) -> None:
    before = names(good_run)
    make_report(good_run)
    assert names(good_run) - before == PARTS


def test_elsewhere_it_leaves_the_run_alone(good_run: Path, tmp_path: Path) -> None:
    before = names(good_run)
    make_report(good_run, tmp_path / "page.html")
    assert names(good_run) == before
    assert {"page.html", "page.json", "page.xml", "SHA256SUMS"} <= names(tmp_path)


def test_a_former_reports_paper_is_not_kept_beside_a_new_page(good_run: Path) -> None:
    """It would be summed, and signed, as if it said the same."""
    (good_run / "report.pdf").write_bytes(b"%PDF of another day")
    made = make_report(good_run)
    assert not (good_run / "report.pdf").exists()
    assert "report.pdf" not in made.sums.read_text()


def test_what_lies_beside_a_page_elsewhere_is_left_alone(good_run: Path, tmp_path: Path) -> None:
    (tmp_path / "page.pdf").write_bytes(b"a letter")
    made = make_report(good_run, tmp_path / "page.html")
    assert (tmp_path / "page.pdf").exists()
    assert "page.pdf" not in made.sums.read_text()


def test_its_own_parts_are_no_evidence_and_alter_nothing(good_run: Path) -> None:
    first = make_report(good_run)
    page = first.page.read_text()
    assert make_report(good_run).page.read_text() == page
    assert "PASS" in first.content.summary.status


def test_a_disk_that_is_full_leaves_the_former_report(
    good_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_report(good_run)
    former = made.page.read_text()
    facts(good_run, image="another")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ReportError, match=r"report\.html: cannot be written: No space left") as why:
        make_report(good_run)
    assert "no evidence was touched" in why.value.hint
    assert made.page.read_text() == former
    assert not [name for name in names(good_run) if name.startswith(".report")]


def test_a_disk_that_is_full_in_the_middle_leaves_all_parts_of_the_former_report(
    good_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_report(good_run)
    former = {name: (good_run / name).read_bytes() for name in PARTS}
    facts(good_run, image="another")
    real, room = os.fsync, [None, None]

    def full(descriptor: int) -> None:
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        room.pop()
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ReportError, match=r"report\.xml: cannot be written: No space left"):
        make_report(good_run)
    assert {name: (good_run / name).read_bytes() for name in PARTS} == former
    assert not [name for name in names(good_run) if name.startswith(".report")]


def test_a_directory_that_is_not_there_is_named(good_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="no such directory"):
        make_report(good_run, tmp_path / "gone" / "page.html")


def test_lone_surrogates_are_written_somehow(tmp_path: Path) -> None:
    assert write_whole(tmp_path / "file", "a\ud800").read_bytes() == b"a\\ud800"


def test_a_run_that_is_over_says_where_its_report_is(good_run: Path) -> None:
    lines = report_at_end(good_run)
    assert lines[0] == f"report: {good_run / 'report.html'}"
    assert f"python -m report verify {good_run}" in lines[1]


def test_elsewhere_the_command_that_is_printed_names_its_own_sums(
    good_run: Path, tmp_path: Path, capsys
) -> None:
    out = tmp_path / "out of the run"
    out.mkdir()
    said = list(make_report(good_run, out / "page.html").lines())[1]
    command = said.partition("python -m report ")[2]
    assert main(shlex.split(command)) == 0
    assert str(out / "SHA256SUMS") in capsys.readouterr().out.replace("\n", "")


def test_a_run_in_which_nothing_could_begin_has_a_report_that_says_so(tmp_path: Path) -> None:
    facts(tmp_path, requirements=[SAID])
    never_began(tmp_path, SCENARIO, [SAID], "no lab could be made")
    seal(tmp_path)
    assert report_at_end(tmp_path)[0] == f"report: {tmp_path / 'report.html'}"
    first_screen = (tmp_path / "report.html").read_text().partition('id="requirements"')[0]
    assert "1 of the 1 requirement of this run could not be shown" in first_screen
    assert "history.jsonl" in first_screen


def test_without_a_history_or_a_verdict_there_was_no_run_to_report_on(tmp_path: Path) -> None:
    assert report_at_end(tmp_path) == []
    assert report_at_end(tmp_path / "never made") == []


@pytest.mark.parametrize("error", [ReportError("the disk is full"), RuntimeError("a bug")])
def test_a_report_that_fails_is_told_and_ends_nothing(
    good_run: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(*_: object) -> str:
        raise error

    monkeypatch.setattr(making, "page", fails)
    first, second = report_at_end(good_run)
    assert first.startswith("no report could be made: ")
    assert str(error) in first
    assert second == f"try again: python -m report {good_run}"


def test_the_command_line_makes_verifies_and_compares(good_run: Path, capsys) -> None:
    assert main([str(good_run)]) == 0
    assert "PASS: All 2 requirements" in capsys.readouterr().out
    assert main(["verify", str(good_run)]) == 0
    assert main(["compare", str(good_run), str(good_run / "report.json")]) == 0
    assert "no requirement turned" in capsys.readouterr().out


def test_what_was_changed_ends_with_1_and_is_named(good_run: Path, capsys) -> None:
    main([str(good_run)])
    facts(good_run, image="another")
    assert main(["verify", str(good_run)]) == 1
    assert "run.json: was changed" in capsys.readouterr().out


def test_a_run_that_is_none_ends_with_2(tmp_path: Path, capsys) -> None:
    assert main([str(tmp_path / "gone")]) == 2
    assert "hint: name the directory of a run" in capsys.readouterr().err


def test_a_signer_without_keys_ends_with_2(good_run: Path, capsys) -> None:
    main([str(good_run)])
    assert main(["verify", str(good_run), "--signer", "me"]) == 2
    assert "go together" in capsys.readouterr().err


def test_names_with_markup_are_printed_as_they_are(tmp_path: Path, capsys) -> None:
    assert main([str(tmp_path / "[red]gone\x1b")]) == 2
    assert "[red]gone\\x1b" in capsys.readouterr().err
