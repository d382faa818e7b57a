"""The store: complete or nothing, bounded, and nothing removed that is stood on."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab import marker
from lab.checkpoint import NoRoom, Store
from lab.checkpoint import store as store_module
from lab.errors import LabError
from lab.paths import new_lab_directory
from tests.checkpoint.pretend import key, make, manifest, stand_on

GIB = 2**30


def present(store: Store) -> list[int]:
    return [int(checkpoint.key, 16) for checkpoint in store]


def age(store: Store, number: int, used: float) -> None:
    os.utime(store.directory / key(number) / "used", (used, used))


def test_what_was_completed_is_found(store: Store) -> None:
    made = make(store, 1)
    found = Store().find(key(1))
    assert found is not None
    assert found.manifest == made.manifest
    assert found.memory("one").read_bytes() == bytes([1]) * 4096
    assert found.disk("one").read_bytes() == b"disk"


@pytest.mark.parametrize("mode", [0o770, 0o702])
def test_a_directory_that_others_may_write_to_is_refused(store: Store, mode: int) -> None:
    """What is thawed names the program that runs it."""
    store.directory.chmod(mode)
    with pytest.raises(LabError, match=r"cannot be trusted.*others may write to it"):
        Store()
    store.directory.chmod(0o700)
    Store()


@pytest.mark.parametrize("asked", [key(2), "", ".", "..", "label 1"])
def test_what_was_never_made_is_not_found(store: Store, asked: str) -> None:
    make(store, 1)
    assert store.find(asked) is None
    assert present(store) == [1]


def test_what_was_not_completed_leaves_nothing(store: Store) -> None:
    with store.making(key(1)) as fresh:
        assert fresh is not None
        (fresh / "memory" / "one.save").write_bytes(b"half")
    assert store.find(key(1)) is None
    assert not list(store.directory.glob(".unfinished-*"))


def killed_while(doing: str) -> None:
    """Run Python in another process that kills itself at the end."""
    script = (
        "import os, signal\n"
        "from lab.checkpoint import Store\n"
        "from tests.checkpoint.pretend import *\n"
        f"{doing}\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    project = Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", script], cwd=project, check=False)
    assert ended.returncode == -signal.SIGKILL


def test_one_that_is_killed_while_making_leaves_nothing_that_is_found(store: Store) -> None:
    killed_while(
        "with Store().making(key(1)) as fresh:\n"
        "    (fresh / 'memory' / 'one.save').write_bytes(b'half')"
    )
    assert store.find(key(1)) is None
    assert present(store) == []
    assert len(list(store.directory.glob(".unfinished-*"))) == 1
    make(store, 2)
    assert not list(store.directory.glob(".unfinished-*"))


def test_what_was_abandoned_is_removed_also_without_making_another(store: Store) -> None:
    killed_while("with Store().making(key(1)) as fresh:")
    removed = store.remove_abandoned()
    assert [name.startswith(".unfinished-") for name in removed] == [True]
    assert store.remove_abandoned() == []


def test_what_another_process_is_making_is_not_taken_for_abandoned(store: Store) -> None:
    with store.making(key(1)) as fresh:
        assert fresh is not None
        assert Store().remove_abandoned() == []
        assert fresh.exists()


def test_of_two_that_make_the_same_the_second_waits_and_takes_the_first_ones(store: Store) -> None:
    began, seen = threading.Event(), []

    def second() -> None:
        began.set()
        with Store().making(key(1)) as fresh:
            seen.append(fresh)

    other = threading.Thread(target=second)
    with store.making(key(1)) as fresh:
        assert fresh is not None
        other.start()
        began.wait()
        below = store.directory / "image"
        below.write_bytes(b"")
        store.complete(fresh, manifest(1, below))
        assert seen == []
    other.join()
    assert seen == [None]


def test_the_least_recently_used_goes_first(store: Store) -> None:
    for number in (1, 2, 3):
        make(store, number, kib=1024)
        age(store, number, 1000.0 + number)
    age(store, 1, 2000.0)
    bounded = Store(limit_gib=3.5 / 1024)
    make(bounded, 4, kib=1024)
    assert present(store) == [1, 3, 4]


def test_finding_one_counts_as_using_it(store: Store) -> None:
    make(store, 1)
    age(store, 1, 1000.0)
    found = store.find(key(1))
    assert found is not None
    assert found.used > 1000.0


def test_a_parent_goes_only_after_its_children(store: Store) -> None:
    make(store, 1, kib=1024)
    make(store, 2, parents=(1,), kib=1024)
    make(store, 3, kib=1024)
    for number, used in ((1, 1.0), (2, 3.0), (3, 2.0)):
        age(store, number, used)
    make(Store(limit_gib=3.5 / 1024), 4, kib=1024)
    assert present(store) == [1, 2, 4]
    make(Store(limit_gib=2.5 / 1024), 5, kib=1024)
    assert present(store) == [4, 5]


def test_what_a_lab_stands_on_stays_whichever_of_its_templates(store: Store) -> None:
    for number in (1, 2, 3):
        make(store, number, kib=1024)
        age(store, number, float(number))
    stand_on(new_lab_directory("failover"), 1, 2)
    make(Store(limit_gib=3.5 / 1024), 4, kib=1024)
    assert present(store) == [1, 2, 4]


def test_what_can_be_read_no_more_goes_before_all_others(store: Store) -> None:
    make(store, 1, kib=1024)
    make(store, 2, kib=1024)
    age(store, 1, 1.0)
    (store.directory / key(2) / "checkpoint.json").write_text("{}")
    assert [path.name for path in store.unreadable] == [key(2)]
    make(Store(limit_gib=2.5 / 1024), 3, kib=1024)
    assert present(store) == [1, 3]
    assert store.unreadable == []


def test_what_fits_nowhere_is_refused_and_removes_nothing(store: Store) -> None:
    make(store, 1, kib=1024)
    small = Store(limit_gib=0.5)
    with (
        pytest.raises(NoRoom, match=r"no room .* of 1\.0 GiB") as refused,
        small.making(key(2), GIB),
    ):
        pass
    assert "VPNPROOF_CHECKPOINTS_GIB" in refused.value.hint
    assert present(store) == [1]


def test_the_disk_is_never_filled(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    make(store, 1, kib=1024)
    usage = SimpleNamespace(free=int(2.5 * GIB))
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(NoRoom), store.making(key(2), GIB):
        pass
    assert present(store) == [1]
    with store.making(key(2), GIB // 2) as fresh:
        assert fresh is not None
    assert present(store) == [1]


def test_the_limit_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Store().limit_gib == 20
    monkeypatch.setenv("VPNPROOF_CHECKPOINTS_GIB", "1.5")
    assert Store().limit_gib == 1.5
    assert Store(limit_gib=0).limit_gib == 0


@pytest.mark.parametrize("wrong", ["much", "-1", "nan"])
def test_a_limit_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("VPNPROOF_CHECKPOINTS_GIB", wrong)
    with pytest.raises(LabError, match="VPNPROOF_CHECKPOINTS_GIB is") as refused:
        Store()
    assert "GiB" in refused.value.hint


def test_a_disk_that_takes_nothing_is_said_before_any_machine_is_stopped(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store_module.tempfile, "mkdtemp", full)
    with pytest.raises(NoRoom, match="No space left"), store.making(key(1)):
        pass


def test_one_is_removed_by_the_beginning_of_its_key(store: Store) -> None:
    make(store, 1)
    make(store, 16**31)
    assert store.remove("1") == key(16**31)
    assert present(store) == [1]


def test_a_key_that_several_begin_with_removes_none(store: Store) -> None:
    make(store, 1)
    make(store, 2)
    with pytest.raises(LabError, match="2 checkpoints begin with '0'"):
        store.remove("0")
    with pytest.raises(LabError, match="there is no checkpoint 'f'") as refused:
        store.remove("f")
    assert key(1)[:12] in refused.value.hint
    assert present(store) == [1, 2]


def test_one_in_use_is_not_removed_and_says_by_whom(store: Store) -> None:
    make(store, 1)
    make(store, 16**31, parents=(1,))
    lab = stand_on(new_lab_directory("pair"), 16**31)
    with pytest.raises(LabError, match=f"is in use by {lab.name}"):
        store.remove(key(16**31))
    with pytest.raises(LabError, match=f"is in use by {key(16**31)[:12]}"):
        store.remove(key(1))
    assert present(store) == [1, 16**31]


def test_removing_all_keeps_what_labs_stand_on(store: Store) -> None:
    make(store, 1)
    make(store, 2, parents=(1,))
    make(store, 3)
    make(store, 4, parents=(3,))
    stand_on(new_lab_directory("pair"), 2)
    assert sorted(store.remove_all()) == [key(3), key(4)]
    assert present(store) == [1, 2]


def test_what_a_lab_of_another_directory_stands_on_is_not_removed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(store, 1)
    lab = stand_on(new_lab_directory("pair"), 1)
    monkeypatch.setenv("VPNPROOF_LABS", str(tmp_path / "others"))
    with pytest.raises(LabError, match=f"is in use by {lab}"):
        store.remove(key(1))
    assert store.remove_all() == []
    with pytest.raises(NoRoom), Store(limit_gib=0).making(key(2), 1024):
        pass
    assert present(store) == [1]


def test_a_lab_whose_owner_ended_holds_what_it_stands_on_while_it_runs(store: Store) -> None:
    make(store, 1)
    script = (
        "import sys\n"
        "from lab.paths import new_lab_directory\n"
        "from tests.checkpoint.pretend import stand_on\n"
        "sys.stdout.write(str(stand_on(new_lab_directory('pair'), 1)))\n"
    )
    project = Path(__file__).parents[2]
    told = subprocess.run(
        [sys.executable, "-c", script], cwd=project, capture_output=True, text=True, check=True
    )
    lab = Path(told.stdout)
    held = marker.hold(lab)  # as its wire and its guardian do
    assert held is not None
    with pytest.raises(LabError, match=f"is in use by {lab.name}"):
        store.remove(key(1))
    os.close(held)
    assert store.remove(key(1)) == key(1)


def test_what_a_lab_stood_on_before_it_was_frozen_is_its_own_no_more(store: Store) -> None:
    make(store, 1)
    make(store, 2)
    lab = new_lab_directory("pair")
    stand_on(lab, 1)
    stand_on(lab, 2)
    assert store.users(key(1)) == []
    assert store.users(key(2)) == [lab.name]


def test_a_note_that_makes_no_sense_keeps_nothing(store: Store) -> None:
    make(store, 1)
    stand_on(new_lab_directory("pair"), 2)
    (note,) = (store.directory / ".labs").iterdir()
    for content in ("", "[]", '{"lab": 5}', "[" * 100):
        note.write_text(content)
        assert store.users(key(1)) == []
    assert store.remove(key(1)) == key(1)


@pytest.mark.parametrize(
    "others",
    [["letter.txt"], [".unfinished-letter/dear.txt"], [f"{key(7)}/model.bin"], [".damaged/x"]],
)
def test_a_directory_that_holds_other_things_is_no_store(tmp_path: Path, others: list[str]) -> None:
    for name in others:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("dear")
    with pytest.raises(LabError, match="is no directory of checkpoints, it holds"):
        Store(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [
        tmp_path / name for name in others
    ]


def test_a_store_of_before_there_were_markers_is_taken(store: Store) -> None:
    make(store, 1)
    killed_while("with Store().making(key(2)) as fresh:")
    (store.directory / ".vpnproof-checkpoints").unlink()
    assert present(Store()) == [1]
    assert (store.directory / ".vpnproof-checkpoints").exists()
