"""Snapshots at a power cut: whatever moment it comes at, the old one or the new one is whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from openvpnas import initialise, snapshot
from openvpnas.config import Config
from openvpnas.paths import Paths
from openvpnas.shelf import Shelf
from openvpnas.users import Users
from openvpnas.whole_file import write_whole
from power import Power

Carry = Callable[[Paths, Paths], None]


def cuts(root: Path, place: Path, act: Callable[[Paths], object]) -> Iterator[tuple[Power, Paths]]:
    """Do `act` on copies of a node, with the power failing at each of its steps in turn."""
    step = 0
    while True:
        paths = Paths(place / f"cut-{step}")
        shutil.copytree(root, paths.root, symlinks=True)
        power = Power(paths.root, step)
        with power.on():
            act(paths)
        if not power.failed:
            assert step > 10, "the work has fewer steps than it must have"
            return
        yield power, paths
        shutil.rmtree(paths.root)
        step += 1


@pytest.fixture
def ready(paths: Paths, standby: Paths, carry: Carry) -> tuple[snapshot.Manifest, ...]:
    """Give a standby that holds a snapshot, and a newer one that has just come in."""
    snapshot.begin_term(paths)
    paths.sessions.write_text("1\tconnect\talice\n")
    first = snapshot.make(paths)
    carry(paths, standby)
    snapshot.accept(standby)
    Users.at(paths).put("alice", "prop_autologin", "true")
    second = snapshot.make(paths)
    carry(paths, standby)
    return first, second


def test_a_snapshot_being_made_leaves_the_old_or_the_new_one_whole(paths: Paths, tmp_path: Path):
    old = snapshot.make(paths)
    Users.at(paths).put("alice", "prop_autologin", "true")
    found = []
    for _, node in cuts(paths.root, tmp_path, snapshot.make):
        found.append(snapshot.read(Shelf(node.outgoing).complete).id == old.id)
        assert snapshot.read(Shelf(node.outgoing).complete).id
        again = snapshot.make(node)
        assert snapshot.read(Shelf(node.outgoing).complete) == again
        assert len(list(node.outgoing.iterdir())) == 2
    assert found[0]
    assert not found[-1]
    assert found == sorted(found, reverse=True), "the old one came back"


def test_a_snapshot_being_accepted_leaves_the_old_or_the_new_one_whole(
    standby: Paths, tmp_path: Path, ready: tuple[snapshot.Manifest, ...]
):
    found = []
    for _, node in cuts(standby.root, tmp_path, snapshot.accept):
        staged = snapshot.staged(node)
        assert staged in ready
        found.append(ready.index(staged))
        assert snapshot.load_newer(node) == staged
        assert ("alice" in Users.at(node).properties()) == (staged == ready[1])
    assert (found[0], found[-1]) == (0, 1)
    assert found == sorted(found), "the old one came back"


@pytest.mark.parametrize("live", [True, False], ids=["with live data", "for the first time"])
def test_a_snapshot_being_loaded_leaves_the_old_or_the_new_data_whole(
    standby: Paths, tmp_path: Path, ready: tuple[snapshot.Manifest, ...], live: bool
):
    if live:
        snapshot.load_newer(standby)
        assert "alice" not in Users.at(standby).properties()
    snapshot.accept(standby)
    found = []
    for _, node in cuts(standby.root, tmp_path, snapshot.load_newer):
        snapshot.finish_interrupted_load(node)
        if live or node.databases.exists():
            found.append("alice" in Users.at(node).properties())
            assert Config.at(node).get("host.name") == "vpn.example.org"
        snapshot.load_newer(node)
        assert "alice" in Users.at(node).properties()
        assert node.sessions.read_text() == "1\tconnect\talice\n"
    assert found[-1]
    assert found == sorted(found), "the old data came back"


def test_what_is_being_finished_after_a_cut_may_be_cut_again(
    standby: Paths, tmp_path: Path, ready: tuple[snapshot.Manifest, ...]
):
    snapshot.load_newer(standby)
    snapshot.accept(standby)
    between = 0
    for _, node in cuts(standby.root, tmp_path, snapshot.load_newer):
        if node.databases.exists():
            continue
        between += 1
        for step in range(2):
            with Power(node.root, step).on():
                snapshot.finish_interrupted_load(node)
        snapshot.finish_interrupted_load(node)
        assert "alice" in Users.at(node).properties()
    assert between


def test_a_wipe_that_was_cut_brings_nothing_back(
    standby: Paths, tmp_path: Path, ready: tuple[snapshot.Manifest, ...]
):
    snapshot.load_newer(standby)
    shutil.copytree(standby.databases, standby.etc / "db.former")
    shutil.copytree(standby.databases, standby.etc / "db.new")
    (standby.etc / "db.new" / snapshot.COMPLETE).touch()
    for _, node in cuts(standby.root, tmp_path, initialise.wipe):
        before = node.databases.exists()
        snapshot.finish_interrupted_load(node)
        assert node.databases.exists() == before


def test_a_file_written_whole_is_the_old_or_the_new_one_after_a_cut(tmp_path: Path):
    file = tmp_path / "root" / "file"
    file.parent.mkdir()
    file.write_text("old")
    found = []
    for step in range(3):
        power = Power(file.parent, step)
        with power.on():
            write_whole(file, "new")
        assert power.failed
        found.append(file.read_text())
        file.write_text("old")
    assert found == ["old", "old", "new"]


def positions(power: Power, name: str, place: str) -> list[int]:
    return [
        number
        for number, (step, path) in enumerate(power.steps)
        if step == name and path.name == place
    ]


def test_nothing_old_goes_before_the_new_names_are_on_the_disk(
    standby: Paths, ready: tuple[snapshot.Manifest, ...]
):
    snapshot.load_newer(standby)
    power = Power(standby.root)
    with power.on():
        snapshot.accept(standby)
    (flip,) = positions(power, "replace", "complete")
    synced = next(at for at in positions(power, "fsync", "staging") if at > flip)
    removed = [at for at, (step, _) in enumerate(power.steps) if step in ("unlink", "rmdir")]
    of_the_old = [at for at in removed if f"snapshot-{ready[0].id}" in str(power.steps[at][1])]
    assert of_the_old
    assert min(of_the_old) > synced
    (named,) = positions(power, "rename", f"snapshot-{ready[1].id}")
    assert max(positions(power, "fsync", "incoming")) < named
    assert [at for at in positions(power, "fsync", "staging") if named < at < flip]

    power = Power(standby.root)
    with power.on():
        snapshot.load_newer(standby)
    (aside,) = positions(power, "rename", "db.former")
    (live,) = positions(power, "rename", "db")
    assert max(positions(power, "fsync", "db.new")) < aside
    assert [at for at in positions(power, "fsync", "etc") if aside < at < live]
    after = next(at for at in positions(power, "fsync", "etc") if at > live)
    gone = [at for at, (step, path) in enumerate(power.steps) if step == "rmdir" and at > aside]
    assert gone
    assert min(gone) > after


def test_a_node_that_gives_up_its_term_has_forgotten_what_was_staged_first(
    standby: Paths, ready: tuple[snapshot.Manifest, ...], monkeypatch: pytest.MonkeyPatch
):
    snapshot.load_newer(standby)
    snapshot.accept(standby)
    power = Power(standby.root)
    with power.on():
        snapshot.give_up_term(standby)
    assert [(step, path.name) for step, path in power.steps[:2]] == [
        ("unlink", "complete"),
        ("fsync", "staging"),
    ]
