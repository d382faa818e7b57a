"""`python -m lab images`: what it shows, removes and forgets."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from rich.console import Console

from lab import cli
from lab.image.catalogue import read
from lab.image.checksum import Published
from lab.image.kept import Images
from lab.image.pins import pin, pins
from lab.paths import new_lab_directory
from tests.image.made import checkpoint_on, make, stand_on

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_console", Console(width=200, soft_wrap=True))


def test_without_images_it_says_so(capsys: Capture):
    assert cli.main(["images"]) == 0
    assert capsys.readouterr().out == f"no images in {Images().directory}\n"


def test_a_path_with_markup_in_it_is_shown_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture
):
    monkeypatch.setenv("VPNPROOF_CACHE", str(tmp_path / "[/red]"))
    for what in ("images", "checkpoints"):
        assert cli.main([what]) == 0
        assert "[/red]" in capsys.readouterr().out


def test_it_shows_key_name_size_age_and_users(capsys: Capture):
    then = time.time() - 7300
    one = make(1, kib=2048, used=then)
    checkpoint_on(one, "f" * 32)
    lab = new_lab_directory("pair")
    stand_on(one, lab)
    make(2)
    assert cli.main(["images"]) == 0
    _, first, second, total = capsys.readouterr().out.splitlines()
    assert first.split() == [
        *("1" * 12, "debian-12", "6", "0", "s", "2", "h"),
        *(f"{lab.name},", "f" * 12),
    ]
    assert second.split() == ["2" * 12, "debian-12", "0", "0", "s", "0", "s"]
    assert total == f"0.0 of 10 GiB in {Images().directory}"


def test_it_shows_and_removes_what_is_of_no_use(capsys: Capture):
    (make(1).disk.parent / "image.json").unlink()
    assert cli.main(["images"]) == 0
    assert "of no use" in capsys.readouterr().out
    assert cli.main(["images", "--remove", "1111"]) == 0
    assert list(Images()) == []


def test_it_removes_one(capsys: Capture):
    made = make(1)
    assert cli.main(["images", "--remove", "111"]) == 0
    assert capsys.readouterr().out == f"removed {made.disk.parent.name}\n"
    assert not made.disk.exists()


def test_it_refuses_to_remove_one_in_use(capsys: Capture):
    made = make(1)
    checkpoint_on(made, "f" * 32)
    assert cli.main(["images", "--remove", "111"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert f"error: image {made.disk.parent.name} is in use by ffffffffffff\nhint: " in said.err
    assert made.disk.exists()


def test_removing_all_says_what_was_kept_and_why(capsys: Capture):
    kept, gone = make(1), make(2)
    checkpoint_on(kept, "f" * 32)
    assert cli.main(["images", "--remove", "all"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"removed {gone.disk.parent.name}",
        f"kept {kept.disk.parent.name}: in use by ffffffffffff",
    ]


def test_it_shows_what_is_pinned_and_forgets_it_when_told(capsys: Capture):
    pin(read()["centos-stream-9"], Published("ab" * 32))
    assert cli.main(["images"]) == 0
    assert "centos-stream-9 is pinned to what was seen on 20" in capsys.readouterr().out
    assert cli.main(["images", "--unpin", "centos-stream-9"]) == 0
    assert capsys.readouterr().out == f"forgot centos-stream-9: {'ab' * 32}\n"
    assert pins() == {}
    assert cli.main(["images", "--unpin", "centos-stream-9"]) == 1
    assert os.linesep in capsys.readouterr().err
