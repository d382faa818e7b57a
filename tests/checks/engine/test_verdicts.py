"""The file of a run's verdicts: what it keeps of each attempt, and what it makes of them."""

import json
import resource
import signal
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from checks.engine.verdict import Status, unknown
from checks.engine.verdicts import read_tables, read_verdicts, record_verdict
from evidence.errors import BadEvidence
from tests.checks.engine.recorded import SAID, SEEN
from tests.checks.engine.verdicts import BAD, GOOD, LATE, good


def test_verdicts_add_up_over_scenarios_and_the_worst_counts(tmp_path: Path) -> None:
    record_verdict(tmp_path, SAID, "one", GOOD)
    record_verdict(tmp_path, SAID, "two", unknown("dark"))
    verdicts = record_verdict(tmp_path, SAID, "one", good("fine again"))
    assert verdicts == read_verdicts(tmp_path)
    assert verdicts.of(SAID).reasons == ("dark",)
    table = read_tables(tmp_path)["requirements"][SAID]
    assert table["status"] == "UNKNOWN"
    assert table["scenarios"]["one"]["reasons"] == ["fine again"]


def test_every_attempt_is_kept_and_a_pass_does_not_replace_a_fail(tmp_path: Path) -> None:
    record_verdict(tmp_path, SAID, "one", BAD, 1)
    verdicts = record_verdict(tmp_path, SAID, "one", GOOD, 2)
    assert verdicts.attempts[SAID]["one"] == {1: BAD, 2: GOOD}
    assert verdicts.of(SAID).status is Status.FAIL
    assert read_verdicts(tmp_path) == verdicts


def test_within_an_attempt_nothing_replaces_a_fail(tmp_path: Path) -> None:
    record_verdict(tmp_path, SAID, "one", BAD)
    assert record_verdict(tmp_path, SAID, "one", GOOD).of(SAID) == BAD


def test_a_pass_replaces_an_unknown_for_lateness_and_says_so(tmp_path: Path) -> None:
    record_verdict(tmp_path, SAID, "one", LATE, 1)
    verdict = record_verdict(tmp_path, SAID, "one", GOOD, 2).of(SAID)
    assert verdict.status is Status.PASS
    assert "repeated because the host was late" in verdict.text


def test_all_of_a_verdict_is_read_back(tmp_path: Path) -> None:
    more = {"owed": 4, "discharged": 3, "late": True, "digests": {"history.jsonl:3": "ab"}}
    verdict = replace(unknown("dark", evidence=["history.jsonl:3"]), **more)
    record_verdict(tmp_path, SAID, "one", verdict, 3)
    assert read_verdicts(tmp_path).attempts[SAID]["one"] == {3: verdict}


def test_a_damaged_verdict_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "verdicts.json").write_text('{"requirements": {"MN-05": {"scen')
    with pytest.raises(BadEvidence, match=r"verdicts\.json"):
        read_verdicts(tmp_path)


@pytest.mark.parametrize("content", ['{"requirements": {}}', '{"format": 3, "requirements": {}}'])
def test_a_file_of_another_format_is_refused_by_name(tmp_path: Path, content: str) -> None:
    (tmp_path / "verdicts.json").write_text(content)
    with pytest.raises(BadEvidence, match=r"written in format \d, and this reads 2"):
        read_verdicts(tmp_path)


def record_many(directory: Path, requirement: str) -> None:
    for number in range(1, 31):
        record_verdict(directory, requirement, "one", GOOD, number)


def test_two_processes_lose_none_of_each_others_verdicts(tmp_path: Path) -> None:
    context = get_context("fork")
    both = [context.Process(target=record_many, args=(tmp_path, name)) for name in (SAID, SEEN)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert [one.exitcode for one in both] == [0, 0]
    attempts = read_verdicts(tmp_path).attempts
    assert {name: len(attempts[name]["one"]) for name in attempts} == {SAID: 30, SEEN: 30}


def record_on_a_full_disk(directory: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    size = (directory / "verdicts.json").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        record_verdict(directory, SEEN, "two", GOOD)
    except BadEvidence as error:
        (directory / "said").write_text(str(error))


def test_a_full_disk_is_an_error_and_the_former_file_stays(tmp_path: Path) -> None:
    record_verdict(tmp_path, SAID, "one", GOOD)
    before = (tmp_path / "verdicts.json").read_bytes()
    alone = get_context("fork").Process(target=record_on_a_full_disk, args=(tmp_path,))
    alone.start()
    alone.join()
    assert "the verdicts cannot be written" in (tmp_path / "said").read_text()
    assert (tmp_path / "verdicts.json").read_bytes() == before
    assert json.loads(before)["requirements"].keys() == {SAID}
    assert {one.name for one in tmp_path.iterdir()} <= {
        "verdicts.json",
        ".verdicts.json.lock",
        "said",
    }
