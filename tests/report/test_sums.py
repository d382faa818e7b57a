"""Changed evidence is found by name, and a signature tells who vouched for the sums."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from checks.engine.seal import seal
from evidence.errors import BadEvidence
from report import cli
from report.signing import check_signature, sign, verify_command
from report.sums import LARGEST_FILE, changed, write_sums
from report.writing import ReportError
from tests import captures
from tests.checks.engine import recorded


@pytest.fixture
def run(tmp_path: Path) -> Path:
    run = tmp_path / "run"
    (run / "wire").mkdir(parents=True)
    (run / "wire" / "lab.pcapng").write_bytes(b"frames")
    (run / "history.jsonl").write_text("events\n")
    (run / ".run.json.lock").touch()
    return run


@pytest.fixture
def sums(run: Path) -> Path:
    return write_sums(run, run)


def test_the_sums_are_what_sha256sum_reads(run: Path, sums: Path) -> None:
    done = subprocess.run(
        ["sha256sum", "--strict", "-c", sums], cwd=run, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["history.jsonl: OK", "wire/lab.pcapng: OK"]


def test_of_what_was_left_alone_nothing_is_said(run: Path, sums: Path) -> None:
    assert list(changed(run, sums)) == []


def test_what_was_changed_is_named(run: Path, sums: Path) -> None:
    (run / "wire" / "lab.pcapng").write_bytes(b"other")
    (run / "history.jsonl").unlink()
    (run / "more").touch()
    assert list(changed(run, sums)) == [
        "history.jsonl: is not there any more",
        "wire/lab.pcapng: was changed",
        "more: was added",
    ]


def test_a_link_is_no_file_of_a_run_whatever_it_leads_to(
    run: Path, sums: Path, tmp_path: Path
) -> None:
    """Who verifies, and who hands on a copy, would look at something else."""
    (run / "history.jsonl").rename(tmp_path / "history.jsonl")
    (run / "history.jsonl").symlink_to(tmp_path / "history.jsonl")
    (run / "more").symlink_to("/etc/passwd")
    assert list(changed(run, sums)) == [
        "history.jsonl: is a link by now, and was a file",
        "more: was added, a link",
    ]


def test_a_folder_that_became_a_link_is_named(run: Path, sums: Path, tmp_path: Path) -> None:
    (run / "wire").rename(tmp_path / "wire")
    (run / "wire").symlink_to(tmp_path / "wire")
    assert list(changed(run, sums)) == ["wire: was added, a link"]


@pytest.mark.parametrize("name", ["a\nb", "a\\b", "a b", "\udcff", "\\n", "*x"])
def test_odd_names_are_read_back_and_checked_by_sha256sum(run: Path, name: str) -> None:
    (run / name).write_text("content")
    sums = write_sums(run, run)
    assert list(changed(run, sums)) == []
    subprocess.run(["sha256sum", "--strict", "--quiet", "-c", sums], cwd=run, check=True)
    (run / name).write_text("changed")
    assert len(list(changed(run, sums))) == 1


def test_a_report_elsewhere_is_among_the_sums(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.html").write_text("page")
    sums = write_sums(run, out, [out / "report.html"])
    assert not (run / "SHA256SUMS").exists()
    (out / "report.html").write_text("changed")
    assert list(changed(run, sums)) == ["../out/report.html: was changed"]


def test_without_sums_nothing_can_be_told(run: Path) -> None:
    with pytest.raises(BadEvidence, match="can be read") as wrong:
        list(changed(run, run / "SHA256SUMS"))
    assert "python -m report RUN" in wrong.value.hint


def test_sums_that_are_none_are_refused_by_line(run: Path, sums: Path) -> None:
    sums.write_text(sums.read_text() + "no sum\n")
    with pytest.raises(BadEvidence, match="SHA256SUMS:3: no line of sums"):
        list(changed(run, sums))


@pytest.fixture
def key(tmp_path: Path) -> Path:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    public = key.with_suffix(".pub").read_text()
    (tmp_path / "allowed").write_text(f'me@example.org namespaces="vpnproof" {public}')
    return key


def test_who_signed_is_told(sums: Path, key: Path, tmp_path: Path) -> None:
    sign(sums, key)
    assert "me@example.org" in check_signature(sums, "me@example.org", tmp_path / "allowed")


def test_the_command_that_is_printed_checks_it(sums: Path, key: Path, tmp_path: Path) -> None:
    sign(sums, key)
    command = verify_command(sums, "me@example.org", str(tmp_path / "allowed"))
    subprocess.run(["sh", "-c", command], check=True, capture_output=True)


def test_sums_that_were_changed_do_not_bear_their_signature(
    sums: Path, key: Path, tmp_path: Path
) -> None:
    sign(sums, key)
    sums.write_text(sums.read_text().replace("lab", "bal"))
    with pytest.raises(ReportError, match="verif"):
        check_signature(sums, "me@example.org", tmp_path / "allowed")


def test_another_signer_is_not_taken_for_one(sums: Path, key: Path, tmp_path: Path) -> None:
    sign(sums, key)
    with pytest.raises(ReportError):
        check_signature(sums, "you@example.org", tmp_path / "allowed")


def test_who_signs_again_replaces_the_signature(sums: Path, key: Path) -> None:
    assert sign(sums, key).read_bytes() == sign(sums, key).read_bytes()


def test_sums_of_something_else_lose_their_signature(run: Path, sums: Path, key: Path) -> None:
    signature = sign(sums, key)
    write_sums(run, run)
    assert signature.exists()
    (run / "more").touch()
    write_sums(run, run)
    assert not signature.exists()


def test_a_key_that_is_none_is_an_error(sums: Path, tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="ssh-keygen -Y sign"):
        sign(sums, tmp_path / "gone")


def test_no_signature_is_told_as_such(sums: Path, tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="there is no signature"):
        check_signature(sums, "me", tmp_path / "allowed")


def test_secrets_are_not_handed_on_and_have_no_sum(tmp_path: Path) -> None:
    (tmp_path / "history.jsonl").write_text("{}\n")
    (tmp_path / "secrets.json").write_text("{}")
    sums = write_sums(tmp_path, tmp_path)
    assert "secrets" not in sums.read_text()
    (tmp_path / "secrets.json").unlink()
    assert list(changed(tmp_path, sums)) == []


def test_a_pipe_in_place_of_the_sums_is_not_waited_for(run: Path) -> None:
    os.mkfifo(run / "SHA256SUMS")
    with pytest.raises(BadEvidence, match="it is a FIFO"):
        list(changed(run, run / "SHA256SUMS"))


def test_a_name_that_no_file_can_have_names_none(run: Path, sums: Path) -> None:
    name = "a" * 5000
    sums.write_text(f"{sums.read_text()}{'0' * 64}  {name}\n")
    assert list(changed(run, sums)) == [f"{name}: is not there any more"]


def test_a_file_without_end_is_not_read(run: Path, sums: Path) -> None:
    with (run / "wire" / "lab.pcapng").open("ab") as file:
        file.truncate(LARGEST_FILE + 1)
    with pytest.raises(BadEvidence, match="no file of a run has more than"):
        list(changed(run, sums))


def test_what_cannot_be_told_is_one_line_and_no_change(
    run: Path,
    sums: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def too_deep(*_: object) -> list[str]:
        raise RecursionError("directories in directories")

    monkeypatch.setattr(cli, "changed", too_deep)
    assert cli.main(["verify", str(run)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "directories in directories" in line


@pytest.fixture
def kept(tmp_path: Path, own_checks: object) -> Path:
    """Record a run whose lab goes on recording after it was sealed: it was kept (--keep)."""
    run = tmp_path / "kept"
    run.mkdir()
    recorded.attempt(run, "good")
    (run / "wire").mkdir()
    marks = captures.marks_of(recorded.NS, 4 * recorded.NS, ended=False)
    (run / "wire" / "lab.pcapng").write_bytes(captures.capture([], marks=marks))
    seal(run)
    return run


def test_the_capture_of_a_lab_that_is_kept_may_grow_but_not_change(kept: Path) -> None:
    sums, capture = write_sums(kept, kept), kept / "wire" / "lab.pcapng"
    before = capture.read_bytes()
    with capture.open("ab") as file:
        file.write(b"more frames")
    assert list(changed(kept, sums)) == []
    subprocess.run(["sha256sum", "--strict", "--quiet", "-c", sums], cwd=kept, check=True)
    capture.write_bytes(before[:-1] + b"?more")
    (told,) = changed(kept, sums)
    assert told.startswith("wire/lab.pcapng: it was altered after it had been sealed")
    capture.unlink()
    (told,) = changed(kept, sums)
    assert told.startswith("wire/lab.pcapng: it was sealed, and is not there any more")


def test_verdicts_that_were_altered_let_no_capture_change_unseen(kept: Path) -> None:
    sums = write_sums(kept, kept)
    verdicts = kept / "verdicts.json"
    verdicts.write_text(verdicts.read_text().replace('"grows": true', '"grows": false'))
    assert "verdicts.json: was changed" in list(changed(kept, sums))


def test_in_a_matrix_a_kept_capture_may_grow_too(kept: Path, tmp_path: Path) -> None:
    run = tmp_path / "matrix-run"
    (run / "matrix").mkdir(parents=True)
    kept.rename(run / "matrix" / "one")
    sums = write_sums(run, run)
    capture = run / "matrix" / "one" / "wire" / "lab.pcapng"
    with capture.open("ab") as file:
        file.write(b"more frames")
    assert list(changed(run, sums)) == []
    capture.write_bytes(b"")
    (told,) = changed(run, sums)
    assert told.startswith("matrix/one/wire/lab.pcapng: ")
