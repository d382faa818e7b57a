"""A good run, damaged by every rule of `tests.evidence.damage`: none may PASS."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from checks.cli import verify
from checks.engine import verdicts
from checks.engine.integrity import integrity
from checks.engine.judging import all_in_all, judge_again
from checks.engine.verdict import Status
from evidence.errors import BadEvidence
from evidence.events.run import Judged
from evidence.history import read_history
from tests.checks.engine.recorded import SAID, SEEN, good_run
from tests.evidence.damage import Damage, damages, of_file

pytestmark = pytest.mark.usefixtures("own_checks")

STEP = 48


def exit_status(directory: Path) -> int:
    try:
        return verify(directory, Console(file=io.StringIO()))
    except BadEvidence:
        return 2


def inflicted(directory: Path, found: Iterator[Damage]) -> Iterator[Damage]:
    for one in found:
        with one.inflicted(directory):
            yield one


def test_no_damage_to_a_sealed_run_passes(tmp_path: Path) -> None:
    good_run(tmp_path)
    assert exit_status(tmp_path) == 0
    tried = 0
    passed = []
    for one in inflicted(tmp_path, damages(tmp_path, step=4 * STEP)):
        tried += 1
        if exit_status(tmp_path) == 0:
            passed.append(str(one))
    assert passed == []
    assert tried > 500
    assert exit_status(tmp_path) == 0


def test_no_damage_to_what_a_verdict_rests_on_lets_it_pass(tmp_path: Path) -> None:
    good_run(tmp_path)
    path = tmp_path / "history.jsonl"
    marks = {one.requirement: one.line for one in read_history(path).of(Judged)}
    lines = path.read_bytes().splitlines(keepends=True)
    passed = []
    for one in inflicted(tmp_path, of_file(tmp_path, path, step=STEP)):
        again = {} if one.content is None else passing(tmp_path)
        for requirement, line in marks.items():
            untouched = (one.content or b"").startswith(b"".join(lines[:line]))
            if requirement in again and not untouched:
                passed.append(f"{requirement} passes: {one}")
    assert passed == []


def passing(directory: Path) -> set[str]:
    try:
        again = all_in_all(judge_again(directory))
    except BadEvidence:
        return set()
    return {name for name in (SAID, SEEN) if again.of(name).status is Status.PASS}


def test_damage_to_a_history_is_found_without_the_seal(tmp_path: Path) -> None:
    good_run(tmp_path)
    tables = verdicts.read_tables(tmp_path)
    verdicts.write_tables(tmp_path, {n: t for n, t in tables.items() if "seal" not in n})
    path = tmp_path / "history.jsonl"
    until_the_end_mark = b"".join(path.read_bytes().splitlines(keepends=True)[:-1])
    unnoticed = []
    for one in inflicted(tmp_path, of_file(tmp_path, path, step=STEP)):
        try:
            looked = integrity(tmp_path)
            differ = [part for part in judge_again(tmp_path) if not part.same]
            noticed = bool(looked.altered or looked.damaged or differ)
        except BadEvidence:
            noticed = True
        only_the_end = (one.content or b"").startswith(until_the_end_mark)
        if not noticed and not only_the_end:
            unnoticed.append(str(one))
    assert unnoticed == []
