"""Freezing and thawing: what is done in which order, and what a failure leaves."""

from __future__ import annotations

import contextlib
import errno
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.checkpoint import (
    FreezeFailed,
    NoRoom,
    Store,
    ThawFailed,
    freeze,
    key_of,
    stands_on,
    thaw,
)
from lab.checkpoint.rewind import rewind
from lab.clock import NS, ClockOffset
from lab.errors import DeadlinePassed, MachineError
from lab.machine import Machine
from lab.quiet import quiet
from lab.timing import Kind, Recorder
from tests.checkpoint.pretend import TCG, PretendLab, PretendMachine, key, make, stand_on

MADE_OF = {"topology": "pair"}


@pytest.fixture(autouse=True)
def greeted(monkeypatch: pytest.MonkeyPatch) -> dict[str, Path | None]:
    """Return by which channel each machine was greeted."""
    channels: dict[str, Path | None] = {}

    def greet(machine: PretendMachine, channel: Path | None) -> ClockOffset:
        channels[machine.name] = channel
        return machine.behind

    monkeypatch.setitem(thaw.__globals__, "greet", greet)
    return channels


@pytest.fixture
def thawed(monkeypatch: pytest.MonkeyPatch, blank_disk: Path) -> Iterator[PretendLab]:
    """Make the lab that the next thaw makes."""
    lab = PretendLab(blank_disk)
    for kind in ("keys", "seeds", "disks"):
        for path in (lab.directory / kind).iterdir():
            path.unlink()
        (lab.directory / kind).rmdir()

    @contextlib.contextmanager
    def assembling(*_: object) -> Iterator[object]:
        yield lab.directory, lambda _host_keys: lab

    monkeypatch.setitem(thaw.__globals__, "assembling", assembling)
    return lab


def freeze_and_thaw(lab: PretendLab) -> None:
    checkpoint = freeze(lab, MADE_OF, "two machines")
    thaw(checkpoint, lab.image, TCG)


def left_unfinished(store: Store) -> list[Path]:
    return [*store.directory.glob(".unfinished-*")]


def test_the_wire_and_all_machines_stop_before_any_is_put_away(lab: PretendLab) -> None:
    freeze(lab, MADE_OF, "two machines", keep_running=False)
    told = [method for method, _ in lab.hypervisor.told]
    assert told == ["pause", "pause", "save", "save"]
    assert lab.wire.told == ["pause"]


def test_a_checkpoint_holds_memory_disks_keys_seeds_and_what_was_attached(
    lab: PretendLab, store: Store, tmp_path: Path
) -> None:
    (tmp_path / "notes.json").write_text("noted")
    (tmp_path / "transcripts").mkdir()
    (tmp_path / "transcripts" / "one.log").write_text("typed")
    disk = (lab.directory / "disks" / "one.qcow2").read_bytes()
    freeze(
        lab,
        MADE_OF,
        "two machines",
        attach={"notes": tmp_path / "notes.json", "typed": tmp_path / "transcripts"},
    )
    found = store.find(key_of(MADE_OF))
    assert found is not None
    assert found.memory("one").read_bytes().endswith(b"memory of one")
    assert found.disk("one").read_bytes() == disk
    assert (found.directory / "keys" / "content").read_text() == "keys"
    assert (found.directory / "seeds" / "content").read_text() == "seeds"
    assert found.attachment("notes").read_text() == "noted"
    assert (found.attachment("typed") / "one.log").read_text() == "typed"
    assert found.manifest.host_keys == {"one": "key of one", "two": "key of two"}
    assert found.manifest.label == "two machines"


def test_a_frozen_lab_goes_on_upon_its_own_checkpoint(
    lab: PretendLab, greeted: dict[str, Path | None]
) -> None:
    frozen = freeze(lab, MADE_OF, "two machines")
    assert stands_on(lab) == frozen.key
    assert {name for method, name in lab.hypervisor.told if method == "resume"} == {"one", "two"}
    assert lab.wire.told == ["pause", "resume"]
    assert str(frozen.disk("one")).encode() in (lab.directory / "disks/one.qcow2").read_bytes()
    assert set(greeted) == {"one", "two"}


def test_a_checkpoint_names_all_that_its_lab_stood_on(lab: PretendLab, store: Store) -> None:
    make(store, 1, image=lab.image.disk)
    make(store, 2, image=lab.image.disk)
    stand_on(lab.directory, 1, 2)
    assert freeze(lab, MADE_OF, "two machines").manifest.parents == (key(1), key(2))


def test_what_another_process_froze_meanwhile_leaves_the_lab_untouched(
    lab: PretendLab, blank_disk: Path
) -> None:
    first = freeze(PretendLab(blank_disk), MADE_OF, "two machines")
    assert freeze(lab, MADE_OF, "two machines").directory == first.directory
    assert lab.hypervisor.told == []
    assert lab.wire.told == []
    assert stands_on(lab) is None


def test_without_room_the_lab_is_untouched(
    lab: PretendLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VPNPROOF_CHECKPOINTS_GIB", "0.001")
    with pytest.raises(NoRoom):
        freeze(lab, MADE_OF, "two machines")
    assert lab.hypervisor.told == []
    assert lab.wire.told == []


@pytest.mark.parametrize("method", ["pause", "save"])
def test_a_libvirt_that_refuses_leaves_no_checkpoint_and_says_why(
    lab: PretendLab, store: Store, method: str
) -> None:
    lab.hypervisor.breaks[method, "two"] = MachineError("cannot save: No space left on device")
    with pytest.raises(FreezeFailed, match=r"pair could not be frozen.*No space left"):
        freeze(lab, MADE_OF, "two machines")
    assert store.find(key_of(MADE_OF)) is None
    assert left_unfinished(store) == []
    assert stands_on(lab) is None


@pytest.mark.parametrize("step", ["shutil.move", "shutil.copytree"])
def test_a_disk_that_fills_up_leaves_no_checkpoint_and_says_so(
    lab: PretendLab, store: Store, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(step, full)
    with pytest.raises(FreezeFailed, match="No space left"):
        freeze(lab, MADE_OF, "two machines")
    assert store.find(key_of(MADE_OF)) is None
    assert left_unfinished(store) == []


def test_a_disk_that_fills_up_with_the_last_file_leaves_no_checkpoint(
    lab: PretendLab, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    lab.hypervisor.save = lambda _name, path: path.touch()  # type: ignore[method-assign]
    with pytest.raises(FreezeFailed, match="No space left"):
        freeze(lab, MADE_OF, "two machines")
    assert list(store) == []
    assert left_unfinished(store) == []


def test_a_lab_that_does_not_go_on_is_lost_but_its_checkpoint_is_not(
    lab: PretendLab, store: Store
) -> None:
    lab.hypervisor.breaks["restore", "one"] = MachineError("cannot restore")
    with pytest.raises(FreezeFailed, match="cannot restore"):
        freeze(lab, MADE_OF, "two machines")
    assert store.find(key_of(MADE_OF)) is not None


def test_ctrl_c_in_the_middle_leaves_no_checkpoint(lab: PretendLab, store: Store) -> None:
    lab.hypervisor.breaks["save", "one"] = KeyboardInterrupt()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        freeze(lab, MADE_OF, "two machines")
    assert list(store) == []
    assert left_unfinished(store) == []


def test_a_thawed_lab_has_disks_of_its_own_on_the_frozen_ones(
    lab: PretendLab, thawed: PretendLab, store: Store
) -> None:
    freeze_and_thaw(lab)
    frozen = store.find(key_of(MADE_OF))
    assert frozen is not None
    assert stands_on(thawed) == frozen.key
    for name in ("one", "two"):
        own = thawed.directory / "disks" / f"{name}.qcow2"
        assert str(frozen.disk(name)).encode() in own.read_bytes()
        assert str(own) in thawed.hypervisor.placed[name]
        assert str(lab.directory) not in thawed.hypervisor.placed[name]
    assert (thawed.directory / "keys" / "content").read_text() == "keys"


def test_a_thawed_lab_hears_nothing_of_its_former_run(lab: PretendLab, thawed: PretendLab) -> None:
    freeze_and_thaw(lab)
    assert thawed.wire.told == ["pause", "resume as new"]


def test_no_thawed_machine_runs_before_the_last_is_there(
    lab: PretendLab, thawed: PretendLab
) -> None:
    freeze_and_thaw(lab)
    told = [method for method, _ in thawed.hypervisor.told]
    assert told == ["restore", "restore", "resume", "resume"]


def test_the_wire_forwards_before_a_thawed_machine_runs(
    lab: PretendLab, thawed: PretendLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen = freeze(lab, MADE_OF, "two machines")
    told: list[str] = []
    thawed.wire.told = told
    monkeypatch.setattr(thawed.hypervisor, "resume", lambda name: told.append(f"{name} runs"))
    thaw(frozen, lab.image, TCG)
    assert told == ["pause", "resume as new", "one runs", "two runs"]


def test_a_thaw_waits_until_nothing_is_timed_in_another_lab(
    lab: PretendLab, thawed: PretendLab
) -> None:
    frozen = freeze(lab, MADE_OF, "two machines")
    with ThreadPoolExecutor(1) as pool:
        with quiet(Path("/another/lab")):
            waiting = pool.submit(thaw, frozen, lab.image, TCG)
            with pytest.raises(TimeoutError):
                waiting.result(0.3)
            assert thawed.hypervisor.told == []
            assert list(thawed.directory.glob("[a-z]*")) == []  # nor is anything copied
        waiting.result(10)
    assert ("resume", "two") in thawed.hypervisor.told


def test_the_labs_clock_is_kept_such_that_it_is_true_of_each_machine(
    lab: PretendLab, thawed: PretendLab
) -> None:
    thawed.machines["two"].behind = ClockOffset(62 * NS, NS // 2)
    freeze_and_thaw(lab)
    assert thawed.clock == ClockOffset.spanning(
        [machine.behind for machine in thawed.machines.values()]
    )


def test_a_thawed_machine_is_greeted_by_its_own_channel(
    lab: PretendLab, thawed: PretendLab, greeted: dict[str, Path | None]
) -> None:
    freeze_and_thaw(lab)
    assert greeted == {
        name: thawed.directory / "consoles" / f"{name}.agent" for name in ("one", "two")
    }


def test_one_without_an_agent_is_greeted_without(
    lab: PretendLab, thawed: PretendLab, greeted: dict[str, Path | None], store: Store
) -> None:
    lab.machines["one"].has_agent = False
    freeze_and_thaw(lab)
    frozen = store.find(key_of(MADE_OF))
    assert frozen is not None
    assert frozen.manifest.agents == ("two",)
    assert greeted["one"] is None
    assert greeted["two"] is not None


@pytest.mark.parametrize("error", [MachineError("cannot restore"), DeadlinePassed("waited")])
def test_one_that_does_not_come_to_life_is_named(
    lab: PretendLab, thawed: PretendLab, error: Exception
) -> None:
    thawed.hypervisor.breaks["restore", "two"] = error
    frozen = freeze(lab, MADE_OF, "two machines")
    with pytest.raises(ThawFailed, match=f"checkpoint {frozen.key[:12]} cannot be thawed"):
        thaw(frozen, lab.image, TCG)


def test_a_manifest_is_plain_json(lab: PretendLab) -> None:
    frozen = freeze(lab, MADE_OF, "two machines")
    told = json.loads((frozen.directory / "checkpoint.json").read_text())
    assert told["ingredients"] == MADE_OF
    assert set(told["files"]) >= {"memory/one.save", "disks/two.qcow2", "keys/content"}


def test_a_thaw_and_a_rewind_are_recorded_as_such(
    lab: PretendLab, thawed: PretendLab, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Machine, "kill", lambda _machine: None)
    checkpoint = freeze(lab, MADE_OF, "two machines")
    assert recorder.take().shares[Kind.THAW].count == 0
    thaw(checkpoint, lab.image, TCG)
    rewind(thawed, checkpoint)
    assert recorder.take().shares[Kind.THAW].count == 2


def test_a_rewind_waits_with_its_lab_untouched_until_nothing_is_timed_in_another(
    lab: PretendLab, thawed: PretendLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[object] = []
    monkeypatch.setattr(Machine, "kill", killed.append)
    checkpoint = freeze(lab, MADE_OF, "two machines")
    thaw(checkpoint, lab.image, TCG)
    thawed.wire.told.clear()
    with ThreadPoolExecutor(1) as pool:
        with quiet(Path("/another/lab")):
            waiting = pool.submit(rewind, thawed, checkpoint)
            with pytest.raises(TimeoutError):
                waiting.result(0.3)
            assert (thawed.wire.told, killed) == ([], [])
        waiting.result(10)
    assert thawed.wire.told == ["pause", "resume as new"]
