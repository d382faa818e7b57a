"""The parts of a run: which there are, and that each keeps its own history and names."""

from __future__ import annotations

from pathlib import Path

import pytest

from evidence.errors import Absent, BadEvidence
from evidence.events.hosts import PartsJudged
from evidence.events.takeover import LogLine
from evidence.history import History
from evidence.parts import parts_of, read_histories


def log(directory: Path, *texts: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    with History(directory / "history.jsonl") as history:
        for text in texts:
            history.record(LogLine(source="controller", file="log", text=text))


def test_a_run_of_one_machine_is_one_part(tmp_path: Path) -> None:
    log(tmp_path, "one")
    histories = read_histories(tmp_path)
    assert not histories.over_hosts
    assert [(part.host, part.prefix, part.directory) for part, _ in histories] == [
        ("", "", tmp_path)
    ]
    assert histories.own[0].place == "history.jsonl:1"


def test_a_run_over_hosts_has_a_part_each_beside_its_own(tmp_path: Path) -> None:
    log(tmp_path, "home")
    for host in ("beta", "alpha"):
        log(tmp_path / "hosts" / host, "one", "two")
    histories = read_histories(tmp_path)
    assert [part.host for part, _ in histories] == ["", "alpha", "beta"]
    assert histories.recordings["hosts/beta/"][1].place == "hosts/beta/history.jsonl:2"
    stretch = histories.recordings["hosts/beta/"].between(2, 2)
    assert (stretch.part, len(stretch)) == ("hosts/beta/", 1)


def test_damage_is_named_by_its_part(tmp_path: Path) -> None:
    log(tmp_path, "home")
    beta = tmp_path / "hosts" / "beta"
    log(beta, "one", "two", "three")
    lines = (beta / "history.jsonl").read_bytes().splitlines(keepends=True)
    (beta / "history.jsonl").write_bytes(lines[0] + lines[2][:-20])
    (damage,) = read_histories(tmp_path).recordings["hosts/beta/"].damage
    assert str(damage) == "hosts/beta/history.jsonl:2: the line is torn: its end is missing"
    assert damage.is_torn_end


def test_what_is_begun_only_and_what_is_no_directory_is_no_part(tmp_path: Path) -> None:
    (tmp_path / "hosts" / ".beta.part").mkdir(parents=True)
    (tmp_path / "hosts" / "hosts.toml").write_text("")
    assert [part.host for part in parts_of(tmp_path)] == [""]


def test_a_file_in_the_place_of_hosts_is_no_part(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("")
    assert len(parts_of(tmp_path)) == 1


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hosts").mkdir()
    (tmp_path / "hosts" / "beta").symlink_to(tmp_path)
    with pytest.raises(BadEvidence, match="is a link"):
        parts_of(tmp_path)


def test_a_run_needs_a_history_of_its_own_and_a_part_none(tmp_path: Path) -> None:
    (tmp_path / "hosts" / "beta").mkdir(parents=True)
    with pytest.raises(Absent):
        read_histories(tmp_path)
    log(tmp_path, "home")
    assert len(read_histories(tmp_path).recordings["hosts/beta/"]) == 0


def test_what_there_was_before_a_line_is_told_by_the_run_itself(tmp_path: Path) -> None:
    for host in ("alpha", "beta"):
        log(tmp_path / "hosts" / host, "one", "two", "three")
    log(tmp_path, "home")
    with History(tmp_path / "history.jsonl") as history:
        history.record(PartsJudged(source="judge", lines={"beta": 2}))
    log(tmp_path, "later")
    before = read_histories(tmp_path).before(3)
    lengths = {part.host: len(recording) for part, recording in before}
    assert lengths == {"": 2, "alpha": 0, "beta": 2}
