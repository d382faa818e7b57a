"""Images are found sound or not at all, and go when nobody stands on them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.errors import ImageError
from lab.image import kept, manifest
from lab.image.cache import Image, entering
from lab.image.kept import Images
from lab.image.place import MARKER
from lab.paths import new_lab_directory
from tests.image.made import checkpoint_on, image, make, stand_on

GIB = 2**30


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let each test begin as a process that stands on nothing, and end as one."""
    monkeypatch.setattr(kept, "_kept", {})
    yield
    for handle in kept._kept.values():
        os.close(handle)


def find(number: int = 1) -> tuple[Image | None, list[str]]:
    said: list[str] = []
    return Images().find(image(number), said.append), said


def let_go() -> None:
    """Stand on nothing, as after the end of the process."""
    for place in list(kept._kept):
        kept._let_go(place)


def overwrite(path: Path, content: bytes) -> None:
    """Write into a file as somebody would who means to hide it: its mtime stays."""
    before = path.stat()
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(content)
    path.chmod(0o444)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def read_again(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gets the name of each file whose content is read from now on."""
    names: list[str] = []
    real = manifest._sha256
    monkeypatch.setattr(manifest, "_sha256", lambda path: (names.append(path.name), real(path))[1])
    return names


def test_what_was_made_is_found(cache: Path):
    made = make()
    assert find() == (made, [])


def test_what_was_never_made_is_not():
    assert find() == (None, [])


def test_an_empty_disk_is_not_taken_for_an_image():
    made = make()
    made.disk.chmod(0o644)
    os.truncate(made.disk, 0)
    found, (said,) = find()
    assert found is None
    assert "disk.qcow2: 0 bytes, expected 4096; it is made anew" in said


@pytest.mark.parametrize("name", ["disk.qcow2", "kernel", "initrd"])
def test_one_changed_byte_is_noticed_though_size_and_mtime_are_as_they_were(name: str):
    made = make()
    assert find()[0] is not None
    let_go()
    overwrite(made.disk.parent / name, b"!")
    found, (said,) = find()
    assert found is None
    assert f"{name}: its content has changed" in said


@pytest.mark.parametrize("name", ["disk.qcow2", "kernel", "initrd"])
def test_a_missing_file_is_noticed(name: str):
    (make().disk.parent / name).unlink()
    found, (said,) = find()
    assert found is None
    assert f"{name}: No such file or directory; it is made anew" in said


def test_what_is_damaged_is_kept_for_a_look_and_its_place_is_free():
    made = make()
    overwrite(made.disk, b"!")
    find()
    let_go()
    assert (Images().directory / ".damaged" / "disk.qcow2").read_bytes()[:1] == b"!"
    assert not made.disk.parent.exists()
    make()
    assert find()[0] == made
    let_go()
    assert [one.key for one in Images()] == [made.key, "damaged"]
    assert Images().remove(made.key[:12]) == made.disk.parent.name
    assert Images().remove("damaged") == ".damaged"


def test_an_image_without_a_manifest_is_of_no_use():
    made = make()
    (made.disk.parent / "image.json").unlink()
    found, (said,) = find()
    assert found is None
    assert "it has no manifest" in said


def test_the_manifest_of_another_image_is_none():
    made, other = make(1, content=b"!"), make(2, content=b"!")
    (made.disk.parent / "image.json").unlink()
    (other.disk.parent / "image.json").rename(made.disk.parent / "image.json")
    assert find()[0] is None


def test_an_image_that_never_had_a_kernel_is_none_that_is_started_by_one():
    wanted = image()
    with entering(Image(wanted.name, wanted.family, wanted.key, wanted.disk)) as unfinished:
        (unfinished / "disk.qcow2").write_bytes(b"disk")
    assert find()[0] is None


def test_a_disk_that_belongs_to_somebody_else_is_refused(monkeypatch: pytest.MonkeyPatch):
    make()
    real = Path.lstat

    def lstat(path: Path) -> os.stat_result:
        found = real(path)
        strange = path.name == "disk.qcow2"
        return os.stat_result((*found[:4], found[4] + 1, *found[5:])) if strange else found

    monkeypatch.setattr(Path, "lstat", lstat)
    with pytest.raises(ImageError, match=r"disk\.qcow2: it belongs to uid"):
        find()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("name", ["", "image.json", "disk.qcow2", "kernel", "initrd"])
def test_what_root_did_not_make_root_does_not_use(name: str):
    given_away = make().disk.parent / name
    os.chown(given_away, 65534, 65534)
    with pytest.raises(ImageError, match="belongs to uid 65534, and this runs as 0"):
        find()


def test_what_another_user_made_by_its_manifest_is_refused():
    place = make().disk.parent
    path = place / "image.json"
    path.chmod(0o644)
    path.write_text(path.read_text().replace(f'"owner":{os.geteuid()}', '"owner":54321'))
    path.write_text(path.read_text().replace(f'"owner": {os.geteuid()}', '"owner": 54321'))
    with pytest.raises(ImageError, match="made by uid 54321"):
        find()


@pytest.mark.parametrize("name", ["", "image.json", "disk.qcow2"])
def test_what_others_may_write_to_is_refused(name: str):
    path = make().disk.parent / name
    path.chmod(path.stat().st_mode | 0o022)
    with pytest.raises(ImageError, match="others may write to it"):
        find()


def test_a_link_to_a_disk_is_no_disk(tmp_path: Path):
    made = make()
    made.disk.rename(tmp_path / "elsewhere")
    made.disk.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ImageError, match="neither a file nor a directory"):
        find()


def test_everything_is_read_once_a_boot_and_then_only_what_was_touched(
    monkeypatch: pytest.MonkeyPatch,
):
    made = make()
    names = read_again(monkeypatch)
    assert find()[0] == made
    assert sorted(names) == ["disk.qcow2", "initrd", "kernel"]
    names.clear()
    assert find()[0] == made
    assert names == []
    overwrite(made.kernel, b"\1")
    assert find()[0] == made
    assert names == ["kernel"]
    names.clear()
    monkeypatch.setattr(manifest, "_boot_id", lambda: "another boot")
    assert find()[0] == made
    assert sorted(names) == ["disk.qcow2", "initrd", "kernel"]


def test_what_changes_while_it_is_read_is_read_again(monkeypatch: pytest.MonkeyPatch):
    made = make()
    real = manifest._sha256

    def slow(path: Path) -> str:
        digest = real(path)
        if path.name == "disk.qcow2":
            overwrite(path, b"!")
        return digest

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(manifest, "_sha256", slow)
        assert find()[0] == made
    let_go()
    assert find()[0] is None


def test_a_damaged_image_below_a_lab_stays_where_it_is():
    made = make()
    lab = new_lab_directory("pair")
    stand_on(made, lab)
    overwrite(made.disk, b"!")
    with pytest.raises(ImageError, match=f"content has changed; and it is in use by {lab.name}"):
        find()
    assert made.disk.exists()


def test_a_damaged_image_that_another_process_stands_on_stays_where_it_is():
    made = make()
    with another_process():
        overwrite(made.disk, b"!")
        with pytest.raises(ImageError, match="in use by another process"):
            find()
    assert find()[0] is None


@contextmanager
def another_process() -> Iterator[None]:
    """Let another process find the image and go on, while the block runs."""
    program = (
        "import sys; from tests.image.test_kept import find; print(find()[0]); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline().startswith(b"debian-12")
        yield
        other.communicate(timeout=20)


def test_an_image_is_removed_by_the_beginning_of_its_key():
    make(1)
    two = make(2)
    assert Images().remove("22") == two.disk.parent.name
    assert [one.key[0] for one in Images()] == ["1"]


@pytest.mark.parametrize(("key", "said"), [("9", "no image '9'"), ("", "2 images begin")])
def test_a_key_that_is_not_one_images_removes_nothing(key: str, said: str):
    make(1)
    make(2)
    with pytest.raises(ImageError, match=said):
        Images().remove(key)
    assert len(list(Images())) == 2


def test_what_is_found_is_kept_by_the_process_until_its_end():
    make()
    with another_process():
        with pytest.raises(ImageError, match="in use by another process"):
            Images().remove("1")
        assert Images().remove_all() == []
    assert len(Images().remove_all()) == 1


def test_what_a_running_qemu_has_open_is_kept_wherever_its_lab_lies(tmp_path: Path):
    made = make()
    overlay = stand_on(made, tmp_path / "a lab elsewhere")
    with subprocess.Popen(
        ["qemu-io", str(overlay)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as qemu:
        assert qemu.stdin is not None
        assert qemu.stdout is not None
        qemu.stdin.write(b"length\n")
        qemu.stdin.flush()
        qemu.stdout.readline()
        with pytest.raises(ImageError, match="in use by another process"):
            Images().remove("1")
        qemu.communicate(b"quit\n", timeout=20)
    Images().remove("1")


def test_what_a_lab_or_a_checkpoint_stands_on_is_kept():
    checkpoint_on(make(1), "f" * 32)
    lab = new_lab_directory("pair")
    stand_on(make(2), lab)
    three = make(3)
    with pytest.raises(ImageError, match="in use by ffffffffffff"):
        Images().remove("1")
    with pytest.raises(ImageError, match=f"in use by {lab.name}"):
        Images().remove("2")
    assert Images().remove_all() == [three.disk.parent.name]


def test_an_image_that_is_reached_by_a_link_is_stood_on_all_the_same(tmp_path: Path):
    made = make()
    (tmp_path / "scratch").symlink_to(Images().directory)
    linked = tmp_path / "scratch" / made.disk.parent.name / "disk.qcow2"
    stand_on(Image("debian-12", "debian", made.key, linked), new_lab_directory("pair"))
    assert Images().remove_all() == []


def test_room_is_made_by_what_was_used_longest_ago():
    now = time.time()
    make(1, kib=1024, used=now - 10)
    make(2, kib=1024, used=now - 30)
    make(3, kib=1024, used=now - 20)
    used = sum(one.size for one in Images())
    Images(limit_gib=used / GIB).make_room(4096, "another")
    assert [one.key[0] for one in Images()] == ["1", "3"]


def test_what_is_of_no_use_goes_first():
    now = time.time()
    make(1, used=now - 1000)
    (make(2, used=now).disk.parent / "image.json").unlink()
    used = sum(one.size for one in Images())
    Images(limit_gib=used / GIB).make_room(4096, "another")
    assert [one.key[0] for one in Images()] == ["1"]


def test_what_is_used_outlives_what_is_not():
    now = time.time()
    make(1, used=now - 30)
    make(2, used=now - 10)
    find(1)
    let_go()
    used = sum(one.size for one in Images())
    Images(limit_gib=used / GIB).make_room(4096, "another")
    assert [one.key[0] for one in Images()] == ["1"]


def test_an_image_is_used_whenever_it_is_found():
    made = make()
    find()
    os.utime(made.disk.parent / manifest.SEEN, (1, 1))
    find()
    (held,) = Images()
    assert held.used > time.time() - 100


def test_where_no_room_can_be_made_nothing_is_removed():
    checkpoint_on(make(1, kib=1024), "f" * 32)
    make(2)
    with pytest.raises(ImageError, match=r"no room for another .* may hold 0\.001 GiB") as wrong:
        Images(limit_gib=0.001).make_room(2**20, "another")
    assert "VPNPROOF_IMAGES_GIB" in wrong.value.hint
    assert len(list(Images())) == 2


@pytest.mark.parametrize("limit", ["many", "-1", "nan"])
def test_a_limit_is_a_number(limit: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VPNPROOF_IMAGES_GIB", limit)
    with pytest.raises(ImageError, match=f"VPNPROOF_IMAGES_GIB is '{limit}'"):
        Images()


def test_the_limit_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    assert Images().limit_gib == kept.DEFAULT_LIMIT_GIB
    monkeypatch.setenv("VPNPROOF_IMAGES_GIB", "0.5")
    assert Images().limit_gib == 0.5


def test_what_lies_beside_images_is_not_touched():
    (Images().directory / "holiday").mkdir()
    (Images().directory / "holiday" / "photo").touch()
    (Images().directory / "debian-12-0123456789abcdef").touch()  # by name an image, and a file
    make()
    assert len(Images().remove_all()) == 1
    left = {path.name for path in Images().directory.iterdir()}
    assert left == {"holiday", "debian-12-0123456789abcdef"}


def of_a_version_before_markers(made: Image) -> Image:
    (made.disk.parent / MARKER).unlink()
    return made


def not_ours(name: str) -> Path:
    """Make what is called as something of ours, and is somebody else's."""
    place = Images().directory / name
    place.mkdir()
    (place / "disk.qcow2").write_bytes(b"theirs")
    os.utime(place, (1, 1))
    return place


STRANGE = ["debian-12-0123456789abcdef", ".damaged", ".gone-abcdefgh"]


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_only_called_like_one_of_ours_is_not_removed(name: str):
    strange = not_ours(name)
    made = make(1, kib=1024)
    used = sum(one.size for one in Images())
    with pytest.raises(ImageError, match="no room"):
        Images(limit_gib=used / GIB).make_room(2 * used, "another")
    Images(limit_gib=used / GIB).make_room(4096, "another")
    assert not made.disk.exists()
    make()
    assert Images().remove_all() == [made.disk.parent.name]
    for key in ("0123", name):
        with pytest.raises(ImageError, match="there is no image"):
            Images().remove(key)
    assert (strange / "disk.qcow2").read_bytes() == b"theirs"
    assert Images().left_alone() == [strange]


def test_a_link_that_is_called_like_an_image_leads_nowhere(tmp_path: Path):
    made = make()
    elsewhere = tmp_path / "elsewhere"
    made.disk.parent.rename(elsewhere)
    made.disk.parent.symlink_to(elsewhere)
    assert Images().remove_all() == []
    assert (elsewhere / "disk.qcow2").exists()


def test_what_is_in_the_place_of_an_image_is_left_alone_and_named():
    place = not_ours(image().disk.parent.name)
    with pytest.raises(ImageError, match="nothing in it says that it is ours") as wrong:
        find()
    assert "nothing in it was touched" in wrong.value.hint
    assert (place / "disk.qcow2").read_bytes() == b"theirs"


def test_a_damaged_image_does_not_take_the_place_of_what_is_not_ours():
    strange, made = not_ours(".damaged"), make()
    overwrite(made.disk, b"!")
    with pytest.raises(ImageError, match="nothing in it says that it is ours"):
        find()
    assert (strange / "disk.qcow2").read_bytes() == b"theirs"
    assert made.disk.exists()


def test_an_image_of_a_version_before_markers_is_found_and_gets_one():
    made = of_a_version_before_markers(make())
    assert find() == (made, [])
    assert (made.disk.parent / MARKER).is_file()


def test_an_image_of_a_version_before_markers_is_removed_as_any_other():
    made = of_a_version_before_markers(make())
    assert Images().left_alone() == []
    assert Images().remove("111") == made.disk.parent.name
    assert list(Images().directory.iterdir()) == []


def test_a_manifest_of_another_image_makes_nothing_ours():
    made, other = make(1), of_a_version_before_markers(make(2))
    (other.disk.parent / "image.json").unlink()
    (made.disk.parent / "image.json").rename(other.disk.parent / "image.json")
    assert other.disk.parent.name not in Images().remove_all()
    assert other.disk.exists()


def test_what_of_an_image_was_not_removed_to_its_end_is_gone_with_the_next():
    made = make()
    half = Images().directory / ".gone-abcdefgh"
    made.disk.parent.rename(half)
    (half / "image.json").unlink()
    (Images().directory / ".gone-12345678").mkdir()  # killed before anything was moved there
    make(2)
    Images().remove("2")
    assert list(Images().directory.iterdir()) == []


def test_a_removal_that_is_cut_short_leaves_what_is_known_to_be_ours(
    monkeypatch: pytest.MonkeyPatch,
):
    make()

    def refused(path: Path, **_: object) -> None:
        raise PermissionError(path)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(os, "unlink", refused)
        meanwhile.setattr(Path, "unlink", refused)
        Images().remove("1")
    (left,) = Images().directory.iterdir()
    assert (left / MARKER).is_file()
    make(2)
    Images().remove("2")
    assert list(Images().directory.iterdir()) == []
