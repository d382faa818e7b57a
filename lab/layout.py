"""The files of a lab on disk: keys, seeds, overlays, sockets. No process is started here."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab.domain import MANAGEMENT_ADDRESS, MANAGEMENT_MAC, Placement
from lab.errors import LabError
from lab.image.seed import HostKey, Interface, Seed
from lab.keys import KeyPair
from lab.ssh import Access
from lab.state import LabState
from lab.topology import MachineSpec, Topology
from lab.wire import Sockets

#: Room a lab needs on disk beside its images, in MiB a machine (overlay and console).
ROOM_MIB = 600
_GIVEN_BY_KERNEL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST, _TRIES = 10_240, 20
_PATH_BYTES = 107  # of a Unix socket: sun_path, less its end
_DOMAIN_NAME = 20  # characters of a machine's name that libvirt takes into its directory's
_STARTS = 99


def placement(directory: Path, state: LabState, machine: str) -> Placement:
    """Return where `machine` lives in the lab at `directory`."""
    return Placement(
        disk=directory / "disks" / f"{machine}.qcow2",
        seed=directory / "seeds" / f"{machine}.iso",
        console=directory / "consoles" / f"{machine}.log",
        ssh_port=state.machines[machine].ssh_port,
        nics=tuple(
            (
                state.topology.mac(machine, index),
                Sockets.of(directory, state.topology.port(machine, index)),
            )
            for index, _ in enumerate(state.topology.machine(machine).nics)
        ),
    )


def access(directory: Path, state: LabState, machine: str) -> Access:
    """Return how to reach `machine` of the lab at `directory`."""
    found = state.machines[machine]
    return Access(found.ssh_port, directory / "keys" / "client", found.host_key)


def check_room(directory: Path, machines: int) -> None:
    """Raise LabError when the disk below `directory` has no room for a lab."""
    needed = ROOM_MIB * machines
    free = shutil.disk_usage(directory).free // 2**20
    if free < needed:
        raise LabError(
            f"{directory}: {free} MiB free, a lab of {machines} machines needs {needed} MiB",
            hint="free some room, or set VPNPROOF_LABS to a directory on a larger disk",
        )


def check_paths(directory: Path, topology: Topology) -> None:
    """Raise LabError where a lab's longest socket could not be: libvirt's to a machine's QEMU."""
    for machine in topology.machines:
        name = f"domain-{_STARTS}-{machine.name[:_DOMAIN_NAME]}"
        path = directory / "cfg" / "libvirt" / "qemu" / "lib" / name / "monitor.sock"
        if (length := len(os.fsencode(path))) > _PATH_BYTES:
            raise LabError(
                f"{directory}: sockets of {machine.name} would have paths of {length} bytes, and"
                f" {_PATH_BYTES} is the limit",
                hint="set VPNPROOF_LABS to a directory with a shorter name",
            )


def write_keys(directory: Path, topology: Topology) -> tuple[KeyPair, dict[str, KeyPair]]:
    """Make the key that opens the machines and one host key for each, and keep them."""
    keys = directory / "keys"
    keys.mkdir(mode=0o700)
    client = KeyPair.generate()
    client.write_private(keys / "client")
    return client, {machine.name: KeyPair.generate() for machine in topology.machines}


def write_known_hosts(directory: Path, state: LabState) -> Path:
    """Write the known_hosts file for a person's own ssh, and return its path."""
    path = directory / "keys" / "known_hosts"
    lines = (f"[127.0.0.1]:{one.ssh_port} {one.host_key}\n" for one in state.machines.values())
    path.write_text("".join(lines))
    return path


def seed(topology: Topology, machine: MachineSpec, client: KeyPair, host_key: KeyPair) -> Seed:
    """Return what cloud-init is to make of a fresh guest: its name, keys and addresses."""
    return Seed(
        hostname=machine.fqdn.partition(".")[0],
        fqdn=machine.fqdn,
        authorized_key=client.public,
        host_key=HostKey(host_key.private, host_key.public),
        interfaces=(*wire_interfaces(topology, machine), management_interface()),
    )


def wire_interfaces(topology: Topology, machine: MachineSpec) -> tuple[Interface, ...]:
    """Return the machine's NICs on the wire, named wire0, wire1, ..."""
    servers: tuple[str, ...] = ()
    if topology.nameserver is not None:
        served = topology.machine(topology.nameserver)
        servers = tuple(str(address) for address in (served.ipv4, served.ipv6) if address)
    found = []
    for index, nic in enumerate(machine.nics):
        network = topology.networks[nic.network]
        addresses = [f"{nic.ipv4}/{network.ipv4.prefixlen}"]
        if nic.ipv6 is not None and network.ipv6 is not None:
            addresses.append(f"{nic.ipv6}/{network.ipv6.prefixlen}")
        gateways = tuple(str(gateway) for gateway in (nic.gateway4, nic.gateway6) if gateway)
        found.append(
            Interface(
                name=f"wire{index}",
                mac=topology.mac(machine.name, index),
                addresses=tuple(addresses),
                nameservers=servers,
                gateways=gateways,
            )
        )
    return tuple(found)


def management_interface() -> Interface:
    """Return the NIC that only SSH from this host comes in by: no gateway, no names."""
    return Interface(
        name="mgmt0",
        mac=MANAGEMENT_MAC,
        addresses=(f"{MANAGEMENT_ADDRESS}/24",),
        nameservers=(),
        gateways=(),
    )


def write_overlays(directory: Path, backing: Mapping[str, Path]) -> None:
    """Make each machine of the lab at `directory` a fresh qcow2 disk on top of `backing`.

    What lies below is never written to again. LabError when a disk cannot be made.
    """
    disks = directory / "disks"
    disks.mkdir(mode=0o700, exist_ok=True)
    with ThreadPoolExecutor(len(backing)) as pool:
        paths = [disks / f"{name}.qcow2" for name in backing]
        for _ in pool.map(_write_overlay, paths, backing.values()):
            pass


def _write_overlay(path: Path, backing: Path) -> None:
    made = subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(backing), "-F", "qcow2", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        raise LabError(f"no disk could be made at {path}: {made.stderr.strip()}")


def write_files(
    directory: Path,
    topology: Topology,
    backing: Mapping[str, Path],
    host_keys: Mapping[str, KeyPair],
    client: KeyPair,
) -> None:
    """Write what each machine starts from: its seed, its disk on `backing`, an empty console."""
    for name in ("seeds", "consoles"):
        (directory / name).mkdir(mode=0o700, exist_ok=True)
    for machine in topology.machines:
        fresh = seed(topology, machine, client, host_keys[machine.name])
        fresh.write(directory / "seeds" / f"{machine.name}.iso")
        (directory / "consoles" / f"{machine.name}.log").touch()
    write_overlays(directory, backing)


def free_tcp_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody uses right now.

    One that the kernel gives to no connection by itself, if it can be: a machine that is off does
    not hold its port, and has to have it again.
    """
    lowest = int(_GIVEN_BY_KERNEL.read_text().split()[0])
    some = random.sample(range(_LOWEST, lowest), _TRIES) if lowest - _LOWEST >= _TRIES else []
    for wanted in (*some, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                continue
            port: int = probe.getsockname()[1]
            return port
    raise LabError("no TCP port of 127.0.0.1 is free")
