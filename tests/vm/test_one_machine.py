"""One real machine, from its cold start to its end: what every scenario takes for granted.

The tests share one machine and run in the order they stand in; each leaves it up.
"""

from __future__ import annotations

from collections.abc import Iterator

import psutil
import pytest

from lab.accelerator import choose
from lab.checkpoint import cold_start
from lab.image import prepare
from lab.lab import Lab
from lab.machine import Machine
from lab.wait import until
from tests.vm.alone import TOPOLOGY

pytestmark = pytest.mark.vm


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with cold_start(TOPOLOGY, prepare("debian-12"), choose()) as lab:
        yield lab


@pytest.fixture
def machine(lab: Lab) -> Machine:
    return lab["alone"]


def test_it_is_who_its_topology_says(machine: Machine):
    assert machine.run("hostname -f").stdout.strip() == "alone.example.org"
    addresses = machine.run("ip -br address show wire0").stdout
    assert "192.0.2.7/24" in addresses
    assert "2001:db8::7/64" in addresses


def test_a_command_tells_its_status_and_both_outputs(machine: Machine):
    result = machine.run("cat; echo wrong >&2; exit 3", stdin="right", check=False)
    assert (result.status, result.stdout, result.stderr) == (3, "right", "wrong\n")


def test_a_file_comes_back_as_it_was_put(machine: Machine):
    content = bytes(range(256)) * 100
    machine.put(content, "/srv/new/file", mode=0o600, owner="nobody")
    assert machine.get("/srv/new/file") == content
    assert machine.run("stat -c '%a %U' /srv/new/file").stdout == "600 nobody\n"


def test_testinfra_asks_over_the_same_connection(machine: Machine):
    assert machine.host.service("ssh").is_running


def test_it_answers_again_after_a_reset_with_its_disk_as_it_was(machine: Machine):
    before = boot_id(machine)
    machine.run("echo kept > /srv/kept; sync")
    machine.reboot()
    machine.wait_until_up()
    assert boot_id(machine) != before
    assert machine.get("/srv/kept") == b"kept\n"
    assert machine.run("hostname -f").stdout.strip() == "alone.example.org"


def test_it_starts_again_after_its_power_was_cut(machine: Machine):
    machine.kill()
    assert not machine.is_on
    machine.power_on()
    machine.wait_until_up()
    assert machine.run("true").status == 0


def test_nothing_is_left_of_a_lab_that_was_taken_down(lab: Lab):
    running = processes_of(lab)
    assert {"qemu", "libvirtd"} & {name[:8].partition("-")[0] for name in running.values()}
    lab.down()
    assert not lab.directory.exists()
    until(lambda: not processes_of(lab), 5, f"the end of {running}")


def boot_id(machine: Machine) -> bytes:
    return machine.get("/proc/sys/kernel/random/boot_id")


def processes_of(lab: Lab) -> dict[int, str]:
    """Return the name of each process whose command line names the lab's directory, by its id."""
    return {
        process.pid: process.info["name"]
        for process in psutil.process_iter(["name", "cmdline"])
        if any(str(lab.directory) in word for word in process.info["cmdline"] or ())
    }
