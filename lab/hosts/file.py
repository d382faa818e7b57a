"""What a hosts file says: on which hosts labs run, how each is reached, and where they may lie.

    known_hosts = "~/.ssh/known_hosts"  # nothing is trusted on first use
    user = "lab"                        # for each host that says nothing else
    key = "~/.ssh/id_ed25519"           # without one, your agent's
    directory = "/var/tmp/vpnproof-host"

    [hosts.one]
    address = "192.0.2.10"

    [hosts.two]
    address = "192.0.2.11"
    port = 2222
    labs = 2                            # at once; else as many as its cores and memory carry

Everything of ours on a host lies in its `directory`: checkouts, labs, the cache, evidence. Read and
checked whole; nothing is reached.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import Field, ValidationError

from lab.complaints import complaints
from lab.errors import HostsError, TopologyError
from lab.site.access import Hop, SiteAccess
from lab.site.file import Address, Strict, User, beside, known_hosts
from lab.topology import Name, read_toml, shown

LONGEST_DIRECTORY = 29
"""Octets of a host's directory: libvirt's sockets lie up to 78 octets below it, and a whole path of
one may have 107 (`DIRECTORY/labs/multi_node_3-abcd/cfg/libvirt/qemu/lib/domain-10-controller/`)."""
_DEFAULT_DIRECTORY = "/var/tmp/vpnproof-host"  # noqa: S108 - looked at before it is used

_Labs = Annotated[int, Field(ge=1, le=64, strict=True)]
_Directory = Annotated[str, Field(pattern=r"^/[A-Za-z0-9._/-]+$")]


class _Host(Strict):
    address: Address
    port: Annotated[int, Field(ge=1, le=65535, strict=True)] = 22
    user: User | None = None
    key: str | None = None
    known_hosts: str | None = None
    directory: _Directory | None = None
    labs: _Labs | None = None


class _Content(Strict):
    known_hosts: str = "~/.ssh/known_hosts"
    user: User = "root"
    key: str | None = None
    directory: _Directory = _DEFAULT_DIRECTORY
    labs: _Labs | None = None
    hosts: Annotated[dict[Name, _Host], Field(min_length=1, max_length=100)]


@dataclass(frozen=True)
class Host:
    """A host as its file says. labs: at once, None for as many as it carries."""

    name: str
    way: SiteAccess
    known_hosts: Path
    directory: PurePosixPath
    labs: int | None

    @property
    def there(self) -> Hop:
        """Where it answers, and as whom it lets us in."""
        return self.way.hops[-1]

    @property
    def labs_directory(self) -> PurePosixPath:
        """Where its labs lie."""
        return self.directory / "labs"

    @property
    def cache(self) -> PurePosixPath:
        """Where images and checkpoints lie."""
        return self.directory / "cache"

    @property
    def checkouts(self) -> PurePosixPath:
        """Where checkouts lie, each in a directory that is called by its content."""
        return self.directory / "checkouts"

    def run(self, name: str) -> PurePosixPath:
        """Return the directory of what a run called `name` records there."""
        return self.directory / "runs" / name

    def tether(self, name: str) -> PurePosixPath:
        """Return the directory of a run's tether there, which is no evidence."""
        return self.directory / "tethers" / name

    def __str__(self) -> str:
        return f"{self.name} ({self.way})"


@dataclass(frozen=True)
class HostsFile:
    """The hosts of a file, in its order."""

    path: Path
    hosts: tuple[Host, ...]


def names_hosts(path: Path) -> bool:
    """Whether a TOML file is one of hosts, and not of a site; False for one that cannot be read."""
    try:
        return "hosts" in read_toml(path)
    except (OSError, TopologyError):
        return False


def read_hosts(path: Path) -> HostsFile:
    """Read and check a hosts file; HostsError has a line for each thing that is wrong."""
    where = shown(path)
    content = _read(path, where)
    problems: list[str] = []
    hosts = tuple(_host(path, name, one, content, problems) for name, one in content.hosts.items())
    problems += _contradictions(hosts)
    if problems:
        raise HostsError("\n".join(f"{where}: {one}" for one in dict.fromkeys(problems)))
    return HostsFile(path, hosts)


def _read(path: Path, where: str) -> _Content:
    try:
        told = read_toml(path)
    except FileNotFoundError:
        raise HostsError(f"no hosts file {where}", hint="--lab=local runs labs here") from None
    except TopologyError as error:
        raise HostsError(error.message, hint=error.hint) from error
    try:
        return _Content.model_validate(told)
    except ValidationError as error:
        lines = complaints(told, error)
        raise HostsError("\n".join(f"{where}: {one}" for one in lines)) from error


def _host(path: Path, name: str, one: _Host, content: _Content, problems: list[str]) -> Host:
    key = one.key or content.key
    file = beside(path, key).absolute() if key is not None else None
    if file is not None and not os.access(file, os.R_OK):
        problems.append(f"hosts.{name}.key: {file} cannot be read")
    known = beside(path, one.known_hosts or content.known_hosts).absolute()
    keys = known_hosts(known, problems)
    hop = Hop(one.address, one.port, one.user or content.user, file)
    if known.exists() and keys.lookup(hop.known_as) is None:
        problems.append(
            f"hosts.{name}.address: {hop.known_as} is not in {known}; ssh-keyscan prints its keys, "
            "compare them with the host's own"
        )
    way = SiteAccess((hop,), keys, path.absolute().parent)
    directory = PurePosixPath(os.path.normpath(one.directory or content.directory))
    return Host(name, way, known, directory, one.labs or content.labs)


def _contradictions(hosts: tuple[Host, ...]) -> Iterator[str]:
    seen: dict[object, Host] = {}
    for host in hosts:
        before = seen.setdefault((host.there.address, host.there.port, host.directory), host)
        if before is not host:
            yield (
                f"hosts.{host.name}: is {before.name} once more: both are {host.there.known_as} "
                f"with the directory {host.directory}"
            )
        if (size := len(str(host.directory))) > LONGEST_DIRECTORY:
            yield (
                f"hosts.{host.name}.directory: {host.directory} has {size} octets, and "
                f"{LONGEST_DIRECTORY} are the most: sockets lie below it, whose whole path may "
                "have 107"
            )
