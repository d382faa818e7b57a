"""VPN clients of a scenario: connected together, recorded as `TunnelTried`, gone at its end.

A tunnel that does not come up is a finding, not an error: it is recorded as it is, with the end of
its log, and the check has the last word.
"""

from __future__ import annotations

import contextlib
import ipaddress
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from checks.multi_node.deployment import Deployment
from checks.multi_node.guide import FAMILIES, PORT, TRANSPORTS
from evidence.events.multi_node import Family, Ping, Transport, TunnelStarted, TunnelTried
from evidence.history import History
from evidence.secret import Secrets, in_profile
from lab.errors import DeadlinePassed, ScenarioError
from provision.vpn_clients import Client, Tunnel, VpnClients
from scenarios.multi_node.tunnel_clients import WAIT_S

SECONDS_EACH = 15
"""For all clients of a scenario that connect together, times their number."""
_PROTOCOL = {
    ("udp", 4): "udp4",
    ("udp", 6): "udp6",
    ("tcp", 4): "tcp4-client",
    ("tcp", 6): "tcp6-client",
}


@dataclass(frozen=True)
class Way:
    """One way into a node: its OpenVPN by one protocol over one family.

    remote: the address it leads to.
    """

    node: str
    transport: Transport
    remote: str

    @property
    def family(self) -> Family:
        """IPv4 (4) or IPv6 (6)."""
        return ipaddress.ip_address(self.remote).version

    @property
    def name(self) -> str:
        """What the client that takes it is called."""
        return f"{self.node}-{self.transport}{self.family}"

    def only(self, profile: str) -> str:
        """Return a downloaded profile with this way as its only remote."""
        kept = [line for line in profile.splitlines() if not line.startswith("remote ")]
        protocol = _PROTOCOL[self.transport, self.family]
        return "\n".join([f"remote {self.remote} {PORT} {protocol}", *kept, ""])


def ways(site: Deployment, *transports: Transport) -> dict[str, Way]:
    """Return every way into each node by some protocols, over IPv4 and IPv6, by its name."""
    each = [
        Way(node, transport, address)
        for node in site.nodes
        for transport in transports
        for address in site.hosts[node].addresses.values()
    ]
    return {way.name: way for way in each}


def addressed(site: Deployment, configs: Mapping[str, str]) -> list[Client]:
    """Return clients by the names of their configurations, each with its own addresses."""
    free4, free6 = (_free(site, family, len(configs)) for family in (4, 6))
    return [
        Client(name, config, ipv4, ipv6)
        for (name, config), ipv4, ipv6 in zip(configs.items(), free4, free6, strict=True)
    ]


def _free(site: Deployment, family: int, wanted: int) -> list[str]:
    """Return so many addresses of the client machine's network that no machine has.

    From the network's middle on: machines are usually numbered from its beginning, gateways at
    either end.
    """
    network = site.client.network(family)
    taken = {host.address(family) for host in site.hosts.values()}
    middle = network.num_addresses // 2
    numbers = range(middle, min(network.num_addresses - 2, middle + wanted + len(taken)))
    free = [one for one in (str(network[number]) for number in numbers) if one not in taken]
    if len(free) < wanted:
        raise ScenarioError(
            f"{network} has no room for {wanted} clients beside its machines",
            hint="give the topology a larger network, or number its machines from the beginning",
        )
    return free[:wanted]


@dataclass(frozen=True)
class Clients:
    """The VPN clients of a scenario, all that they are given, and where it is recorded.

    profiles: the configurations that users have downloaded, one a user.
    """

    vpn: VpnClients
    profiles: Sequence[str]
    site: Deployment
    history: History

    def by_ways(self, each: Mapping[str, Way]) -> list[Client]:
        """Return a client for each way, by its name, with a profile that has no other.

        A process lets a certificate in once at a time: one profile for each family is enough.
        """
        one_each = {family: self.profiles[index] for index, family in enumerate(FAMILIES)}
        configs = {name: way.only(one_each[way.family]) for name, way in each.items()}
        return addressed(self.site, configs)

    def try_ways(
        self, each: Mapping[str, Way], *, seconds: float
    ) -> tuple[list[Client], dict[str, Tunnel]]:
        """Connect a client by each way, and record what became of it; return both."""
        wanted = self.by_ways(each)
        tunnels = self.connect(wanted, seconds=seconds)
        self.record(wanted, tunnels, each)
        return wanted, tunnels

    def connect(self, wanted: Sequence[Client], *, seconds: float) -> dict[str, Tunnel]:
        """Connect clients side by side, record when each was sent; return what became of each."""
        self.start(wanted)
        with contextlib.suppress(DeadlinePassed):
            self.vpn.wait_up([one.name for one in wanted], seconds)
        return self.tunnels(wanted)

    def connect_in_turn(
        self, wanted: Sequence[Client], *, seconds_each: float
    ) -> dict[str, Tunnel]:
        """Connect clients one after the other; return what became of each.

        A node's process serves nobody while it asks who may come in. Who waits for it for longer
        than `server-poll-timeout` tries the next way: by TCP, where nothing tells a client of a
        dead node.
        """
        found: dict[str, Tunnel] = {}
        for one in wanted:
            found |= self.connect([one], seconds=seconds_each)
        return found

    def start(self, wanted: Sequence[Client]) -> None:
        """Send clients to connect, and record when each was sent."""
        for one in wanted:
            Secrets(self.history.path.parent).keep(in_profile(one.name, one.config))
            self.history.record(TunnelStarted(source=self.site.client.name, client=one.name))
        self.vpn.connect_all(wanted)

    def tunnels(self, wanted: Iterable[Client]) -> dict[str, Tunnel]:
        """Return how clients stand, by their names."""
        return {one.name: one for one in self.vpn.statuses([one.name for one in wanted])}

    def record(
        self,
        wanted: Iterable[Client],
        tunnels: Mapping[str, Tunnel],
        ways: Mapping[str, Way] = MappingProxyType({}),
    ) -> None:
        """Ping each tunnel's far end and record one `TunnelTried` a client.

        `ways` says which way a client was given; one without took the way it found.
        """
        up = {name: inside(tunnel, 4) for name, tunnel in tunnels.items() if tunnel.up}
        targets = {name: far_end(self.site, address) for name, address in up.items() if address}
        began_ns = time.time_ns()
        answered = self.vpn.ping_all(targets)
        for one in wanted:
            tunnel, way = tunnels[one.name], ways.get(one.name)
            remote = (way.remote if way else tunnel.remote) or ""
            ping = Ping(
                target=targets.get(one.name, ""),
                sent=int(one.name in targets),
                received=int(answered.get(one.name, False)),
                began_ns=began_ns,
                waited_s=WAIT_S,
            )
            self.history.record(
                TunnelTried(
                    source=self.site.client.name,
                    client=one.name,
                    transport=way.transport if way else transport_of(self.site, inside(tunnel, 4)),
                    family=6 if ":" in remote else 4,
                    remote=remote,
                    address4=one.ipv4,
                    address6=one.ipv6,
                    up=tunnel.up,
                    tunnel4=inside(tunnel, 4),
                    tunnel6=inside(tunnel, 6),
                    ping=ping,
                    detail="" if tunnel.up else tunnel.log,
                )
            )


def inside(tunnel: Tunnel, family: int) -> str:
    """Return a tunnel's own address of one family, "" when it has none."""
    found = (ipaddress.ip_interface(address).ip for address in tunnel.addresses)
    return next((str(address) for address in found if address.version == family), "")


def far_end(site: Deployment, address: str) -> str:
    """Return the server's address in the range that a client's address is of, "" for none."""
    for node in site.nodes:
        for network, _ in site.process_ranges(node):
            if ipaddress.ip_address(address) in network:
                return str(network[1])
    return ""


def transport_of(site: Deployment, address: str) -> Transport | Literal[""]:
    """Return the protocol of the process whose range a client's address is of, "" for none."""
    for node in site.nodes:
        ranges = zip(TRANSPORTS, site.process_ranges(node), strict=True)
        for transport, (network, _) in ranges:
            if address and ipaddress.ip_address(address) in network:
                return transport
    return ""
