"""The deployment's cast: who is controller, who are the nodes, and what follows from it.

Taken from a topology by role. Everything a step writes that depends on names and addresses comes
from here; nothing else in the steps knows the guide's example addresses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
        """Its IPv6 address, likewise."""


class TopologyLike(Protocol):
    """What a site needs of a topology."""

    @property
    def machines(self) -> Sequence[MachineLike]:
        """All machines, in order."""


@dataclass(frozen=True)
class Host:
    """A machine with its addresses as text."""

    name: str
    fqdn: str
    ipv4: str
    ipv6: str


@dataclass(frozen=True)
class Site:
    """One controller, its nodes, and the machines the guide takes for granted."""

    controller: Host
    nodes: tuple[Host, ...]
    services: Host
    client: Host

    @classmethod
    def of(cls, topology: TopologyLike) -> Self:
        """Take the cast from a topology; PlanError says which role is missing or doubled."""
        if not (nodes := _with_role(topology, "node")):
            raise PlanError(
                "the topology has no machine with the role 'node'",
                hint="the multi-node guide needs a controller and at least one node",
            )
        return cls(
            controller=_only(topology, "controller"),
            nodes=nodes,
            services=_only(topology, "services"),
            client=_only(topology, "client"),
        )

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


def title(node: Host) -> str:
    """Return the display name of a node's profile: "Node A" for node-a."""
    return node.name.replace("-", " ").title()


def _with_role(topology: TopologyLike, role: str) -> tuple[Host, ...]:
    return tuple(
        Host(machine.name, machine.fqdn, str(machine.ipv4), str(machine.ipv6))
        for machine in topology.machines
        if role in machine.roles
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
