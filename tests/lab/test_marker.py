"""Whose a directory is, and whether its lab lives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab import marker, paths
from lab.errors import LabError


@pytest.fixture
def directory() -> Path:
    return paths.new_lab_directory("small")


def orphan() -> Path:
    """Return the lab of a process that has ended."""
    program = "import sys, lab.paths; sys.stdout.write(str(lab.paths.new_lab_directory('small')))"
    made = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return Path(made.stdout)


def owner(directory: Path) -> list[str]:
    return (directory / marker.MARKER).read_text().split()


def test_a_new_lab_is_private_marked_and_owned_by_this_process(directory: Path) -> None:
    assert directory.name.startswith("small-")
    assert directory.stat().st_mode & 0o7777 == 0o700
    assert marker.is_lab(directory)
    assert marker.owner_runs(directory)
    assert marker.lives(directory)


def test_without_its_marker_or_its_name_a_directory_is_no_lab(directory: Path) -> None:
    renamed = directory.rename(directory.with_name("Documents"))
    assert not marker.is_lab(renamed)
    back = renamed.rename(directory)
    (back / marker.MARKER).unlink()
    assert not marker.is_lab(back)
    with pytest.raises(LabError, match="is no lab's directory"):
        marker.require_lab(back)


def test_a_marker_that_is_a_link_or_a_directory_marks_nothing(
    directory: Path, tmp_path: Path
) -> None:
    real = (directory / marker.MARKER).rename(tmp_path / "elsewhere")
    (directory / marker.MARKER).symlink_to(real)
    assert not marker.is_lab(directory)
    (directory / marker.MARKER).unlink()
    (directory / marker.MARKER).mkdir()
    assert not marker.is_lab(directory)


def test_what_belongs_to_another_user_is_no_lab(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert not marker.is_lab(directory)


def test_a_lab_whose_maker_has_ended_has_no_owner_and_does_not_live() -> None:
    left = orphan()
    assert not marker.owner_runs(left)
    assert not marker.lives(left)


def test_a_lab_whose_maker_is_a_zombie_has_no_owner(directory: Path) -> None:
    _, _, boot = owner(directory)
    with subprocess.Popen(["true"]) as ended:
        stat = Path("/proc", str(ended.pid), "stat").read_text().rpartition(")")[2].split()
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        (directory / marker.MARKER).write_text(f"{ended.pid} {stat[19]} {boot}")
        assert not marker.owner_runs(directory)


@pytest.mark.parametrize("changed", [1, 2])
def test_another_process_with_the_owners_pid_is_not_the_owner(
    directory: Path, changed: int
) -> None:
    """It was started at another tick, or in another boot; no wall clock is asked."""
    fields = owner(directory)
    fields[changed] = "1" + fields[changed]
    (directory / marker.MARKER).write_text(" ".join(fields))
    assert not marker.owner_runs(directory)


@pytest.mark.parametrize("content", ["", "12", "some words here", "x 1.0", "-5 1 b", "1 None b"])
def test_a_marker_that_makes_no_sense_names_no_owner(directory: Path, content: str) -> None:
    (directory / marker.MARKER).write_text(content)
    assert marker.is_lab(directory)
    assert not marker.owner_runs(directory)


def test_a_lab_lives_while_somebody_holds_it() -> None:
    left = orphan()
    first, second = marker.hold(left), marker.hold(left)
    for held in (first, second):
        assert marker.lives(left)
        assert held is not None
        os.close(held)
    assert not marker.lives(left)


def test_what_is_held_cannot_be_seized_and_what_is_seized_is_given_back() -> None:
    left = orphan()
    held = marker.hold(left)
    assert held is not None
    with marker.seized(left) as free:
        assert not free
    os.close(held)
    with marker.seized(left) as free, marker.seized(left) as again:
        assert (free, again) == (True, False)
    with marker.seized(left) as free:
        assert free
