"""A cold start: one boot a shape of machine, and an ordinary boot where that fails."""

# ruff: noqa: ARG002 - these have the signature of what they stand for

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.accelerator import tcg
from lab.checkpoint import NoRoom, Store, cold_start, key_of
from lab.checkpoint.coldstart import Shape
from lab.errors import MachineError
from lab.image import Image
from lab.topology import read_topology
from tests.checkpoint.pretend import TOPOLOGY, key, make

WHERE = cold_start.__globals__
TCG = tcg("asked for")


class World:
    """What was booted, frozen and thawed; the store is real."""

    def __init__(self, image: Path) -> None:
        self.image = Image("debian-12", "debian", "recipe", image)
        self.told: list[str] = []
        self.said: list[str] = []
        self.trouble: Exception | None = None
        self.templates: Any = None

    def start(self, topology: Any = TOPOLOGY, **options: Any) -> Any:
        return cold_start(topology, self.image, TCG, progress=self, **options)  # type: ignore[arg-type]

    @contextlib.contextmanager
    def boot(self, topology: Any, *_: object, **__: object) -> Iterator[Any]:
        self.told.append(f"boot {topology.name}")
        yield topology

    def freeze(self, topology: Any, made_of: Any, label: str, *, keep_running: bool) -> Any:
        self.told.append("freeze")
        if self.trouble:
            raise self.trouble
        made = make(Store(), len(self.told), image=self.image.disk)
        path = made.directory.rename(made.directory.with_name(key_of(made_of)))
        return SimpleNamespace(key=path.name)

    def thaw(self, topology: Any, image: Any, accelerator: Any, templates: Any, *_: Any) -> str:
        self.told.append("thaw as many")
        self.templates = templates
        if self.trouble:
            raise self.trouble
        return "the lab"

    def say(self, line: str) -> None:
        self.said.append(line)


@pytest.fixture
def world(blank_disk: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(blank_disk)
    monkeypatch.setitem(WHERE, "Lab", made)
    monkeypatch.setitem(WHERE, "freeze", made.freeze)
    monkeypatch.setitem(WHERE, "_thaw_as_many", made.thaw)
    monkeypatch.setitem(
        WHERE, "ingredients", lambda topology, *_: {"t": topology.model_dump_json()}
    )
    return made


def test_machines_of_one_shape_take_one_boot(world: World) -> None:
    assert world.start() == "the lab"
    assert world.told == ["boot template", "freeze", "thaw as many"]


def test_machines_of_two_shapes_take_two(world: World) -> None:
    topology = read_topology("failover")  # its gateway has two NICs
    world.start(topology)
    assert world.told == ["boot template", "freeze"] * 2 + ["thaw as many"]
    assert set(world.templates) == {Shape.of(machine) for machine in topology.machines}


def test_a_template_is_a_machine_that_touches_no_real_address() -> None:
    topology = Shape(512, 1, 2).topology()
    (machine,) = topology.machines
    assert (machine.memory_mib, machine.vcpus, len(machine.nics)) == (512, 1, 2)
    assert all(str(nic.ipv4).startswith("192.0.2.") for nic in machine.nics)


@pytest.mark.parametrize("trouble", [NoRoom("no room"), MachineError("libvirt refuses")])
def test_when_freezing_or_thawing_fails_each_machine_is_booted(
    world: World, trouble: Exception
) -> None:
    world.trouble = trouble
    world.start()
    assert world.told[-1] == "freeze"  # and then a boot, entered by whoever uses the lab
    assert any(str(trouble) in line and "booting each machine" in line for line in world.said)


def test_the_recording_of_an_attempt_makes_way_for_that_of_the_boot(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = tmp_path / "wire.pcapng"

    def thaw(*_: object) -> None:
        capture.write_bytes(b"of the attempt")
        raise MachineError("libvirt refuses")

    monkeypatch.setitem(WHERE, "_thaw_as_many", thaw)
    world.start(capture=capture)
    assert any("libvirt refuses" in line for line in world.said)
    assert not capture.exists()


def test_a_recording_that_was_there_before_stays(world: World, tmp_path: Path) -> None:
    capture = tmp_path / "wire.pcapng"
    capture.write_bytes(b"another lab's")
    world.trouble = MachineError("cannot record to it: File exists")
    world.start(capture=capture)
    assert capture.read_bytes() == b"another lab's"


def test_a_guest_of_el_is_booted_for_it_cannot_become_another(world: World) -> None:
    """Its cloud-init waits for NICs that only the next reset gives the guest, and gives up."""
    world.image = replace(world.image, family="el")
    with world.start() as topology:
        assert world.told == ["boot pair"]
    assert world.said == []
    assert topology == TOPOLOGY.fit_for("el") != TOPOLOGY


def test_a_libvirt_that_others_use_is_asked_for_a_plain_boot(world: World) -> None:
    with world.start(uri="qemu:///session"):
        assert world.told == ["boot pair"]
    assert not Store().find(key(1))
