"""The history: what is appended, what is read back, and how damage to it is told."""

import json
import os
import resource
import signal
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from evidence.errors import BadEvidence
from evidence.event import Event
from evidence.events.run import HostLate, Judged, ScenarioStarted
from evidence.history import (
    BEGINNING,
    LONGEST_LINE,
    Following,
    History,
    line_hash,
    read_history,
)


def judged(requirement: str = "MN-05") -> Judged:
    return Judged(source="judge", requirement=requirement)


def recorded(path: Path, *requirements: str) -> list[bytes]:
    with History(path, "it") as history:
        for one in requirements:
            history.record(judged(one))
    return path.read_bytes().splitlines()


def said(path: Path) -> list[str]:
    return [str(one) for one in read_history(path).damage]


def test_what_is_recorded_is_read_back(tmp_path: Path) -> None:
    with History(tmp_path / "h", "s") as history:
        event = history.record(
            HostLate(source="lab", of="wire", at_ns=9, uncertainty_ns=2, from_ns=5, kept_ns=3)
        )
    (read,) = read_history(tmp_path / "h")
    assert read == event
    assert isinstance(read, HostLate)
    assert (read.scenario, read.place, read.kept_ns) == ("s", "history.jsonl:1", 3)
    assert (read.moment.earliest_ns, read.moment.latest_ns) == (7, 11)


def test_an_event_is_there_before_the_file_is_closed(tmp_path: Path) -> None:
    with History(tmp_path / "h") as history:
        history.record(judged())
        assert len(read_history(tmp_path / "h")) == 1


def test_who_follows_a_history_reads_all_of_it_each_time(tmp_path: Path) -> None:
    following = Following(tmp_path / "h")
    with History(tmp_path / "h") as history:
        for number in range(1, 4):
            history.record(judged(f"FO-0{number}"))
            assert list(following.read()) == list(read_history(tmp_path / "h"))
            assert len(following.read()) == number
    with (tmp_path / "h").open("ab") as file:
        file.write(b'{"number":')
    assert "its end is missing" in str(following.read().damage[0])
    with History(tmp_path / "h") as history:
        history.record(judged())
    again = following.read()
    assert [str(one) for one in again.damage] == said(tmp_path / "h")
    assert len(again) == 4


def test_who_follows_a_history_begins_anew_with_another_file(tmp_path: Path) -> None:
    recorded(tmp_path / "h", "FO-01", "FO-02")
    following = Following(tmp_path / "h")
    assert len(following.read()) == 2
    (tmp_path / "h").unlink()
    recorded(tmp_path / "h", "FO-03")
    assert [one.requirement for one in following.read().of(Judged)] == ["FO-03"]


def test_events_are_selected_by_class_and_scenario(tmp_path: Path) -> None:
    for scenario in ("one", "two"):
        with History(tmp_path / "h", scenario) as history:
            history.record(ScenarioStarted(source="pytest", lab="lab"))
            history.record(judged())
            assert history.recorded == 2
    recording = read_history(tmp_path / "h")
    assert [one.line for one in recording.of(Judged)] == [2, 4]
    assert [one.line for one in recording.of(Judged, "two")] == [4]
    assert [one.line for one in recording.between(2, 3)] == [2, 3]
    assert len(recording.of(Event)) == 4


def test_each_line_has_the_hash_of_the_one_before(tmp_path: Path) -> None:
    lines = recorded(tmp_path / "h", "MN-01", "MN-02", "MN-03")
    previous = [json.loads(line)["previous"] for line in lines]
    assert previous == [BEGINNING, line_hash(lines[0]), line_hash(lines[1])]
    assert [json.loads(line)["number"] for line in lines] == [1, 2, 3]
    assert said(tmp_path / "h") == []
    assert read_history(tmp_path / "h").hash_at(2) == line_hash(lines[1])


@given(cut=st.integers(min_value=0, max_value=100))
def test_a_torn_last_line_is_named_and_the_others_read(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("torn") / "h"
    recorded(path, "MN-01", "MN-02")
    path.write_bytes(path.read_bytes()[: -1 - cut])
    recording = read_history(path)
    assert [event.requirement for event in recording.of(Judged)] == ["MN-01"]
    assert said(path) == ["history.jsonl:2: the line is torn: its end is missing"]


@pytest.mark.parametrize("torn", [1, 2, 3])
def test_a_line_torn_anywhere_is_named_and_is_the_only_one(tmp_path: Path, torn: int) -> None:
    path = tmp_path / "h"
    lines = recorded(path, "MN-01", "MN-02", "MN-03")
    lines[torn - 1] = lines[torn - 1][:30]
    path.write_bytes(b"\n".join(lines) + b"\n")
    damage = said(path)
    assert f"history.jsonl:{torn}: the line is torn, or no event" in damage
    assert {one.split(": ")[0] for one in damage} == {f"history.jsonl:{torn}"}
    assert len(read_history(path)) == 2


def test_a_history_that_was_cut_at_a_line_lacks_what_nothing_in_it_tells(tmp_path: Path) -> None:
    """The verdicts and the seal tell: see tests.checks.engine.test_integrity."""
    lines = recorded(tmp_path / "h", "MN-01", "MN-02")
    (tmp_path / "h").write_bytes(lines[0] + b"\n")
    assert said(tmp_path / "h") == []


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ((1, 3), ["history.jsonl:2: 1 line(s) before it are missing"]),
        ((2, 3), ["history.jsonl:1: 1 line(s) before it are missing"]),
        ((1, 1, 2, 3), ["history.jsonl:2: the line stands there twice"]),
        ((1, 2, 3, 1), ["history.jsonl:4: the line stands there twice"]),
        (
            (1, 3, 2),
            [
                "history.jsonl:2: 1 line(s) before it are missing",
                "history.jsonl:3: the line was number 2: it is out of place",
            ],
        ),
    ],
)
def test_lines_missing_out_of_place_or_twice_are_told(
    tmp_path: Path, order: tuple[int, ...], words: list[str]
) -> None:
    path = tmp_path / "h"
    lines = recorded(path, "MN-01", "MN-02", "MN-03")
    path.write_bytes(b"".join(lines[number - 1] + b"\n" for number in order))
    assert said(path) == words


def test_an_altered_line_is_named_by_the_one_after_it(tmp_path: Path) -> None:
    path = tmp_path / "h"
    recorded(path, "MN-01", "MN-02", "MN-03")
    path.write_bytes(path.read_bytes().replace(b"MN-02", b"MN-20"))
    (told,) = said(path)
    assert told.startswith("history.jsonl:2: it was altered after it had been written")


def test_a_value_that_its_class_does_not_take_is_damage_and_named(tmp_path: Path) -> None:
    path = tmp_path / "h"
    recorded(path, "MN-01", "MN-02")
    path.write_bytes(path.read_bytes().replace(b'"requirement":"MN-02"', b'"requirement":2'))
    (told,) = said(path)
    assert told.startswith("history.jsonl:2: the event cannot be read: scenario.judged.requirement")


def test_a_kind_that_nobody_declared_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "h"
    recorded(path, "MN-01")
    path.write_bytes(path.read_bytes().replace(b"scenario.judged", b"scenario.praised"))
    assert "the event cannot be read" in said(path)[0]


@pytest.mark.parametrize(
    "line",
    [b"5", b"[]", b'{"event": 1}', b"\xff\xfe", b'{"number": Infinity}', b"{}", b'"torn"'],
)
def test_whatever_stands_in_a_line_is_damage_and_no_crash(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "h").write_bytes(line + b"\n")
    assert len(said(tmp_path / "h")) == 1


@pytest.mark.parametrize(
    ("said_before", "said_after"),
    [('"number":1', '"number":1e999'), ('"asleep_ns":', '"asleep_ns":"x","more":')],
)
def test_numbers_that_are_none_are_damage(tmp_path: Path, said_before, said_after) -> None:
    recorded(tmp_path / "h", "MN-01")
    text = (tmp_path / "h").read_text()
    (tmp_path / "h").write_text(text.replace(said_before, said_after, 1))
    assert len(said(tmp_path / "h")) == 1


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_no_bit_is_altered_unnoticed_but_in_the_last_line(
    tmp_path_factory: pytest.TempPathFactory, at: int, bit: int
) -> None:
    path = tmp_path_factory.mktemp("altered") / "h"
    lines = recorded(path, "MN-01", "MN-02", "MN-03")
    content = bytearray(path.read_bytes())
    content[at % (len(content) - len(lines[-1]) - 1)] ^= 1 << bit
    path.write_bytes(content)
    assert said(path)


def test_what_is_recorded_after_a_torn_line_is_not_lost_with_it(tmp_path: Path) -> None:
    path = tmp_path / "h"
    recorded(path, "MN-01")
    with path.open("ab") as file:
        file.write(b'{"number": 2, "prev')
    recorded(path, "MN-03", "MN-04")
    assert [one.requirement for one in read_history(path).of(Judged)] == ["MN-01", "MN-03", "MN-04"]
    assert said(path) == ["history.jsonl:2: the line is torn, or no event"]


def test_an_event_that_is_wrong_is_refused_when_it_is_made(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        ScenarioStarted(source="pytest", lab="")
    with pytest.raises(ValidationError):
        Judged(source="judge", requirement="MN-05", nodeid="more")


def test_a_missing_history_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(BadEvidence, match="runs/latest"):
        read_history(tmp_path / "none")


def test_a_run_of_format_1_is_refused_by_name(tmp_path: Path) -> None:
    old = {"at_ns": 1, "source": "pytest", "kind": "scenario.start", "scenario": "", "data": {}}
    (tmp_path / "h").write_text(json.dumps(old, separators=(",", ":")) + "\n")
    with pytest.raises(BadEvidence, match=r"recorded in format 1, .*; this reads 2"):
        read_history(tmp_path / "h")


def append_many(path: Path, scenario: str) -> None:
    with History(path, scenario) as history:
        for number in range(200):
            history.record(judged(f"MN-{number:02}"))


def test_two_processes_append_to_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "h"
    context = get_context("fork")
    both = [context.Process(target=append_many, args=(path, name)) for name in ("one", "two")]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert [one.exitcode for one in both] == [0, 0]
    recording = read_history(path)
    assert said(path) == []
    assert [len(recording.of(Judged, name)) for name in ("one", "two")] == [200, 200]
    assert [one.requirement for one in recording.of(Judged, "two")] == [
        f"MN-{number:02}" for number in range(200)
    ]


def fill_the_disk(path: Path) -> None:
    """Record until the file may not grow any more, then on: what cannot be written says so."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    errors = []
    with History(path, "it") as history:
        for _ in range(10):
            try:
                history.record(judged())
            except BadEvidence as error:
                errors.append(str(error))
        (path.parent / "said").write_text(f"{history.recorded}\n" + "\n".join(errors)[:500])


def test_a_full_disk_is_an_error_at_once_and_leaves_no_half_line(tmp_path: Path) -> None:
    path = tmp_path / "h"
    alone = get_context("fork").Process(target=fill_the_disk, args=(path,))
    alone.start()
    alone.join()
    count, told, *_ = (tmp_path / "said").read_text().splitlines()
    assert "the history cannot be written" in told
    assert 0 < int(count) < 10
    assert path.read_bytes().endswith(b"}\n")
    assert len(read_history(path)) == int(count)
    recorded(path, "MN-20")  # there is room again
    assert said(path) == []
    assert len(read_history(path)) == int(count) + 1


def test_a_line_longer_than_any_event_is_no_history(tmp_path: Path) -> None:
    recorded(tmp_path / "h", "FO-01")
    with (tmp_path / "h").open("ab") as file:
        file.truncate(LONGEST_LINE * 2)
    with pytest.raises(BadEvidence, match="line 2 has more than 4194304 octets"):
        read_history(tmp_path / "h")


def test_a_history_of_gigabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    recorded(tmp_path / "h", "FO-01")
    os.truncate(tmp_path / "h", 8 << 30)
    with pytest.raises(BadEvidence, match="8589934592 octets, and a history has at most 67108864"):
        read_history(tmp_path / "h")


def test_a_file_of_nothing_but_damage_is_no_history(tmp_path: Path) -> None:
    (tmp_path / "h").write_bytes(b"\n" * 20_000)
    with pytest.raises(BadEvidence, match="more than 10000 damaged lines"):
        read_history(tmp_path / "h")


def test_an_event_that_nobody_could_read_is_not_recorded(tmp_path: Path) -> None:
    with History(tmp_path / "h") as history:
        with pytest.raises(BadEvidence, match="an event of 4194"):
            history.record(judged("x" * LONGEST_LINE))
        history.record(judged())
    assert (len(read_history(tmp_path / "h")), said(tmp_path / "h")) == (1, [])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"number":1', b'"number":' + b"9" * 1_000_000),
        (b'"number":1', b'"number":1e999'),
        (b'"number":1', b'"number":true'),
        (b'"number":1', b'"number":9223372036854775808'),
        (b'"number":1', b'"number":1,"more":' + b"[" * 100_000),
        (b'"asleep_ns":', b'"asleep_ns":-9999999999999999999'),
        (b'"requirement":"FO-01"', b'"requirement":"\\ud800"'),
        (b'"requirement":"FO-01"', b'"requirement":"\xff"'),
        (b'"at_ns":', b'"at_ns":9999'),
        (b'"uncertainty_ns":0', b'"uncertainty_ns":Infinity'),
        (b'"uncertainty_ns":0', b'"uncertainty_ns":NaN'),
        (b'"uncertainty_ns":0', b'"uncertainty_ns":1e999'),
        (b'"event":{', b'"event":[{'),
    ],
)
def test_a_line_with_values_that_no_event_has_is_damage(
    tmp_path: Path, old: bytes, new: bytes
) -> None:
    (line,) = recorded(tmp_path / "h", "FO-01")
    assert old in line
    (tmp_path / "h").write_bytes(line.replace(old, new, 1) + b"\n")
    (damage,) = said(tmp_path / "h")
    assert damage.startswith("history.jsonl:1: the ")


def test_a_part_of_a_recording_has_its_own_events_and_damage(tmp_path: Path) -> None:
    lines = recorded(tmp_path / "h", *(f"FO-0{n}" for n in range(1, 9)))
    (tmp_path / "h").write_bytes(b"".join(b"%s\n" % line for line in (*lines[:4], *lines[5:])))
    part = read_history(tmp_path / "h").between(3, 6)
    assert [one.requirement for one in part.of(Judged)] == ["FO-03", "FO-04", "FO-06", "FO-07"]
    assert (len(part), part[0].requirement, part[-1].requirement) == (4, "FO-03", "FO-07")
    assert [one.line for one in part[1:3]] == [4, 5]
    assert [one.line for one in part.damage] == [5]
    assert part.of(Judged, "another") == []
    assert part.hash_at(4) == line_hash(lines[3])
    assert part.hash_at(7) == ""
    smaller = part.between(1, 4)
    assert [one.requirement for one in smaller.of(Judged, "it")] == ["FO-03", "FO-04"]
    assert list(part.between(6, 3)) == []
