"""What a site file says: which machines there are, what they are for, and how each is reached.

    topology = "failover"               # a name, a file beside this one, or a table of its own
    known_hosts = "~/.ssh/known_hosts"  # nothing is trusted on first use
    user = "admin"                      # for each machine that says nothing else
    key = "~/.ssh/id_ed25519"           # without one, your agent's
    probe = "gateway"                   # which machine lends its NIC to the host that asks services

    [jumps.bastion]
    address = "bastion.example.org"

    [machines.primary]
    address = "192.0.2.10"
    jump = "bastion"

Names, roles and addresses of the deployment stand in the topology; here stands where its machines
answer on SSH. Read and checked whole; nothing is reached.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import paramiko
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lab.complaints import complaints
from lab.errors import SiteError, TopologyError
from lab.site.access import Hop, SiteAccess
from lab.topology import Name, Reference, Topology, read_toml, read_topology, shown, topology_of

Address = Annotated[str, Field(pattern=r"^[A-Za-z0-9:][A-Za-z0-9.:-]{0,252}$")]
User = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,31}$")]


class Strict(BaseModel):
    """A table of a file: no key that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _Place(Strict):
    """Where something answers on SSH, and as whom it lets us in."""

    address: Address
    port: Annotated[int, Field(ge=1, le=65535, strict=True)] = 22
    user: User | None = None
    key: str | None = None
    jump: Reference | None = None


class _Content(Strict):
    topology: str | dict[str, Any]
    known_hosts: str = "~/.ssh/known_hosts"
    user: User = "root"
    key: str | None = None
    probe: Reference | None = None
    jumps: Annotated[dict[Name, _Place], Field(max_length=32)] = {}
    machines: Annotated[dict[Name, _Place], Field(min_length=1, max_length=100)]


@dataclass(frozen=True)
class SiteFile:
    """A site as its file says. probe: the machine whose NIC the probe uses, "" for none."""

    path: Path
    topology: Topology
    access: Mapping[str, SiteAccess]
    probe: str


def read_site(path: Path) -> SiteFile:
    """Read and check a site file; SiteError has a line for each thing that is wrong."""
    where = shown(path)
    content, topology = _read(path, where)
    problems = [*_contradictions(content, topology)]
    keys = known_hosts(beside(path, content.known_hosts), problems)
    ways = {} if problems else _ways(path, content, keys, problems)
    if problems:
        raise SiteError("\n".join(f"{where}: {one}" for one in problems))
    return SiteFile(path, topology, ways, content.probe or "")


def _read(path: Path, where: str) -> tuple[_Content, Topology]:
    told: dict[str, Any] = {}
    try:
        told = read_toml(path)
        content = _Content.model_validate(told)
        if isinstance(content.topology, dict):
            return content, topology_of(content.topology, f"{where}: topology")
        own = content.topology
        return content, read_topology(beside(path, own) if own.endswith(".toml") else own)
    except FileNotFoundError:
        raise SiteError(f"no site file {where}", hint="--lab=local makes a lab here") from None
    except TopologyError as error:
        raise SiteError(error.message, hint=error.hint) from error
    except ValidationError as error:
        raise SiteError("\n".join(f"{where}: {one}" for one in complaints(told, error))) from error


def beside(path: Path, named: str) -> Path:
    """Return the path that stands in the file at `path`: relative to its folder."""
    return path.parent / Path(named).expanduser()


def _contradictions(content: _Content, topology: Topology) -> Iterator[str]:
    wanted = {machine.name for machine in topology.machines}
    for name in sorted(wanted - content.machines.keys()):
        yield f"machines.{name}: is missing, the topology {topology.name} has it"
    for name in sorted(content.machines.keys() - wanted):
        yield f"machines.{name}: the topology {topology.name} has no machine of that name"
    if content.probe is not None and content.probe not in wanted:
        yield f"probe: {content.probe!r}, expected one of: {', '.join(sorted(wanted))}"
    seen: dict[tuple[str, int, str | None], str] = {}
    for name, one in content.machines.items():
        there = one.address, one.port, one.jump
        if there in seen:
            yield f"machines.{name}.address: {one.address}:{one.port} is also that of {seen[there]}"
        seen.setdefault(there, name)
    for kind, places in (("machines", content.machines), ("jumps", content.jumps)):
        for name, one in places.items():
            if one.jump is not None and one.jump not in content.jumps:
                yield f"{kind}.{name}.jump: {one.jump!r} is no table of jumps"
    for name in content.jumps:
        if _goes_round(name, content.jumps):
            yield f"jumps.{name}.jump: leads back to {name}"


def _goes_round(name: str, jumps: Mapping[str, _Place]) -> bool:
    passed, at = {name}, jumps[name].jump
    while at is not None and at in jumps:
        if at in passed:
            return True
        passed.add(at)
        at = jumps[at].jump
    return False


def known_hosts(path: Path, problems: list[str]) -> paramiko.HostKeys:
    """Read host keys; what is wrong with their file is put to the `problems`."""
    keys = paramiko.HostKeys()
    try:
        lines = path.read_text(errors="replace").splitlines()
        if any(line.split()[:1] == ["@revoked"] for line in lines):
            problems.append(f"known_hosts: {path}: @revoked is not understood here: name another")
        with tempfile.NamedTemporaryFile("w") as plain:  # authorities are not understood either
            plain.writelines(f"{one}\n" for one in lines if not one.lstrip().startswith("@"))
            plain.flush()
            keys.load(plain.name)
    except OSError as error:
        problems.append(f"known_hosts: {path} cannot be read: {error.strerror}")
    except paramiko.hostkeys.InvalidHostKey as error:
        problems.append(f"known_hosts: {path}: {error.line.strip()[:80]!r} is no host key")
    return keys


def _ways(
    path: Path, content: _Content, keys: paramiko.HostKeys, problems: list[str]
) -> dict[str, SiteAccess]:
    def hop(where: str, one: _Place) -> Hop:
        key = one.key or content.key
        file = beside(path, key) if key is not None else None
        if file is not None and not os.access(file, os.R_OK):
            problems.append(f"{where}.key: {file} cannot be read")
        found = Hop(one.address, one.port, one.user or content.user, file)
        if keys.lookup(found.known_as) is None:
            problems.append(
                f"{where}.address: {found.known_as} is not in known_hosts; ssh-keyscan prints its "
                "keys, compare them with the machine's own"
            )
        return found

    hops = {name: hop(f"jumps.{name}", one) for name, one in content.jumps.items()}

    def through(one: _Place) -> tuple[Hop, ...]:
        if one.jump is None:
            return ()
        return (*through(content.jumps[one.jump]), hops[one.jump])

    return {
        name: SiteAccess(
            (*through(one), hop(f"machines.{name}", one)), keys, path.absolute().parent
        )
        for name, one in content.machines.items()
    }
