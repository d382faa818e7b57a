"""A checkpoint on its way to another host: it stands on the image alone there."""

from __future__ import annotations

import fcntl
import io
import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.cache import cache_root
from lab.checkpoint import Store, travel
from lab.checkpoint.freeze import freeze
from lab.checkpoint.manifest import Checkpoint
from lab.checkpoint.saveimage import SaveImage
from lab.errors import LabError
from tests.checkpoint.pretend import PretendLab


@pytest.fixture
def image(tmp_path: Path) -> Path:
    place = tmp_path / "cache" / "images" / "debian-12-0123"
    place.mkdir(parents=True)
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", str(place / "disk.qcow2"), "8M"], check=True
    )
    write(place / "disk.qcow2", 0x11, "0")
    for name in ("kernel", "initrd"):
        (place / name).write_text(name)
    return place / "disk.qcow2"


def write(disk: Path, byte: int, where: str) -> None:
    subprocess.run(
        ["qemu-io", "-f", "qcow2", "-c", f"write -P {byte} {where} 64k", str(disk)],
        check=True,
        capture_output=True,
    )


def content(disk: Path) -> bytes:
    raw = disk.with_name("raw")
    subprocess.run(["qemu-img", "convert", "-O", "raw", str(disk), str(raw)], check=True)
    return raw.read_bytes()


@pytest.fixture
def frozen(image: Path) -> Checkpoint:
    """Return a checkpoint on another, which lies on the image; each has written to the disks."""
    lab = PretendLab(image)
    lab.image = SimpleNamespace(
        disk=image,
        key="k",
        family="debian",
        kernel=image.parent / "kernel",
        initrd=image.parent / "initrd",
        append="",
    )
    (lab.directory / "keys" / "content").chmod(0o600)
    write(lab.placement("one").disk, 0x22, "64k")
    freeze(lab, {"it is": "below"}, "below")  # type: ignore[arg-type]
    write(lab.placement("one").disk, 0x33, "128k")
    return freeze(lab, {"it is": "above"}, "above")  # type: ignore[arg-type]


def sent(checkpoint: Checkpoint) -> bytes:
    to = io.BytesIO()
    travel.send(checkpoint, to)
    return to.getvalue()


@pytest.fixture
def other(image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make this another host from now on, with a copy of the image, and return where it is."""
    there = tmp_path / "other" / "images" / image.parent.name
    shutil.copytree(image.parent, there)
    return there / image.name


def be(other: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("VPNPROOF_CACHE", str(other.parents[2]))
    return Store()


def test_a_checkpoint_arrives_whole_and_stands_on_the_image_alone(
    frozen: Checkpoint, image: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert frozen.manifest.parents
    expected = content(frozen.disk("one"))
    assert {expected[at << 16] for at in range(3)} == {0x11, 0x22, 0x33}
    parcel = sent(frozen)
    store = be(other, monkeypatch)
    travel.receive(frozen.key, io.BytesIO(parcel), store)
    shutil.rmtree(image.parent)
    shutil.rmtree(frozen.directory.parent)
    found = store.find(frozen.key)
    assert found is not None
    assert found.directory.is_relative_to(other.parents[2])
    assert found.manifest.parents == ()
    assert found.manifest.image[0] == other
    assert found.manifest.label == "above"
    assert content(found.disk("one")) == expected
    saved = SaveImage.read(found.memory("one"))
    assert f"<kernel>{other.parent}/kernel</kernel>" in saved.xml
    assert f"<initrd>{other.parent}/initrd</initrd>" in saved.xml
    assert found.memory("one").read_bytes()[saved.memory_offset :] == b"memory of one"


def test_what_is_there_already_is_left_as_it_is(frozen: Checkpoint) -> None:
    before = (frozen.directory / "checkpoint.json").read_bytes()
    travel.receive(frozen.key, io.BytesIO(sent(frozen)), Store())
    assert (frozen.directory / "checkpoint.json").read_bytes() == before


def test_another_build_of_the_image_does_not_carry_it(
    frozen: Checkpoint, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parcel = sent(frozen)
    write(other, 0x44, "256k")
    store = be(other, monkeypatch)
    with pytest.raises(LabError, match="image that it lies on is not the one here"):
        travel.receive(frozen.key, io.BytesIO(parcel), store)
    other.unlink()
    with pytest.raises(LabError, match="image that it lies on is not the one here"):
        travel.receive(frozen.key, io.BytesIO(parcel), store)
    assert not [path for path in store.directory.iterdir() if not path.name.startswith(".")]


def test_a_parcel_that_is_damaged_or_another_leaves_nothing_behind(
    frozen: Checkpoint, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parcel = sent(frozen)
    store = be(other, monkeypatch)
    with pytest.raises(LabError, match="was asked for"):
        travel.receive("f" * 32, io.BytesIO(parcel), store)
    for cut in (10, len(parcel) // 2, len(parcel) - 100):
        with pytest.raises(LabError):
            travel.receive(frozen.key, io.BytesIO(parcel[:cut]), store)
    assert not [path for path in store.directory.iterdir() if path.name[0] != "."]
    assert not list(store.directory.glob(".unfinished-*"))


@pytest.mark.parametrize("name", ["../x", "memory/../../x", "/x", "elsewhere/x", "memory"])
def test_files_go_nowhere_but_into_a_checkpoint(
    frozen: Checkpoint, other: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    own = frozen.manifest.files
    told = frozen.manifest.model_copy(
        update={"files": {name: next(iter(own.values()))}, "parents": ()}
    )
    with pytest.raises(LabError, match="is no name of a file"):
        travel._manifest(frozen.key, json.dumps(json.loads(told.model_dump_json())).encode())


def test_what_came_is_for_nobody_else_to_read(
    frozen: Checkpoint, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parcel = sent(frozen)
    store = be(other, monkeypatch)
    travel.receive(frozen.key, io.BytesIO(parcel), store)
    keys = store.directory / frozen.key / "keys" / "content"
    assert keys.stat().st_mode & 0o777 == 0o600


def test_without_room_for_flat_disks_nothing_is_sent(
    frozen: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(travel, "_FLAT_MIB", 1 << 40)
    to = io.BytesIO()
    with pytest.raises(LabError, match="sending a checkpoint needs"):
        travel.send(frozen, to)
    assert not to.getvalue()


def test_what_a_killed_sender_left_goes_and_what_another_uses_stays(frozen: Checkpoint) -> None:
    left, used = cache_root() / "flat-left", cache_root() / "flat-used"
    for folder in (left, used):
        folder.mkdir()
        (folder / "disk.qcow2").touch()
        (folder / ".in-use").touch()
    with (used / ".in-use").open() as in_use:
        fcntl.flock(in_use, fcntl.LOCK_EX)
        sent(frozen)
    assert [path.name for path in cache_root().glob("flat-*")] == ["flat-used"]
    assert (used / "disk.qcow2").exists()


def test_a_folder_of_somebody_else_stays_whatever_its_name(frozen: Checkpoint) -> None:
    plans, marked = cache_root() / "flat-plans", cache_root() / "flat-marked"
    for folder in (plans, marked):
        folder.mkdir()
        (folder / "of the kitchen").touch()
    (marked / ".in-use").touch()
    sent(frozen)
    assert (plans / "of the kitchen").exists()
    assert (marked / "of the kitchen").exists()
