"""Whether what came home is what its host read, file by file."""

from __future__ import annotations

from pathlib import Path

import pytest

from evidence.arrivals import manifest, other_than_arrived, since_arrival, wrong_with
from evidence.events.hosts import EvidenceArrived, FileArrived


@pytest.fixture
def part(tmp_path: Path) -> Path:
    (tmp_path / "wire").mkdir()
    (tmp_path / "wire" / "lab.pcapng").write_bytes(b"frames")
    (tmp_path / "history.jsonl").write_bytes(b"one\ntwo\n")
    (tmp_path / "verdicts.json").write_bytes(b"{}")
    return tmp_path


def arrived(part: Path, *wrong: str, host: str = "beta") -> EvidenceArrived:
    return EvidenceArrived(source="pytest", host=host, files=manifest(part), wrong=wrong)


def test_a_manifest_names_what_is_handed_on(part: Path) -> None:
    for name in ("secrets.json", ".verdicts.json.lock", "wire/.begun"):
        (part / name).write_bytes(b"not this")
    (part / "link").symlink_to("history.jsonl")
    found = manifest(part)
    assert list(found) == ["history.jsonl", "verdicts.json", "wire/lab.pcapng"]
    assert found["wire/lab.pcapng"].size == 6


def test_what_is_as_its_host_read_it_is_not_wrong(part: Path) -> None:
    assert wrong_with(part, manifest(part)) == []


def test_what_grew_since_is_not_wrong_either(part: Path) -> None:
    files = manifest(part)
    with (part / "history.jsonl").open("ab") as file:
        file.write(b"three\n")
    assert wrong_with(part, files) == []


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"one\ntw", "history.jsonl: is cut: 6 octets of 8"),
        (b"one\ntwO\n", "history.jsonl: is not what its host read"),
        (b"", "history.jsonl: is cut: 0 octets of 8"),
        (None, "history.jsonl: is not there"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(part: Path, content: bytes | None, why: str) -> None:
    files = manifest(part)
    (part / "history.jsonl").unlink()
    if content is not None:
        (part / "history.jsonl").write_bytes(content)
    assert wrong_with(part, files) == [why]


def test_a_file_outside_the_part_is_not_looked_at(part: Path) -> None:
    (wrong,) = wrong_with(part, {"../etc": FileArrived(size=1, sha256="0" * 64)})
    assert "names no file of the run" in wrong


def test_the_last_arrival_of_a_file_counts(part: Path) -> None:
    first = arrived(part)
    (part / "history.jsonl").write_bytes(b"other\nthan\nthat\n")
    assert list(since_arrival(part, "beta", [first])) == [
        "history.jsonl: is not what its host read"
    ]
    assert list(since_arrival(part, "beta", [first, arrived(part)])) == []


def test_arrivals_of_another_host_say_nothing(part: Path) -> None:
    other = arrived(part, host="alpha")
    (part / "history.jsonl").unlink()
    assert list(since_arrival(part, "beta", [other])) == []


def test_what_is_written_anew_as_a_whole_may_be_another(part: Path) -> None:
    before = arrived(part)
    (part / "verdicts.json").write_bytes(b'{"format": 2}')
    assert list(since_arrival(part, "beta", [before])) == []


def test_a_file_that_was_wrong_when_it_came_is_no_measure(part: Path) -> None:
    before = arrived(part, "history.jsonl: is cut: 6 octets of 8")
    (part / "history.jsonl").write_bytes(b"one\ntw")
    assert list(since_arrival(part, "beta", [before])) == []


def test_once_a_run_is_over_what_grew_or_was_written_anew_is_other(part: Path) -> None:
    before = arrived(part)
    assert list(other_than_arrived(part, "beta", [before])) == []
    with (part / "history.jsonl").open("ab") as file:
        file.write(b"three\n")
    (part / "verdicts.json").write_bytes(b"[]")
    (part / "wire" / "more.pcapng").write_bytes(b"")
    assert list(other_than_arrived(part, "beta", [before])) == [
        "history.jsonl: was added to since it came",
        "verdicts.json: is not what its host read",
        "wire/more.pcapng: did not come from its host",
    ]
    assert list(other_than_arrived(part, "beta", [before, arrived(part)])) == []


def test_a_file_that_came_wrong_last_is_held_against_what_came_before(part: Path) -> None:
    first = arrived(part)
    with (part / "history.jsonl").open("ab") as file:
        file.write(b"thr")
    (part / "verdicts.json").write_bytes(b"{")
    wrong = ("history.jsonl: is cut: 11 octets of 14", "verdicts.json: is cut: 1 octets of 9")
    came = [first, arrived(part, *wrong)]
    assert list(other_than_arrived(part, "beta", came)) == []
    (part / "history.jsonl").write_bytes(b"ONE\ntwo\nthr")
    assert list(other_than_arrived(part, "beta", came)) == [
        "history.jsonl: is not what its host read"
    ]


def test_of_a_host_of_which_nothing_came_nothing_is_other(part: Path) -> None:
    assert list(other_than_arrived(part, "beta", [arrived(part, host="alpha")])) == []


def test_what_its_host_removed_is_not_missed(part: Path) -> None:
    before = arrived(part)
    (part / "wire" / "lab.pcapng").unlink()
    after = EvidenceArrived(source="pytest", host="beta", files={}, gone=("wire/lab.pcapng",))
    assert list(other_than_arrived(part, "beta", [before])) == ["wire/lab.pcapng: is not there"]
    assert list(other_than_arrived(part, "beta", [before, after])) == []
    assert list(since_arrival(part, "beta", [before, after])) == []
