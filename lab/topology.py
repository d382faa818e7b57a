"""What a lab consists of: networks, machines, their NICs and addresses.

A topology is read from a TOML file and checked whole before anything is started. Every complaint
names the file, the key, the value and what was expected instead.
"""

from __future__ import annotations

import hashlib
import tomllib
import uuid
from collections import Counter
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, Self

import psutil
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lab.errors import TopologyError

TOPOLOGIES = Path(__file__).parent / "topologies"

#: What an emulated guest's translated code may take of the host's memory, in MiB.
TRANSLATIONS_MIB = 256

#: Host memory QEMU needs beside the guest's own, in MiB: translated code, and itself.
OVERHEAD_MIB = TRANSLATIONS_MIB + 80

Role = Literal["controller", "node", "services", "client", "primary", "secondary", "gateway"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Network(_Strict):
    """One Ethernet segment of the wire."""

    ipv4: IPv4Network
    ipv6: IPv6Network | None = None


class Nic(_Strict):
    """A network interface of a machine, plugged into one network."""

    network: str
    ipv4: IPv4Address
    ipv6: IPv6Address | None = None
    gateway4: IPv4Address | None = None
    gateway6: IPv6Address | None = None


class MachineSpec(_Strict):
    """One machine: who it is, what it is for, how large it is.

    range, range6: of a VPN node: what its clients get addresses from.
    """

    name: Name
    fqdn: Annotated[str, Field(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")]
    roles: Annotated[tuple[Role, ...], Field(min_length=1)]
    memory_mib: Annotated[int, Field(ge=256)] = 512
    vcpus: Annotated[int, Field(ge=1)] = 2
    image: str | None = None
    range: IPv4Network | None = None
    range6: IPv6Network | None = None
    nics: tuple[Nic, ...]

    @property
    def ipv4(self) -> IPv4Address:
        """The IPv4 address of the first NIC."""
        return self.nics[0].ipv4

    @property
    def ipv6(self) -> IPv6Address | None:
        """The IPv6 address of the first NIC, if it has one."""
        return self.nics[0].ipv6


class Topology(_Strict):
    """A whole lab, as its file says."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,20}$")]
    guide: Literal["multi-node", "failover"] | None = None
    nameserver: str | None = None
    networks: dict[Name, Network]
    machines: Annotated[tuple[MachineSpec, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if problems := _contradictions(self):
            raise ValueError("\n".join(problems))
        return self

    @property
    def memory_mib(self) -> int:
        """Host memory the whole lab needs, QEMU's own included."""
        return sum(machine.memory_mib + OVERHEAD_MIB for machine in self.machines)

    def machine(self, name: str) -> MachineSpec:
        """Return the machine called `name`; TopologyError names the ones there are."""
        for machine in self.machines:
            if machine.name == name:
                return machine
        known = ", ".join(machine.name for machine in self.machines)
        raise TopologyError(f"{self.name} has no machine {name!r}", hint=f"it has: {known}")

    def with_role(self, role: Role) -> tuple[MachineSpec, ...]:
        """Return the machines that have `role`, in the order of the file."""
        return tuple(machine for machine in self.machines if role in machine.roles)

    def mac(self, machine: str, index: int) -> str:
        """Return the MAC address of a machine's NIC `index` on the wire.

        The same topology always gets the same addresses (QEMU's prefix 52:54:00), so that a lab
        that was frozen can be thawed by anybody.
        """
        digest = hashlib.sha256(f"{self.name}/{machine}/{index}".encode()).hexdigest()
        return "52:54:00:" + ":".join((digest[0:2], digest[2:4], digest[4:6]))

    def port(self, machine: str, index: int) -> str:
        """Return the name of the wire's port that a machine's NIC `index` is plugged into.

        Captures name their interfaces by it.
        """
        return f"{machine}/wire{index}"

    def uuid(self, machine: str) -> str:
        """Return the machine's libvirt UUID: always the same one, as a thaw needs it."""
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{machine}.{self.name}.vpnproof.invalid"))


def _contradictions(topology: Topology) -> list[str]:
    """Return what is wrong between the values of a topology, each with its key and value."""
    problems: list[str] = []
    names = Counter(machine.name for machine in topology.machines)
    problems += [
        f"machines.{name}: name used {n} times, expected once" for name, n in names.items() if n > 1
    ]
    if topology.nameserver is not None and topology.nameserver not in names:
        problems.append(f"nameserver: {topology.nameserver!r}, expected one of {sorted(names)}")
    seen: dict[IPv4Address | IPv6Address, str] = {}
    for machine in topology.machines:
        for index, nic in enumerate(machine.nics):
            where = f"machines.{machine.name}.nics.{index}"
            network = topology.networks.get(nic.network)
            if network is None:
                known = ", ".join(topology.networks)
                problems.append(f"{where}.network: {nic.network!r}, expected one of: {known}")
                continue
            problems += _address_problems(where, nic, network, seen)
    return problems


def _address_problems(
    where: str,
    nic: Nic,
    network: Network,
    seen: dict[IPv4Address | IPv6Address, str],
) -> list[str]:
    problems: list[str] = []
    pairs: tuple[
        tuple[str, IPv4Address | IPv6Address | None, IPv4Network | IPv6Network | None], ...
    ] = (
        ("ipv4", nic.ipv4, network.ipv4),
        ("ipv6", nic.ipv6, network.ipv6),
        ("gateway4", nic.gateway4, network.ipv4),
        ("gateway6", nic.gateway6, network.ipv6),
    )
    for key, address, prefix in pairs:
        if address is None:
            continue
        if prefix is None or address not in prefix:
            problems.append(
                f"{where}.{key}: {address}, expected an address inside {prefix} ({nic.network})"
            )
        if key.startswith("gateway"):
            continue
        if address in seen:
            problems.append(
                f"{where}.{key}: {address} is also {seen[address]}, expected one of its own"
            )
        seen[address] = f"{where}.{key}"
    return problems


def read_topology(source: str | Path) -> Topology:
    """Read and check a topology: a name ("multi_node") or the path of a TOML file.

    Raises TopologyError with file, key, value and what was expected.
    """
    path = Path(source)
    if path.suffix != ".toml":
        path = TOPOLOGIES / f"{source}.toml"
    try:
        content = tomllib.loads(path.read_text())
    except FileNotFoundError:
        known = ", ".join(sorted(file.stem for file in TOPOLOGIES.glob("*.toml")))
        raise TopologyError(
            f"no topology {str(source)!r}", hint=f"there are: {known}; or give a .toml file"
        ) from None
    except OSError as error:
        raise TopologyError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TopologyError(f"{path}: not TOML: {error}") from error
    try:
        return Topology.model_validate(content)
    except ValidationError as error:
        lines = [line for item in _causes(error) for line in _complaint(content, item).splitlines()]
        raise TopologyError("\n".join(f"{path}: {line}" for line in lines)) from error


def _causes(error: ValidationError) -> list[object]:
    """Return pydantic's errors without those that only follow from one deeper in the file."""
    found = error.errors()
    places = [item["loc"] for item in found]
    return [
        item
        for item in found
        if not any(place[: len(item["loc"])] == item["loc"] != place for place in places)
    ]


def _complaint(content: object, item: object) -> str:
    """Say one pydantic error as key, value and what was expected, machines by their names."""
    assert isinstance(item, dict)  # noqa: S101 - pydantic's documented shape
    keys: list[str] = []
    here = content
    for part in item["loc"]:
        try:
            here = here[part]  # type: ignore[index]  # walks tables and arrays alike
        except (KeyError, IndexError, TypeError):
            here = None
        named = isinstance(part, int) and isinstance(here, dict) and "name" in here
        keys.append(str(here["name"]) if named and isinstance(here, dict) else str(part))
    message = str(item["msg"]).removeprefix("Value error, ")
    if not keys:
        return message
    value = f" {item['input']!r}:" if item["type"] != "missing" else ""
    return f"{'.'.join(keys)}:{value} {message[0].lower()}{message[1:]}"


def free_memory_mib() -> int:
    """Return the memory of this host that can be had now, in MiB."""
    return int(psutil.virtual_memory().available // 2**20)


def has_memory(topology: Topology) -> bool:
    """Whether this host can hold the lab's memory now, beside what runs on it."""
    return topology.memory_mib <= free_memory_mib()


def check_memory(topology: Topology, available_mib: int | None = None) -> None:
    """Raise TopologyError when this host cannot hold the lab's memory (MiB, by default now)."""
    free = free_memory_mib() if available_mib is None else available_mib
    if topology.memory_mib > free:
        largest = max(topology.machines, key=lambda machine: machine.memory_mib)
        raise TopologyError(
            f"{topology.name}: its machines need {topology.memory_mib} MiB, this host has "
            f"{free} MiB free (most: machines.{largest.name}.memory_mib = {largest.memory_mib})",
            hint="end other programs, or lower memory_mib in the topology file",
        )
