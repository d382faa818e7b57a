"""What is not as it was frozen is named, set aside, and never thawed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.checkpoint import Checkpoint, CheckpointDamaged, Store
from lab.checkpoint import manifest as manifest_module
from lab.quiet import quiet
from tests.checkpoint.pretend import key, make


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def memory(made: Checkpoint) -> Path:
    return made.memory("one")


def flip_a_byte(made: Checkpoint) -> str:
    flip(memory(made))
    return "one.save: its content has changed"


def flip_a_byte_and_hide_it(made: Checkpoint) -> str:
    times = memory(made).stat()
    flip(memory(made))
    os.utime(memory(made), ns=(times.st_atime_ns, times.st_mtime_ns))
    return "one.save: its content has changed"


def cut_a_file(made: Checkpoint) -> str:
    os.truncate(memory(made), 100)
    return "one.save: 100 bytes, expected 4096"


def lose_a_file(made: Checkpoint) -> str:
    made.disk("one").unlink()
    return "one.qcow2: No such file or directory"


def cut_the_manifest(made: Checkpoint) -> str:
    os.truncate(made.directory / "checkpoint.json", 200)
    return "checkpoint.json is not what was written"


def change_the_manifest(made: Checkpoint) -> str:
    path = made.directory / "checkpoint.json"
    path.write_text(path.read_text().replace("AAAA", "AAAB"))
    return "checkpoint.json is not what was written"


def lose_the_manifest(made: Checkpoint) -> str:
    (made.directory / "checkpoint.json").unlink()
    return "checkpoint.json cannot be read: No such file"


def rewrite(made: Checkpoint, **changes: object) -> None:
    path = made.directory / "checkpoint.json"
    text = json.dumps(json.loads(path.read_text()) | changes).encode()
    path.write_bytes(text)
    (made.directory / "checkpoint.sha256").write_bytes(manifest_module._line_of(text))


def be_of_another_format(made: Checkpoint) -> str:
    rewrite(made, format=99)
    return "format 99"


def be_of_another_version(made: Checkpoint) -> str:
    rewrite(made, parents=5)
    return "is of another version"


def be_another_one(made: Checkpoint) -> str:
    rewrite(made, key=key(7))
    return f"key {key(7)}"


def rebuild_the_image(made: Checkpoint) -> str:
    made.manifest.image[0].write_bytes(b"an Image")
    return "image: its content has changed"


DAMAGE = [
    flip_a_byte,
    flip_a_byte_and_hide_it,
    cut_a_file,
    lose_a_file,
    cut_the_manifest,
    change_the_manifest,
    lose_the_manifest,
    be_of_another_format,
    be_of_another_version,
    be_another_one,
    rebuild_the_image,
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_named_and_set_aside(store: Store, damage: Callable[[Checkpoint], str]) -> None:
    expected = damage(make(store, 1))
    with pytest.raises(CheckpointDamaged) as found:
        store.find(key(1))
    assert key(1)[:12] in found.value.message
    assert expected in found.value.message
    assert str(store.directory / ".damaged") in found.value.hint
    assert (store.directory / ".damaged").is_dir()
    assert store.find(key(1)) is None


def test_what_was_set_aside_can_be_made_again(store: Store) -> None:
    flip_a_byte(make(store, 1))
    with pytest.raises(CheckpointDamaged):
        store.find(key(1))
    make(store, 1)
    assert store.find(key(1)) is not None


def test_one_damaged_checkpoint_is_kept_for_a_look(store: Store) -> None:
    for number in (1, 2):
        lose_a_file(make(store, number))
        with pytest.raises(CheckpointDamaged):
            store.find(key(number))
    assert [path.name for path in store.unreadable] == [".damaged"]


def test_other_times_with_the_same_content_are_no_damage(store: Store) -> None:
    made = make(store, 1)
    memory(made).touch()
    copied = memory(made).read_bytes()
    made.disk("one").unlink()
    made.disk("one").write_bytes(b"disk")
    found = store.find(key(1))
    assert found is not None
    assert memory(found).read_bytes() == copied


def test_within_a_boot_of_this_host_untouched_files_are_not_read(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(store, 1)
    read: list[Path] = []
    genuine = manifest_module._crc32
    monkeypatch.setattr(
        manifest_module, "_crc32", lambda path: (read.append(path), genuine(path))[1]
    )
    assert store.find(key(1)) is not None
    assert read == []


def test_after_another_boot_of_this_host_everything_is_read_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(store, 1)
    monkeypatch.setattr(manifest_module, "_boot_id", lambda: "another")
    read: list[str] = []
    genuine = manifest_module._crc32
    monkeypatch.setattr(
        manifest_module, "_crc32", lambda path: (read.append(path.name), genuine(path))[1]
    )
    assert store.find(key(1)) is not None
    assert sorted(read) == ["image", "one.qcow2", "one.save"]
    assert store.find(key(1)) is not None
    assert len(read) == 3


def test_it_is_read_while_nothing_is_timed_in_a_lab_and_with_the_store_free_until_then(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(store, 1)
    make(store, 2, parents=(1,))
    store.find(key(2))
    with quiet(Path("/labs/timed")):
        assert store.find(key(2)) is not None  # nothing to be read: nobody waits
    (store.directory / key(1) / "used").write_text("another boot")
    with ThreadPoolExecutor(1) as pool:
        with quiet(Path("/labs/timed")):
            waiting = pool.submit(lambda: Store().find(key(2)))
            with pytest.raises(TimeoutError):
                waiting.result(0.3)
            assert len(store.unreadable) == 0
            make(store, 3)
            store.remove(key(3))
        assert waiting.result(10) is not None


def test_one_whose_parent_is_gone_is_not_thawed(store: Store) -> None:
    parent = make(store, 1)
    make(store, 2, parents=(1,))
    for path in sorted(parent.directory.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    parent.directory.rmdir()
    with pytest.raises(CheckpointDamaged, match=f"{key(1)[:12]}, which it stands on, is gone"):
        store.find(key(2))
    assert store.find(key(2)) is None


def test_of_a_family_the_one_that_is_damaged_is_kept_for_a_look(store: Store) -> None:
    parent = make(store, 1)
    make(store, 2, parents=(1,))
    flip_a_byte(parent)
    with pytest.raises(CheckpointDamaged, match=r"one\.save: its content has changed"):
        store.find(key(2))
    assert list(store) == []
    assert key(1) in (store.directory / ".damaged" / "checkpoint.json").read_text()
