"""What a lab consists of: networks, machines, their NICs and addresses.

A topology is read from a TOML file and checked whole before anything is started. Every complaint
names the file, the key, the value and what was expected instead.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tomllib
import uuid
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import psutil
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from lab.complaints import complaints
from lab.contradictions import contradictions
from lab.errors import TopologyError

TOPOLOGIES = Path(__file__).parent / "topologies"

#: What an emulated guest's translated code may take of the host's memory, in MiB.
TRANSLATIONS_MIB = 256

#: Host memory QEMU needs beside the guest's own, in MiB: translated code, and itself.
OVERHEAD_MIB = TRANSLATIONS_MIB + 80

#: What guests of a family of systems get at least, in MiB. On EL the guides' scripts build SELinux'
#: policy (semanage, setsebool), for which 600 was too little on Fedora 40 (cockpit #20398).
LEAST_MIB = {"el": 1024}

#: A topology file that is larger, or has a longer line, is none: reading it could take hours.
LARGEST_FILE = 64 * 1024
LONGEST_LINE = 1000

Role = Literal["controller", "node", "services", "client", "primary", "secondary", "gateway"]

#: Names of machines and networks. Short: libvirt and the wire have sockets that are called so, and
#: the whole path of one may have 107 bytes.
Name = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$")]
Reference = Annotated[str, Field(max_length=32)]

#: A full host name: labels of 1 to 63 letters, digits and hyphens (RFC 1123), no hyphen at an end.
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
HostName = Annotated[str, Field(pattern=rf"^{_LABEL}(\.{_LABEL})+$", max_length=253)]


def _written(value: object) -> object:
    """Refuse what `ipaddress` would take for an address too: numbers, and zones of any text."""
    if isinstance(value, int | float | bytes) or (isinstance(value, str) and "%" in value):
        raise ValueError("an address in quotes, without a zone, is expected")
    return value


_V4 = Annotated[IPv4Address, BeforeValidator(_written)]
_V6 = Annotated[IPv6Address, BeforeValidator(_written)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Network(_Strict):
    """One Ethernet segment of the wire."""

    ipv4: Annotated[IPv4Network, BeforeValidator(_written)]
    ipv6: Annotated[IPv6Network, BeforeValidator(_written)] | None = None


class Nic(_Strict):
    """A network interface of a machine, plugged into one network."""

    network: Reference
    ipv4: _V4
    ipv6: _V6 | None = None
    gateway4: _V4 | None = None
    gateway6: _V6 | None = None


class MachineSpec(_Strict):
    """One machine: who it is, what it is for, how large it is.

    range, range6: of a VPN node: what its clients get addresses from.
    """

    name: Name
    fqdn: HostName
    roles: Annotated[tuple[Role, ...], Field(min_length=1)]
    memory_mib: Annotated[int, Field(ge=256, le=2**20, strict=True)] = 512
    vcpus: Annotated[int, Field(ge=1, le=32, strict=True)] = 2
    image: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")] | None = None
    range: IPv4Network | None = None
    range6: IPv6Network | None = None
    nics: Annotated[tuple[Nic, ...], Field(min_length=1, max_length=8)]

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
    nameserver: Reference | None = None
    networks: Annotated[dict[Name, Network], Field(max_length=32)]
    machines: Annotated[tuple[MachineSpec, ...], Field(min_length=1, max_length=100)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if problems := contradictions(self):
            raise ValueError("\n".join(problems))
        return self

    @property
    def memory_mib(self) -> int:
        """Host memory the whole lab needs, QEMU's own included."""
        return sum(machine.memory_mib + OVERHEAD_MIB for machine in self.machines)

    def fit_for(self, family: str) -> Self:
        """Return the lab with the memory that guests of a family of systems need at least."""
        least = LEAST_MIB.get(family, 0)
        if all(machine.memory_mib >= least for machine in self.machines):
            return self
        machines = tuple(
            machine.model_copy(update={"memory_mib": max(least, machine.memory_mib)})
            for machine in self.machines
        )
        return self.model_copy(update={"machines": machines})

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


def read_topology(source: str | Path) -> Topology:
    """Read and check a topology: a name ("multi_node") or the path of a TOML file.

    Raises TopologyError with file, key, value and what was expected.
    """
    path = Path(source)
    if path.suffix != ".toml":
        path = TOPOLOGIES / f"{source}.toml"
    try:
        content = read_toml(path)
    except FileNotFoundError:
        known = ", ".join(sorted(file.stem for file in TOPOLOGIES.glob("*.toml")))
        raise TopologyError(
            f"no topology {str(source)!r}", hint=f"there are: {known}; or give a .toml file"
        ) from None
    return topology_of(content, shown(path))


def topology_of(content: object, where: str) -> Topology:
    """Check the content of a topology that stands at `where`; TopologyError as `read_topology`."""
    try:
        return Topology.model_validate(content)
    except ValidationError as error:
        lines = complaints(content, error)
        raise TopologyError("\n".join(f"{where}: {line}" for line in lines)) from error


def shown(path: Path) -> str:
    """Return a path as a line of text can hold it."""
    return str(path) if str(path).isprintable() else ascii(str(path))


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file of sensible size; FileNotFoundError, and TopologyError for all else."""
    where = shown(path)
    try:
        return tomllib.loads(_text(path, where))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise TopologyError(f"{where} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # TOML's own errors, UTF-8's, too deep
        raise TopologyError(f"{where}: not TOML: {error}") from error


def _text(path: Path, where: str) -> str:
    """Return what stands in a file of sensible size; never waits for a pipe or a device."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise TopologyError(f"{where} cannot be read: it is not a file")
        raw = os.read(descriptor, LARGEST_FILE + 1)
    finally:
        os.close(descriptor)
    if len(raw) > LARGEST_FILE:
        raise TopologyError(f"{where} has more than {LARGEST_FILE} bytes: not a topology")
    for number, line in enumerate(raw.splitlines(), start=1):
        if len(line) > LONGEST_LINE:
            raise TopologyError(f"{where}: line {number} has more than {LONGEST_LINE} bytes")
    return raw.decode()


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
            hint="end other programs, or lower memory_mib in the topology file "
            f"(a guest of EL gets {LEAST_MIB['el']} at least)",
        )
