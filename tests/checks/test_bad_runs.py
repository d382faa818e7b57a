"""Whatever a run from anywhere holds: a status, one line, never a traceback or a hang."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from checks.cli import main
from checks.engine.seal import seal
from checks.engine.verdicts import FILE_NAME as VERDICTS
from checks.engine.verdicts import read_tables, write_tables
from evidence.events.run import SeriesJudged
from evidence.history import History
from tests.checks.bad_inputs import HOSTILE, IN_PLACE, TEXTS, VALUES, said
from tests.checks.engine.recorded import attempt, good_run

HISTORY, FACTS, CAPTURE = "history.jsonl", "run.json", "wire/lab.pcapng"


@pytest.fixture
def run(tmp_path: Path, own_checks: object) -> Path:
    (tmp_path / FACTS).write_text('{"requirements": ["MN-05"]}')
    good_run(tmp_path)
    return tmp_path


@pytest.mark.parametrize("file", [HISTORY, VERDICTS, FACTS, CAPTURE])
@pytest.mark.parametrize("what", IN_PLACE)
def test_something_else_in_place_of_a_file_of_a_run(
    run: Path, file: str, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(run)]) == 0
    capsys.readouterr()
    IN_PLACE[what](run / file)
    assert main(["verify", str(run)]) == 2
    assert Path(file).name in said(capsys)


@pytest.mark.parametrize("file", [HISTORY, VERDICTS, FACTS, CAPTURE])
@pytest.mark.parametrize("what", TEXTS)
def test_text_that_is_none_of_ours(
    run: Path, file: str, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / file).write_bytes(TEXTS[what])
    assert main(["verify", str(run)]) == 2
    said(capsys)


@pytest.mark.parametrize("what", VALUES)
@pytest.mark.parametrize(
    ("file", "key"),
    [
        *((HISTORY, key) for key in ("number", "asleep_ns", "uncertainty_ns", "lab", "at_ns")),
        *((VERDICTS, key) for key in ("format", "owed", "late", "status", "seal", "octets")),
        (FACTS, "requirements"),
    ],
)
def test_values_that_no_reader_expects(
    run: Path, file: str, key: str, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    value = rb'("%s": ?)("[^"]*"|\[[^]]*\]|[^,}\s]+)' % key.encode()
    text = (run / file).read_bytes()
    changed = re.sub(value, lambda found: found[1] + VALUES[what], text, count=1)
    assert changed != text
    (run / file).write_bytes(changed)
    assert main(["verify", str(run)]) == 2
    said(capsys)


Tables = dict[str, object]


def verdict_of(tables: Tables) -> dict[str, object]:
    return tables["requirements"]["MN-05"]


def with_attempt(tables: Tables, number: str) -> None:
    for scenario in verdict_of(tables)["scenarios"].values():
        scenario["attempts"][number] = scenario["attempts"]["1"]


SHAPES: dict[str, Callable[[Tables], object]] = {
    "numeric reasons": lambda one: verdict_of(one).update(reasons=[1, 2.5, None]),
    "reasons that are one text": lambda one: verdict_of(one).update(reasons="text"),
    "numeric evidence": lambda one: verdict_of(one).update(evidence=[7]),
    "numeric digests": lambda one: verdict_of(one).update(digests={"history.jsonl:3": 5}),
    "another status": lambda one: verdict_of(one).update(status="MAYBE"),
    "a status that is true": lambda one: verdict_of(one).update(status=True),
    "no status": lambda one: verdict_of(one).pop("status"),
    "no scenarios": lambda one: verdict_of(one).pop("scenarios"),
    "scenarios that are a list": lambda one: verdict_of(one).update(scenarios=[]),
    "attempts by name": lambda one: with_attempt(one, "first"),
    "an attempt of a million digits": lambda one: with_attempt(one, "1" * 1_000_000),
    "an attempt below 1": lambda one: with_attempt(one, "-1"),
    "requirements that are a list": lambda one: one.update(requirements=[]),
    "to judge a number": lambda one: one.update(to_judge=[1]),
    "to judge a text": lambda one: one.update(to_judge="MN-05"),
    "a format that is true": lambda one: one.update(format=True),
    "a numeric seal": lambda one: one.update(seal=5),
    "sealed files that are a list": lambda one: one.update(sealed=[1]),
    "sealed octets below 0": lambda one: one["sealed"][HISTORY].update(octets=-5),
    "sealed octets without end": lambda one: one["sealed"][HISTORY].update(octets=10**18),
    "a sealed file elsewhere": lambda one: one["sealed"].update(
        {"../../../../../../proc/kcore": {"octets": 10**15, "sha256": "", "grows": False}}
    ),
    "a sealed file of the root": lambda one: one["sealed"].update(
        {"/dev/zero": {"octets": 10**15, "sha256": "", "grows": False}}
    ),
    "a sealed name with a NUL": lambda one: one["sealed"].update(
        {"a\0b": {"octets": 1, "sha256": "", "grows": False}}
    ),
    "a sealed name that is too long": lambda one: one["sealed"].update(
        {"x" * 5000: {"octets": 1, "sha256": "", "grows": False}}
    ),
}


@pytest.mark.parametrize("what", SHAPES)
def test_verdicts_of_another_shape(
    run: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = json.loads((run / VERDICTS).read_text())
    SHAPES[what](tables)
    (run / VERDICTS).write_text(json.dumps(tables))
    assert main(["verify", str(run)]) == 2
    assert VERDICTS in said(capsys) or what.startswith("a sealed file")


@pytest.mark.parametrize(
    "lab", ["../../etc/passwd", "/dev/zero", "a\0b", "x" * 5000, "..", "[/red]"]
)
def test_labs_whose_name_leads_elsewhere(
    tmp_path: Path, own_checks: object, lab: str, capsys: pytest.CaptureFixture[str]
) -> None:
    good_run(tmp_path)
    lines = (tmp_path / HISTORY).read_bytes().splitlines(keepends=True)
    named = lines[0].replace(b'"lab":"lab"', b'"lab":' + json.dumps(lab).encode())
    (tmp_path / HISTORY).write_bytes(named + b"".join(lines[1:]))
    assert main(["verify", str(tmp_path)]) == 2
    said(capsys)


def test_markup_and_controls_in_names_are_shown_as_they_are(
    tmp_path: Path, own_checks: object, capsys: pytest.CaptureFixture[str]
) -> None:
    attempt(tmp_path, "good", scenario=HOSTILE)
    seal(tmp_path)
    assert main(["verify", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    shown = r"[/red]\x1b[2J\x1b]0;x\x07[bold]\u202e:warning:\x9b\r\nPASS\u200b"
    assert out.splitlines()[0] == f"MN-05  PASS, as recorded: {shown}"


def test_markup_and_controls_in_files_and_reasons_are_shown_as_they_are(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / "wire" / "[bold]\x1b[2J.pcapng").write_bytes(b"text")
    tables = read_tables(run)
    for part in tables["requirements"]["MN-05"]["scenarios"].values():
        part["attempts"]["2"] = {**part["attempts"]["1"], "reasons": [HOSTILE], "status": "UNKNOWN"}
    write_tables(run, tables)
    assert main(["verify", str(run)]) == 2
    out, _ = capsys.readouterr()
    assert r"wire/[bold]\x1b[2J.pcapng: begins with 74657874" in out
    assert r"       [/red]\x1b[2J\x1b]0;x\x07[bold]\u202e:warning:\x9b\r" in out.splitlines()


def test_a_reason_of_megabytes_is_cut_short(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables = read_tables(run)
    for part in tables["requirements"]["MN-05"]["scenarios"].values():
        part["attempts"]["2"] = {**part["attempts"]["1"], "reasons": ["x" * 10**7]}
    write_tables(run, tables)
    assert main(["verify", str(run)]) == 2
    out, _ = capsys.readouterr()
    assert len(out) < 20_000


def test_of_thousands_of_reasons_the_first_are_shown(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = read_tables(run)
    for part in tables["requirements"]["MN-05"]["scenarios"].values():
        many = {"status": "UNKNOWN", "reasons": [f"reason {n}" for n in range(5000)]}
        part["attempts"]["2"] = {**part["attempts"]["1"], **many}
    write_tables(run, tables)
    assert main(["verify", str(run)]) == 2
    out, _ = capsys.readouterr()
    assert "       reason 199\n       and 4800 more reasons\n" in out


def test_more_series_than_any_run_judges_are_refused(
    tmp_path: Path, own_checks: object, capsys: pytest.CaptureFixture[str]
) -> None:
    with History(tmp_path / HISTORY, "test_it") as history:
        for _ in range(501):
            history.record(SeriesJudged(source="judge", requirement="MN-05"))
    assert main(["verify", str(tmp_path)]) == 2
    assert "501 series are said to be judged" in said(capsys)


def command(*arguments: object, **more: object) -> subprocess.CompletedProcess[str]:
    """Run the real command, with an end of patience."""
    line = [sys.executable, "-m", "checks", *map(str, arguments)]
    return subprocess.run(line, text=True, capture_output=True, timeout=120, check=False, **more)


@pytest.mark.parametrize("what", ["a FIFO", "8 GiB of nothing behind it", "a link to a terminal"])
def test_the_real_command_neither_hangs_nor_falls(tmp_path: Path, what: str) -> None:
    attempt(tmp_path, "good", judged=False)
    (tmp_path / "a.json").write_text("{}")
    for file, how in (
        (HISTORY, ["verify", tmp_path]),
        ("a.json", ["preflight", tmp_path / "a.json"]),
    ):
        IN_PLACE[what](tmp_path / file)
        done = command(*how)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
        assert done.stderr.startswith("error: ")


def test_a_name_that_is_no_text_is_printed_on_any_terminal(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = command(
        "verify", os.fsencode(tmp_path / "gr\u00fcn").decode() + "\udcff", env=environment
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_a_reader_that_goes_away_and_a_full_disk_are_no_fail(tmp_path: Path) -> None:
    attempt(tmp_path, "good", judged=False)
    line = [sys.executable, "-m", "checks", "verify", str(tmp_path)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    out, into = os.pipe()
    os.close(out)
    done = subprocess.run(line, stdout=into, stderr=subprocess.PIPE, text=True, check=False)
    os.close(into)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("folder", ["transcripts", "wire"])
def test_a_folder_that_is_a_link_to_elsewhere_is_not_walked(
    run: Path,
    tmp_path_factory: pytest.TempPathFactory,
    folder: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "of-a-stranger.pcapng").touch()
    seal(run)
    if (run / folder).exists():
        (run / folder).rename(run / "former")
    (run / folder).symlink_to(elsewhere)
    assert main(["verify", str(run)]) == 2
    out, err = capsys.readouterr()
    assert "of-a-stranger" not in out + err
    assert folder in err
