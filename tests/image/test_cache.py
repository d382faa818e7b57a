"""The cache holds whole things, or nothing."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lab.cache import cache_root, content_key, locked, replacing, require_space
from lab.errors import ImageError
from lab.image.cache import entering, images_root
from lab.image.kept import Images
from tests.image.made import image, make


def test_the_environment_says_where_the_cache_is(cache: Path):
    assert cache_root() == cache


def test_an_image_enters_whole_and_read_only():
    made = make()
    assert made.disk.read_bytes() == b"\1" * 4096
    assert made.disk.stat().st_mode & 0o222 == 0


def test_an_interrupted_image_leaves_nothing():
    def interrupted() -> None:
        with entering(image()) as unfinished:
            (unfinished / "disk").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(images_root().iterdir()) == []


def test_the_next_attempt_removes_what_a_killed_one_left():
    left = images_root() / f".unfinished-{image().disk.parent.name}-abcd1234"
    left.mkdir()
    with entering(image()):
        assert not left.exists()


def killed_while_making(number: int) -> Path:
    """Return what a process left that was killed while it made an image."""
    program = f"""
import os
from tests.image.made import make
os.fsync = lambda _: os._exit(7)
make({number})
"""
    died = subprocess.run([sys.executable, "-c", program], check=False)
    assert died.returncode == 7
    (left,) = images_root().glob(f".unfinished-{image(number).disk.parent.name}-*")
    assert (left / "disk.qcow2").exists()
    return left


def test_what_was_killed_while_it_made_another_image_is_removed_too():
    left = killed_while_making(2)
    make(1)
    assert not left.exists()


def test_making_room_begins_with_what_was_left_unfinished():
    left = killed_while_making(2)
    Images().make_room(0, "nothing")
    assert not left.exists()


def test_an_image_that_is_being_made_is_left_alone_by_others():
    with entering(image(2)) as unfinished:
        for path in image(2).files:
            (unfinished / path.name).write_bytes(b"2")
        make(1)
        Images().make_room(0, "nothing")
        sweeping = "from tests.image.made import make; make(3)"
        subprocess.run([sys.executable, "-c", sweeping], check=True)
    assert {one.key[0] for one in Images()} == {"1", "2", "3"}


def test_what_is_only_called_like_an_unfinished_image_is_left_alone(tmp_path: Path):
    beside = images_root() / f".unfinished-{image().disk.parent.name}-abcdefgh"
    beside.mkdir()
    (beside / "disk.qcow2").touch()
    (tmp_path / "elsewhere").mkdir()
    link = images_root() / f".unfinished-{image().disk.parent.name}-12345678"
    link.symlink_to(tmp_path / "elsewhere")
    make()
    Images().make_room(0, "nothing")
    assert (beside / "disk.qcow2").exists()
    assert link.is_symlink()
    assert Images().left_alone() == [link, beside]


def test_an_image_has_its_name_when_all_of_it_is_on_the_disk(monkeypatch: pytest.MonkeyPatch):
    order: list[str] = []
    place = image().disk.parent

    def fsync(handle: int) -> None:
        name = Path(f"/proc/self/fd/{handle}").readlink().name
        order.append(re.sub(r"^\.unfinished-.*", "its directory", name))
        assert place.exists() == (name == "images")

    monkeypatch.setattr(os, "fsync", fsync)
    make()
    assert order == ["disk.qcow2", "initrd", "kernel", "image.json", "its directory", "images"]


@pytest.mark.parametrize("fault", ["os.fsync", "pathlib.Path.rename"])
def test_an_image_that_a_full_disk_cut_short_is_not_there(
    fault: str, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as disk:
        disk.setattr(fault, full)
        with pytest.raises(OSError, match="No space left"):
            make()
    assert list(image().disk.parent.parent.glob("*")) == []


@pytest.mark.parametrize("died_in", ["os.fsync", "pathlib.Path.rename"])
def test_who_dies_while_an_image_enters_leaves_none(died_in: str):
    program = f"""
import os, pathlib
from tests.image.made import make
{died_in} = lambda *_: os._exit(7)
make()
"""
    died = subprocess.run([sys.executable, "-c", program], check=False)
    assert died.returncode == 7
    assert Images().find(image(), print) is None
    make()
    assert Images().find(image(), print) == image()
    assert [path.name for path in images_root().iterdir()] == [image().disk.parent.name]


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_images_that_others_could_put_there_are_refused(mode: int):
    images_root().chmod(mode)
    with pytest.raises(ImageError, match="others may write to it"):
        images_root()


def test_the_directory_of_images_is_ones_own(monkeypatch: pytest.MonkeyPatch):
    images_root()
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(ImageError, match=r"belongs to uid .* runs as 12345"):
        images_root()


def test_keys_tell_parts_apart_that_read_the_same_in_a_row():
    assert content_key("ab", "c") != content_key("a", "bc")


def test_too_little_room_says_how_much_is_needed(tmp_path: Path):
    with pytest.raises(ImageError, match=r"needs 1000000000 MiB .* MiB are free"):
        require_space(tmp_path, 10**9, "a large thing")


def test_a_second_process_waits_for_the_lock(cache: Path):
    program = "from lab.cache import locked\nwith locked('image'): print('in', flush=True)"
    with locked("image"):
        second = subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE,
            env={**os.environ, "VPNPROOF_CACHE": str(cache)},
        )
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(0.5)
    assert second.communicate(timeout=20)[0] == b"in\n"


def test_a_replaced_file_keeps_its_old_content_when_writing_fails(tmp_path: Path):
    path = tmp_path / "file"
    path.write_text("old")

    def failing() -> None:
        with replacing(path) as partial:
            partial.write_text("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        failing()
    assert path.read_text() == "old"
    assert list(tmp_path.glob(".file*")) == []


def test_a_replaced_file_is_on_the_disk_before_its_name_and_the_name_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "file"
    path.write_text("old")
    order: list[str] = []

    def fsync(handle: int) -> None:
        synced = Path(f"/proc/self/fd/{handle}").readlink()
        content = "" if synced.is_dir() else f" {synced.read_text()}"
        order.append(f"{'directory' if synced.is_dir() else 'file'}{content}, {path.read_text()}")

    monkeypatch.setattr(os, "fsync", fsync)
    with replacing(path) as partial:
        partial.write_text("new")
    assert order == ["file new, old", "directory, new"]


@pytest.mark.parametrize("fault", ["os.fsync", "pathlib.Path.replace"])
def test_a_full_disk_leaves_the_old_file_and_no_other(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "file"
    path.write_text("old")
    with monkeypatch.context() as disk:
        disk.setattr(fault, full)
        with pytest.raises(OSError, match="No space left"), replacing(path) as partial:
            partial.write_text("new")
    assert path.read_text() == "old"
    assert list(tmp_path.glob("*file*")) == [path]


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("died_in", ["os.fsync", "pathlib.Path.replace"])
def test_who_dies_while_replacing_leaves_the_old_file(died_in: str, tmp_path: Path):
    path = tmp_path / "file"
    path.write_text("old")
    program = f"""
import os, pathlib, sys
from lab.cache import replacing
{died_in} = lambda *_: os._exit(7)
with replacing(pathlib.Path(sys.argv[1])) as partial:
    partial.write_text("new")
"""
    died = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert died.returncode == 7
    assert path.read_text() == "old"
