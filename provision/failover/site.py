"""The pair's cast: who is primary, who is secondary, what they share, and who is outside.

Taken from a topology by role. Everything a step writes that depends on names and addresses comes
from here; nothing else in the steps knows the guide's example addresses.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from typing import Self

from lab.topology import MachineSpec, Network, Role, Topology
from provision.errors import PlanError

#: The shared address of the guide's example.
VIRTUAL_IP = "192.168.70.222"

#: What the gateway forwards: OpenVPN by TCP, the web service, OpenVPN by UDP.
FORWARDED = (("tcp", 443), ("tcp", 943), ("udp", 1194))


@dataclass(frozen=True)
class Host:
    """A machine with its first address as text: alone, and in CIDR form."""

    name: str
    fqdn: str
    ipv4: str
    interface: str
    gateway: str
    """Its default gateway, "" for none."""


@dataclass(frozen=True)
class Site:
    """Two nodes on one network, a gateway that leads there, and a client outside."""

    primary: Host
    secondary: Host
    gateway: Host
    client: Host
    virtual_ip: str
    public_ip: str
    """The gateway's own address on the client's network: what the world sees of the pair."""

    @classmethod
    def of(cls, topology: Topology, virtual_ip: str = VIRTUAL_IP) -> Self:
        """Take the cast from a topology.

        PlanError says which role is missing or doubled, or why `virtual_ip` cannot be shared by
        the two nodes.
        """
        primary, secondary = _only(topology, "primary"), _only(topology, "secondary")
        gateway, client = _only(topology, "gateway"), _only(topology, "client")
        _check_networks(primary, secondary)
        _check_virtual_ip(virtual_ip, topology, primary)
        return cls(
            primary=_host(topology, primary),
            secondary=_host(topology, secondary),
            gateway=_host(topology, gateway),
            client=_host(topology, client),
            virtual_ip=virtual_ip,
            public_ip=_address_on(gateway, client.nics[0].network),
        )

    @property
    def nodes(self) -> tuple[Host, Host]:
        """Both nodes, the primary first."""
        return (self.primary, self.secondary)

    @property
    def hosts(self) -> tuple[Host, ...]:
        """All machines."""
        return (*self.nodes, self.gateway, self.client)

    @property
    def public_fqdn(self) -> str:
        """The name that clients connect to: the domain of the nodes."""
        return self.primary.fqdn.partition(".")[2]

    def partner(self, node: Host) -> Host:
        """Return the other node."""
        return self.secondary if node == self.primary else self.primary


def _host(topology: Topology, machine: MachineSpec) -> Host:
    nic = machine.nics[0]
    network = topology.networks[nic.network].ipv4
    return Host(
        name=machine.name,
        fqdn=machine.fqdn,
        ipv4=str(nic.ipv4),
        interface=f"{nic.ipv4}/{network.prefixlen}",
        gateway=str(nic.gateway4 or ""),
    )


def _only(topology: Topology, role: Role) -> MachineSpec:
    found = topology.with_role(role)
    if len(found) != 1:
        names = ", ".join(machine.name for machine in found) or "none"
        raise PlanError(
            f"the topology needs one machine with the role {role!r}, it has: {names}",
            hint="set `roles` in the topology file",
        )
    return found[0]


def _check_networks(primary: MachineSpec, secondary: MachineSpec) -> None:
    one, other = primary.nics[0].network, secondary.nics[0].network
    if one != other:
        raise PlanError(
            f"the primary is in the network {one!r}, the secondary in {other!r}",
            hint="the heartbeat does not leave its network: both nodes must be in the same one",
        )


def _check_virtual_ip(virtual_ip: str, topology: Topology, primary: MachineSpec) -> None:
    network: Network = topology.networks[primary.nics[0].network]
    try:
        address = IPv4Address(virtual_ip)
    except AddressValueError as error:
        raise PlanError(f"the virtual IP {virtual_ip!r} is not an IPv4 address: {error}") from None
    if address not in network.ipv4 or address in (
        network.ipv4.network_address,
        network.ipv4.broadcast_address,
    ):
        raise PlanError(
            f"the virtual IP must be a host's address in the nodes' network {network.ipv4}, "
            f"not {address}"
        )
    for machine in topology.machines:
        if any(nic.ipv4 == address for nic in machine.nics):
            raise PlanError(f"the virtual IP {address} is the address of {machine.name}")


def _address_on(gateway: MachineSpec, network: str) -> str:
    for nic in gateway.nics:
        if nic.network == network:
            return str(nic.ipv4)
    raise PlanError(
        f"{gateway.name} has no NIC on the client's network {network!r}",
        hint="the gateway forwards ports from there to the virtual IP",
    )
