"""A lab's files: room, keys, seeds, overlays, ports."""

import json
import shutil
import socket
import subprocess
from pathlib import Path
from types import SimpleNamespace

import paramiko
import pytest

from lab import layout
from lab.errors import LabError
from lab.keys import KeyPair
from lab.state import LabState, MachineState
from lab.topology import read_topology
from lab.wire import Sockets

TOPOLOGY = read_topology("failover")


def test_a_disk_without_room_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = layout.ROOM_MIB * 5
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=needed * 2**20))
    layout.check_room(tmp_path, 5)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=needed * 2**20 - 1))
    with pytest.raises(LabError, match=rf"{needed} MiB(?s:.*)VPNPROOF_LABS"):
        layout.check_room(tmp_path, 5)


def test_keys_are_the_owners_only_and_every_machine_has_its_own(tmp_path: Path) -> None:
    client, hosts = layout.write_keys(tmp_path, TOPOLOGY)
    assert (tmp_path / "keys" / "client").stat().st_mode & 0o7777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o7777 == 0o700
    assert set(hosts) == {machine.name for machine in TOPOLOGY.machines}
    assert len({client.public, *(key.public for key in hosts.values())}) == len(hosts) + 1


def test_a_written_key_opens_what_its_public_half_allows(tmp_path: Path) -> None:
    pair = KeyPair.generate()
    pair.write_private(tmp_path / "key")
    loaded = paramiko.Ed25519Key(filename=str(tmp_path / "key"))
    assert f"ssh-ed25519 {loaded.get_base64()}" == pair.public


def test_a_port_for_ssh_is_free() -> None:
    with socket.create_server(("127.0.0.1", layout.free_tcp_port())):
        pass


def test_a_port_for_ssh_is_none_that_the_kernel_gives_away(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A machine that is off does not hold its port; any connection might have got it."""
    given = tmp_path / "ip_local_port_range"
    monkeypatch.setattr(layout, "_GIVEN_BY_KERNEL", given)
    given.write_text("32768\t60999\n")
    assert all(10_240 <= layout.free_tcp_port() < 32_768 for _ in range(20))
    given.write_text("1024\t65535\n")  # then there is no other
    assert layout.free_tcp_port() >= 1024


def test_a_directory_that_is_too_long_for_libvirts_sockets_is_refused() -> None:
    layout.check_paths(Path("/labs/of-a-user/failover-12ab"), TOPOLOGY)
    with pytest.raises(LabError, match=r"107 is the limit(?s:.*)VPNPROOF_LABS"):
        layout.check_paths(Path("/labs", "x" * 60), TOPOLOGY)


def test_a_machine_has_a_cable_for_each_of_its_nics(tmp_path: Path) -> None:
    state = LabState(
        topology=TOPOLOGY,
        image="debian-12",
        accelerator="tcg",
        uri=None,
        machines={"gateway": MachineState(ssh_port=2222, host_key="ssh-ed25519 AAAA")},
    )
    nics = layout.placement(tmp_path, state, "gateway").nics
    assert nics == tuple(
        (TOPOLOGY.mac("gateway", index), Sockets.of(tmp_path, f"gateway/wire{index}"))
        for index in range(2)
    )


def test_known_hosts_pins_each_machines_key_to_its_port(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    state = LabState(
        topology=TOPOLOGY,
        image="debian-12",
        accelerator="tcg",
        uri=None,
        machines={"gateway": MachineState(ssh_port=2222, host_key="ssh-ed25519 AAAA")},
    )
    line = layout.write_known_hosts(tmp_path, state).read_text()
    assert line == f"[127.0.0.1]:{state.machines['gateway'].ssh_port} ssh-ed25519 AAAA\n"
    access = layout.access(tmp_path, state, "gateway")
    assert (access.key, access.host_key) == (tmp_path / "keys" / "client", "ssh-ed25519 AAAA")


def test_nics_on_the_wire_have_the_topologys_addresses_and_names() -> None:
    nics = layout.wire_interfaces(
        read_topology("multi_node"), read_topology("multi_node").machine("node-a")
    )
    assert [nic.name for nic in nics] == ["wire0"]
    assert tuple(nics[0].addresses) == ("145.0.6.72/24", "2001:610:188:418:145:0:6:72/64")
    assert tuple(nics[0].nameservers) == ("145.0.6.10", "2001:610:188:418:145:0:6:10")


def test_the_gateways_of_a_machine_are_those_of_its_topology() -> None:
    nics = layout.wire_interfaces(TOPOLOGY, TOPOLOGY.machine("primary"))
    assert tuple(nics[0].gateways) == ("192.168.70.254",)


@pytest.mark.skipif(not shutil.which("qemu-img"), reason="qemu-img is missing")
def test_an_overlay_stands_on_its_image(tmp_path: Path) -> None:
    base = tmp_path / "base.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(base), "8M"], check=True)
    layout.write_overlays(tmp_path, {"gateway": base})
    overlay = tmp_path / "disks" / "gateway.qcow2"
    told = subprocess.run(
        ["qemu-img", "info", "--output=json", str(overlay)], capture_output=True, check=True
    )
    assert json.loads(told.stdout)["backing-filename"] == str(base)


@pytest.mark.skipif(not shutil.which("qemu-img"), reason="qemu-img is missing")
def test_an_overlay_without_its_image_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"no disk could be made at .*gateway\.qcow2"):
        layout.write_overlays(tmp_path, {"gateway": tmp_path / "nothing.qcow2"})
