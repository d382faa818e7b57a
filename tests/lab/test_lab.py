"""Doing things with all machines of a lab at once; the machines are scripted."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lab.accelerator import tcg
from lab.errors import MachineError, TopologyError
from lab.image import Image
from lab.lab import Lab
from lab.machine import Machine
from lab.quiet import quiet
from lab.ssh import Access
from lab.topology import read_topology


@pytest.fixture
def lab() -> Lab:
    """Make the shell of a lab: three machines, nothing behind them."""
    shell = Lab.__new__(Lab)
    access = Access(1, Path("/nonexistent"), "ssh-ed25519 AAAA")
    shell.machines = {name: Machine(name, access) for name in ("a", "b", "c")}
    return shell


def test_a_lab_is_refused_by_the_memory_that_its_guests_need(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    topology = read_topology("failover")
    monkeypatch.setattr("lab.topology.free_memory_mib", lambda: topology.memory_mib)
    image = Image("centos-stream-9", "el", "recipe", Path("/disk.qcow2"))
    with pytest.raises(TopologyError, match=f"need {topology.fit_for('el').memory_mib} MiB"):
        Lab.boot(topology, image, tcg("asked for"))


def test_no_lab_is_begun_while_something_is_timed_in_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun = threading.Event()

    def assembling(*_: object) -> Any:
        begun.set()
        raise MachineError("that is all")

    monkeypatch.setattr("lab.lab.assembling", assembling)
    monkeypatch.setattr("lab.lab.check_memory", lambda _topology: None)
    image = Image("debian-12", "debian", "recipe", Path("/disk.qcow2"))
    with ThreadPoolExecutor(1) as pool:
        with quiet(Path("/labs/timed")):
            booting = pool.submit(Lab.boot, read_topology("failover"), image, tcg("asked for"))
            assert not begun.wait(0.3)
        with pytest.raises(MachineError, match="that is all"):
            booting.result(10)


def test_what_is_done_with_each_machine_is_done_side_by_side(lab: Lab) -> None:
    together = threading.Barrier(3)
    lab.each(lambda _machine: together.wait(10))


def test_the_first_error_is_raised_when_all_are_done(lab: Lab) -> None:
    done: list[str] = []

    def act(machine: Machine) -> None:
        if machine.name == "a":
            raise MachineError("a is broken")
        done.append(machine.name)

    with pytest.raises(MachineError, match="a is broken"):
        lab.each(act)
    assert sorted(done) == ["b", "c"]


def test_an_interrupt_gives_up_what_the_machines_are_doing(lab: Lab) -> None:
    interrupted = threading.Event()

    def act(machine: Machine) -> Any:
        if machine.name == "a":
            raise KeyboardInterrupt
        interrupted.wait(60)  # as long as a boot; nobody may wait for it

    try:
        with pytest.raises(KeyboardInterrupt):
            lab.each(act)
        assert all(machine.given_up for machine in lab.machines.values())
    finally:
        interrupted.set()
