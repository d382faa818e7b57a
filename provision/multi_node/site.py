"""The deployment's cast: who is controller, who are the nodes, and what follows from it.

Taken from a topology by role. Everything a step writes that depends on names and addresses comes
from here; nothing else in the steps knows the guide's example addresses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from itertools import combinations
from typing import Protocol, Self

from provision.errors import PlanError


class MachineLike(Protocol):
    """A machine of a topology."""

    @property
    def name(self) -> str:
        """The lab's name for it."""

    @property
    def fqdn(self) -> str:
        """Its name in DNS."""

    @property
    def roles(self) -> Sequence[str]:
        """What it is for."""

    @property
    def ipv4(self) -> object:
        """Its IPv4 address; its `str` is the usual text."""

    @property
    def ipv6(self) -> object:
        """Its IPv6 address, likewise; None where it has none."""

    @property
    def range(self) -> IPv4Network | None:
        """What a node gives its clients IPv4 addresses from."""

    @property
    def range6(self) -> IPv6Network | None:
        """What a node gives its clients IPv6 addresses from."""


class TopologyLike(Protocol):
    """What a site needs of a topology."""

    @property
    def machines(self) -> Sequence[MachineLike]:
        """All machines, in order."""


#: vpn-server-api 2.1.5 takes the profile numbers 1 to 64.
MOST_NODES = 64

#: vpn-server-node 2.1.4 divides a range among a node's two processes.
_LONGEST_PREFIX, _LONGEST_PREFIX6 = 28, 108


@dataclass(frozen=True)
class Host:
    """A machine with its addresses as text; the ranges of its clients, if it is a node."""

    name: str
    fqdn: str
    ipv4: str
    ipv6: str
    range: IPv4Network | None = None
    range6: IPv6Network | None = None


@dataclass(frozen=True)
class Site:
    """One controller, its nodes, and the machines the guide takes for granted."""

    controller: Host
    nodes: tuple[Host, ...]
    services: Host
    client: Host

    @classmethod
    def of(cls, topology: TopologyLike) -> Self:
        """Take the cast from a topology.

        PlanError says which role is missing or doubled, or what of a machine does not fit.
        """
        if not (nodes := _with_role(topology, "node")):
            raise PlanError(
                "the topology has no machine with the role 'node'",
                hint="the multi-node guide needs a controller and at least one node",
            )
        site = cls(
            controller=_only(topology, "controller"),
            nodes=nodes,
            services=_only(topology, "services"),
            client=_only(topology, "client"),
        )
        _check_names(site)
        _check_ranges(site)
        return site

    @property
    def hosts(self) -> tuple[Host, ...]:
        """All machines."""
        return (self.services, self.controller, *self.nodes, self.client)

    @property
    def domain(self) -> str:
        """The DNS zone all names are in: the name server's own."""
        return self.services.fqdn.partition(".")[2]

    @property
    def web_fqdn(self) -> str:
        """The web server inside the zone that says who asked."""
        return f"www.{self.domain}"

    @property
    def api(self) -> str:
        """URL of the controller's API, as the nodes use it."""
        return f"https://{self.controller.fqdn}/vpn-server-api/api.php"

    @property
    def shared_fqdn(self) -> str:
        """The round-robin name of all nodes."""
        return f"nodes.{self.controller.fqdn}"

    def number(self, node: Host) -> int:
        """Return the profile number of a node's profile, from 1."""
        return self.nodes.index(node) + 1


def _with_role(topology: TopologyLike, role: str) -> tuple[Host, ...]:
    return tuple(_host(machine) for machine in topology.machines if role in machine.roles)


def _host(machine: MachineLike) -> Host:
    if machine.ipv6 is None:
        raise PlanError(
            f"{machine.name} has no IPv6 address",
            hint="the multi-node guide gives each machine one of each family: set nics.ipv6",
        )
    ipv4, ipv6 = str(machine.ipv4), str(machine.ipv6)
    return Host(machine.name, machine.fqdn, ipv4, ipv6, machine.range, machine.range6)


def _check_names(site: Site) -> None:
    for host in site.hosts:
        if not host.fqdn.endswith(f".{site.domain}"):
            raise PlanError(
                f"{host.name}.fqdn: {host.fqdn} is not in the zone {site.domain}",
                hint=f"the name server answers for one zone, its own: {site.services.fqdn} is its",
            )


def _check_ranges(site: Site) -> None:
    """Refuse nodes that could not serve, or would give one address to two clients."""
    if len(site.nodes) > MOST_NODES:
        raise PlanError(f"the topology has {len(site.nodes)} nodes, {MOST_NODES} are possible")
    for node in site.nodes:
        for key, network, longest in (
            ("range", node.range, _LONGEST_PREFIX),
            ("range6", node.range6, _LONGEST_PREFIX6),
        ):
            if network is None:
                raise PlanError(
                    f"{node.name} has no {key}",
                    hint="set what each node gives its clients addresses from, as in"
                    ' the guide\'s table: range = "10.1.0.0/25", range6 = "fd00:1:1:1::/64"',
                )
            if network.prefixlen > longest:
                raise PlanError(
                    f"{node.name}.{key}: {network} is too small for two processes",
                    hint=f"expected a prefix of at most {longest}",
                )
            if network.version == 6 and network.prefixlen % 4:
                raise PlanError(f"{node.name}.{key}: {network}, expected a prefix divisible by 4")
    for one, other in combinations(site.nodes, 2):
        for key in ("range", "range6"):
            first, second = getattr(one, key), getattr(other, key)
            if first.overlaps(second):
                raise PlanError(
                    f"{other.name}.{key}: {second} overlaps {first} of {one.name}",
                    hint="no two nodes may give out one address",
                )


def _only(topology: TopologyLike, role: str) -> Host:
    found = _with_role(topology, role)
    if len(found) != 1:
        names = ", ".join(host.name for host in found) or "none"
        raise PlanError(
            f"the topology needs one machine with the role {role!r}, it has: {names}",
            hint="set `roles` in the topology file",
        )
    return found[0]
