"""Removing a lab: all of it, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lab import marker, paths
from lab.errors import LabError
from lab.removal import remove, remove_files


@pytest.fixture
def directory() -> Path:
    return paths.new_lab_directory("small")


def test_a_lab_is_removed_with_all_that_lies_in_it(directory: Path) -> None:
    (directory / "disks").mkdir()
    (directory / "disks" / "one.qcow2").touch()
    (directory / "wire.log").touch()
    remove_files(directory)
    assert not directory.exists()
    assert paths.remove_unfinished() == []


def test_what_a_link_points_at_stays(directory: Path, tmp_path: Path) -> None:
    outside = tmp_path / "projects"
    outside.mkdir()
    (outside / "letter.txt").write_text("dear")
    (directory / "disks").symlink_to(outside)
    (directory / "log").mkdir()
    (directory / "log" / "here").symlink_to(outside)
    (directory / "lab.json").symlink_to(outside / "letter.txt")
    remove_files(directory)
    assert not directory.exists()
    assert (outside / "letter.txt").read_text() == "dear"


@pytest.mark.parametrize("lacks", ["marker", "name", "both"])
def test_what_is_no_lab_is_not_touched(directory: Path, lacks: str) -> None:
    (directory / "letter.txt").write_text("dear")
    if lacks != "name":
        (directory / marker.MARKER).unlink()
    if lacks != "marker":
        directory = directory.rename(directory.with_name("Documents"))
    for act in (remove, remove_files):
        with pytest.raises(LabError, match="is no lab's directory"):
            act(directory)
    assert (directory / "letter.txt").read_text() == "dear"


def test_a_link_to_a_lab_is_not_followed(directory: Path, tmp_path: Path) -> None:
    elsewhere = directory.rename(tmp_path / directory.name)
    directory.symlink_to(elsewhere)
    with pytest.raises(LabError, match="is no lab's directory"):
        remove(directory)
    assert marker.is_lab(elsewhere)


def test_a_removal_that_was_cut_short_is_gone_on_with(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        (directory / name).mkdir()

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    steps = {
        "shutil.rmtree": [directory],
        "pathlib.Path.rename": [directory],
        "pathlib.Path.rmdir": [],
    }
    for step, left in steps.items():
        with monkeypatch.context() as patch:
            patch.setattr(step, killed)
            with pytest.raises(KeyboardInterrupt):
                remove(directory)
        assert list(paths.lab_directories()) == left
    assert paths.remove_unfinished() == [f".{directory.name}.unfinished"]


def test_what_cannot_be_removed_is_named_and_the_lab_stays_ours(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str, **_: object) -> None:
        raise PermissionError(1, "Operation not permitted", name)

    (directory / "disks").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", refuse)
        with pytest.raises(LabError, match="Operation not permitted: 'disks'"):
            remove(directory)
    assert list(paths.lab_directories()) == [directory]


def test_a_lab_that_somebody_removed_already_is_no_trouble(directory: Path) -> None:
    remove(directory)
    remove(directory)
    remove_files(directory)
