"""`python -m lab checkpoints`: what it shows and removes."""

from __future__ import annotations

import os
import time

import pytest
from rich.console import Console

from lab import cli
from lab.checkpoint import Store
from lab.paths import new_lab_directory
from tests.checkpoint.pretend import key, make, stand_on

Capture = pytest.CaptureFixture[str]


def test_without_checkpoints_it_says_so(store: Store, capsys: Capture) -> None:
    assert cli.main(["checkpoints"]) == 0
    assert capsys.readouterr().out == f"no checkpoints in {store.directory}\n"


def test_it_shows_label_size_age_family_and_users(
    store: Store, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "_console", Console(width=200, soft_wrap=True))
    make(store, 1, kib=2048)
    made = make(store, 16**31, parents=(1,))
    lab = stand_on(new_lab_directory("pair"), 16**31)
    then = time.time() - 7300
    os.utime(made.directory / "used", (then, then))
    assert cli.main(["checkpoints"]) == 0
    first, second = capsys.readouterr().out.splitlines()[1:3]
    assert first.split()[:4] == ["100000000000", "label", str(16**31), "0"]
    assert first.split()[-4:] == ["2", "h", "000000000000", lab.name]
    assert second.split()[:4] == ["000000000000", "label", "1", "2"]
    assert second.split()[-1] == "100000000000"


def test_it_shows_what_is_of_no_use(store: Store, capsys: Capture) -> None:
    (make(store, 1).directory / "checkpoint.json").unlink()
    assert cli.main(["checkpoints"]) == 0
    assert "of no use" in capsys.readouterr().out
    assert cli.main(["checkpoints", "--remove", "0000"]) == 0
    assert store.unreadable == []


def test_it_removes_one(store: Store, capsys: Capture) -> None:
    make(store, 1)
    assert cli.main(["checkpoints", "--remove", key(1)]) == 0
    assert capsys.readouterr().out == "removed 000000000000\n"
    assert store.find(key(1)) is None


def test_it_refuses_to_remove_one_in_use(store: Store, capsys: Capture) -> None:
    make(store, 1)
    lab = stand_on(new_lab_directory("pair"), 1)
    assert cli.main(["checkpoints", "--remove", key(1)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert f"error: checkpoint 000000000000 is in use by {lab.name}\nhint: " in said.err
    assert store.find(key(1)) is not None


def test_removing_all_says_what_was_kept_and_why(store: Store, capsys: Capture) -> None:
    make(store, 1)
    make(store, 16**31)
    lab = stand_on(new_lab_directory("pair"), 1)
    assert cli.main(["checkpoints", "--remove", "all"]) == 0
    assert capsys.readouterr().out == (
        f"removed 100000000000\nkept 000000000000: in use by {lab.name}\n"
    )


def test_gc_removes_what_was_left_half_made(store: Store, capsys: Capture) -> None:
    (store.directory / ".unfinished-left").mkdir()
    assert cli.main(["gc"]) == 0
    assert capsys.readouterr().out == "removed .unfinished-left\n"
    assert not (store.directory / ".unfinished-left").exists()
