"""A checkpoint's key changes with everything that shapes the lab it holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab.accelerator import kvm, tcg
from lab.checkpoint import ingredients, key_of
from lab.checkpoint import ingredients as function
from lab.checkpoint import store as store_module
from lab.image import Image
from lab.topology import Topology
from tests.checkpoint.pretend import TOPOLOGY

IMAGE = Image("debian-12", "debian", "recipe", Path("/disk.qcow2"))
WHERE = function.__globals__  # the module has the function's name


@pytest.fixture(autouse=True)
def versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WHERE, "installed_versions", lambda: {"qemu": "7.2", "libvirt": "9.0"})


def made(topology: Topology = TOPOLOGY, image: Image = IMAGE, **more: object) -> str:
    return key_of(ingredients(topology, image, tcg(""), **more))


def test_the_same_makes_the_same_key() -> None:
    assert made() == made()
    assert len(made()) == 32


def test_the_reason_for_an_accelerator_shapes_nothing() -> None:
    assert key_of(ingredients(TOPOLOGY, IMAGE, tcg("asked for"))) == made()


def test_another_image_is_another_key() -> None:
    assert made(image=replace(IMAGE, key="another")) != made()


@pytest.mark.parametrize("change", [{"memory_mib": 300}, {"vcpus": 1}, {"fqdn": "x.example.org"}])
def test_another_machine_is_another_key(change: dict[str, object]) -> None:
    first = TOPOLOGY.machines[0].model_copy(update=change)
    changed = TOPOLOGY.model_copy(update={"machines": (first, *TOPOLOGY.machines[1:])})
    assert made(topology=changed) != made()


@pytest.mark.parametrize("program", ["qemu", "libvirt"])
def test_another_qemu_or_libvirt_is_another_key(
    monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    before = made()
    told = {"qemu": "7.2", "libvirt": "9.0"} | {program: "99"}
    monkeypatch.setitem(WHERE, "installed_versions", lambda: told)
    assert made() != before


def test_another_accelerator_or_emulated_processor_is_another_key() -> None:
    other = replace(tcg(""), cpu_model="Skylake")
    keys = {key_of(ingredients(TOPOLOGY, IMAGE, one)) for one in (kvm(""), tcg(""), other)}
    assert len(keys) == 3


def test_under_kvm_another_processor_of_the_host_is_another_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = key_of(ingredients(TOPOLOGY, IMAGE, kvm("")))
    monkeypatch.setitem(WHERE, "_host_cpu", lambda: "another")
    assert key_of(ingredients(TOPOLOGY, IMAGE, kvm(""))) != before
    assert made() == made()


def test_other_steps_are_another_key() -> None:
    assert len({made(), made(steps="a"), made(steps="b")}) == 3


@pytest.mark.parametrize("module", WHERE["_SHAPING"], ids=lambda module: module.__name__)
def test_another_way_to_shape_guests_is_another_key(
    monkeypatch: pytest.MonkeyPatch, module: object
) -> None:
    before = made()
    genuine = WHERE["inspect"].getsource
    monkeypatch.setattr(
        WHERE["inspect"], "getsource", lambda one: genuine(one) + "\n" * (one is module)
    )
    assert made() != before


def test_another_format_is_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = made()
    monkeypatch.setattr(store_module, "FORMAT", 99)
    assert made() != before
