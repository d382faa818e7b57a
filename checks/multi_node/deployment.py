"""The deployment that a check judges by: who its machines are, and what its nodes are to serve.

Read from the evidence (`DeploymentPlanned`) and from nowhere else: checks hold no name, address or
range of their own, so that any site is judged alike, with any number of nodes. What the guide fixes
for all sites stands in `guide`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import dropwhile
from typing import TypeVar

from checks.engine.obligations import Obligations
from checks.multi_node.guide import TRANSPORTS
from evidence.errors import Imprecise, Missing
from evidence.event import Event
from evidence.events.deployment import DeploymentPlanned, MachinePlanned, Options
from evidence.scenario import Evidence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Look = TypeVar("Look")


@dataclass(frozen=True)
class Host:
    """A machine: its name, its name in DNS, its addresses and their prefix lengths by family."""

    name: str
    fqdn: str
    addresses: Mapping[int, str]
    bits: Mapping[int, int]

    @classmethod
    def of(cls, planned: MachinePlanned) -> Host:
        """Read a machine as it was planned."""
        return cls(
            planned.name,
            planned.fqdn,
            {4: planned.ipv4, 6: planned.ipv6},
            {4: planned.bits4, 6: planned.bits6},
        )

    def address(self, family: int) -> str:
        """Return its IPv4 (4) or IPv6 (6) address."""
        return self.addresses[family]

    def network(self, family: int) -> Network:
        """Return the network that it is in."""
        text = f"{self.addresses[family]}/{self.bits[family]}"
        return ipaddress.ip_network(text, strict=False)


@dataclass(frozen=True)
class Deployment:
    """A site: its machines by name, its nodes in order, and the profiles that they serve."""

    planned: DeploymentPlanned

    @cached_property
    def hosts(self) -> Mapping[str, Host]:
        """All machines by name, in order."""
        return {one.name: Host.of(one) for one in self.planned.machines}

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """The nodes' names, in order."""
        return tuple(one.name for one in self.planned.nodes)

    @property
    def controller(self) -> Host:
        """The machine with the API, the portal and the log of connections."""
        return self._only("controller")

    @property
    def services(self) -> Host:
        """The machine with the DNS server."""
        return self._only("services")

    @property
    def client(self) -> Host:
        """The machine with the VPN clients."""
        return self._only("client")

    def _only(self, role: str) -> Host:
        return self.hosts[self.planned.with_role(role)[0].name]

    @property
    def strangers(self) -> tuple[str, ...]:
        """The machines that no `Require ip` names, nor `Require local`.

        A machine may have two roles: one that is the controller as well, or a node, is none.
        """
        inside = {self.controller.name, *self.nodes}
        others = dict.fromkeys((self.client.name, self.services.name))
        return tuple(one for one in others if one not in inside)

    @property
    def shared_name(self) -> str:
        """The name that leads to all nodes."""
        return self.planned.shared_name

    def profiles(self, *, merged: bool) -> Mapping[str, Options]:
        """Return the table of profiles, before or after the section "Load Balancing"."""
        return self.planned.merged_profiles if merged else self.planned.profiles

    def address(self, machine: str, family: int) -> str:
        """Return a machine's address of a family."""
        return self.hosts[machine].address(family)

    def node_addresses(self, family: int) -> list[str]:
        """Return the nodes' addresses of a family, in order."""
        return [self.address(node, family) for node in self.nodes]

    def node_of(self, address: str) -> str | None:
        """Return the node that has `address`; None when none has."""
        return next((node for node in self.nodes if self._has(node, address)), None)

    def owner_of(self, address: str) -> str:
        """Name the machine that has `address`, for a reason."""
        owners = (machine for machine in self.hosts if self._has(machine, address))
        return next(owners, "no machine of the lab")

    def _has(self, machine: str, address: str) -> bool:
        return address in self.hosts[machine].addresses.values()

    def number(self, node: str) -> int:
        """Return the number of a node's profile."""
        return int(str(self.planned.profiles[node]["profileNumber"]))

    def process_ranges(self, node: str) -> tuple[tuple[Network, Network], ...]:
        """Return the IPv4 and IPv6 range of each of a node's processes, one a transport.

        vpn-server-node 2.1.4: the IPv4 range in equal parts; the i-th /112 of the IPv6 range.
        """
        options = self.planned.profiles[node]
        bits = (len(TRANSPORTS) - 1).bit_length()
        parts = ipaddress.IPv4Network(str(options["range"])).subnets(prefixlen_diff=bits)
        base = int(ipaddress.IPv6Network(str(options["range6"])).network_address)
        return tuple(
            (network, ipaddress.IPv6Network((base + (index << 16), 112)))
            for index, network in enumerate(parts)
        )


def deployment(evidence: Evidence, owed: Obligations) -> Deployment:
    """Return what was to be deployed, and owe that it is known.

    Raises Missing when it was not recorded, Imprecise when two records of it differ.
    """
    found = evidence.events(DeploymentPlanned)
    if not found:
        raise Missing("no deployment.planned was recorded: what was to be deployed is not known")
    first = found[0]
    for other in found[1:]:
        if differing := _differing(_said(first), _said(other)):
            raise Imprecise(
                f"{first.place} and {other.place} plan two deployments that differ in {differing}"
            )
    owed.owe("what was to be deployed is known").met(*(one.place for one in found))
    return Deployment(first)


def _said(planned: DeploymentPlanned) -> dict[str, object]:
    return planned.model_dump(exclude={*Event.model_fields})


def _differing(one: Mapping[str, object], other: Mapping[str, object]) -> str:
    return ", ".join(name for name, value in one.items() if other[name] != value)


def named(names: Sequence[str]) -> str:
    """Say names as one would: "a and b", "a, b and c"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def from_first(looks: Sequence[Look], shows: Callable[[Look], bool]) -> Sequence[Look]:
    """Return the looks from the first one that shows something on; the last alone if none does.

    What holds at one look has to hold at each later one.
    """
    return [*dropwhile(lambda look: not shows(look), looks)] or looks[-1:]
