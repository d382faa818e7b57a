"""VPN clients of a scenario: connected together, recorded as `TunnelTried`, gone at its end.

A tunnel that does not come up is a finding, not an error: it is recorded as it is, with the end of
its log, and the check has the last word.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from checks.multi_node.deployment import Deployment
from checks.multi_node.guide import FAMILIES, PORT, TRANSPORTS
from evidence.events.multi_node import Family, Ping, Transport, TunnelStarted, TunnelTried
from evidence.history import History
from evidence.secret import Secrets, in_profile
from lab.errors import DeadlinePassed, ScenarioError
from provision.vpn_clients import Client, Tunnel, VpnClients

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


def ways(site: Deployment, *transports: Transport) -> list[Way]:
    """Return every way into each node by some protocols, over IPv4 and IPv6."""
    return [
        Way(node, transport, address)
        for node in site.nodes
        for transport in transports
        for address in site.hosts[node].addresses.values()
    ]


def clients(site: Deployment, configs: Mapping[str, str]) -> list[Client]:
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


def by_ways(site: Deployment, wanted: Sequence[Way], profiles: Sequence[str]) -> list[Client]:
    """Return a client for each way, with a downloaded profile that has no other.

    A process lets a certificate in once at a time: one profile for each family is enough.
    """
    one_each = {family: profiles[index] for index, family in enumerate(FAMILIES)}
    return clients(site, {way.name: way.only(one_each[way.family]) for way in wanted})


def connect(
    vpn_clients: VpnClients,
    history: History,
    site: Deployment,
    wanted: Sequence[Client],
    *,
    seconds: float,
) -> dict[str, Tunnel]:
    """Connect clients side by side, record when each was sent; return what became of each."""
    start(vpn_clients, history, site, wanted)
    with contextlib.suppress(DeadlinePassed):
        vpn_clients.wait_up([one.name for one in wanted], seconds)
    tunnels = vpn_clients.statuses([one.name for one in wanted])
    return {tunnel.name: tunnel for tunnel in tunnels}


def connect_in_turn(
    vpn_clients: VpnClients,
    history: History,
    site: Deployment,
    wanted: Sequence[Client],
    *,
    seconds_each: float,
) -> dict[str, Tunnel]:
    """Connect clients one after the other; return what became of each.

    A node's process serves nobody while it asks who may come in. Who waits for it for longer than
    `server-poll-timeout` tries the next way: by TCP, where nothing tells a client of a dead node.
    """
    found: dict[str, Tunnel] = {}
    for one in wanted:
        found |= connect(vpn_clients, history, site, [one], seconds=seconds_each)
    return found


def start(
    vpn_clients: VpnClients, history: History, site: Deployment, wanted: Sequence[Client]
) -> None:
    """Send clients to connect, and record when each was sent."""
    for one in wanted:
        Secrets(history.path.parent).keep(in_profile(one.name, one.config))
        history.record(TunnelStarted(source=site.client.name, client=one.name))
    vpn_clients.connect_all(wanted)


def record_tunnels(
    vpn_clients: VpnClients,
    history: History,
    site: Deployment,
    wanted: Iterable[Client],
    tunnels: Mapping[str, Tunnel],
    ways: Mapping[str, Way],
) -> None:
    """Ping each tunnel's far end and record one `TunnelTried` a client.

    `ways` says which way a client was given; one without took the way it found.
    """
    up = {name: inside(tunnel, 4) for name, tunnel in tunnels.items() if tunnel.up}
    targets = {name: far_end(site, address) for name, address in up.items() if address}
    answered = vpn_clients.ping_all(targets)
    for one in wanted:
        tunnel, way = tunnels[one.name], ways.get(one.name)
        remote = (way.remote if way else tunnel.remote) or ""
        ping = Ping(
            target=targets.get(one.name, ""),
            sent=int(one.name in targets),
            received=int(answered.get(one.name, False)),
        )
        history.record(
            TunnelTried(
                source=site.client.name,
                client=one.name,
                transport=way.transport if way else transport_of(site, inside(tunnel, 4)),
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
