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

from checks.multi_node.guide import HOSTS, NODES, PORT, TRANSPORTS
from checks.multi_node.tunnels import process_ranges
from evidence.events.multi_node import Ping, Transport, TunnelStarted, TunnelTried
from evidence.history import History
from evidence.secret import Secrets, in_profile
from lab.errors import DeadlinePassed
from provision.vpn_clients import Client, Tunnel, VpnClients

_FIRST_ADDRESS = 101  # of those kept free on the wire for clients: 145.0.6.101 and up
_PROTOCOL = {
    ("udp", 4): "udp4",
    ("udp", 6): "udp6",
    ("tcp", 4): "tcp4-client",
    ("tcp", 6): "tcp6-client",
}


@dataclass(frozen=True)
class Way:
    """One way into a node: its OpenVPN by one protocol over one family."""

    node: str
    transport: Transport
    family: int

    @property
    def name(self) -> str:
        """What the client that takes it is called."""
        return f"{self.node}-{self.transport}{self.family}"

    @property
    def remote(self) -> str:
        """The address it leads to."""
        return HOSTS[self.node].address(self.family)

    def only(self, profile: str) -> str:
        """Return a downloaded profile with this way as its only remote."""
        kept = [line for line in profile.splitlines() if not line.startswith("remote ")]
        protocol = _PROTOCOL[self.transport, self.family]
        return "\n".join([f"remote {self.remote} {PORT} {protocol}", *kept, ""])


def client(number: int, name: str, config: str) -> Client:
    """Return the `number`th client, with its own addresses on the wire."""
    last = _FIRST_ADDRESS + number
    return Client(name, config, f"145.0.6.{last}", f"2001:610:188:418:145:0:6:{last}")


def connect(
    vpn_clients: VpnClients, history: History, wanted: Sequence[Client], *, seconds: float
) -> dict[str, Tunnel]:
    """Connect clients side by side, record when each was sent; return what became of each."""
    for one in wanted:
        Secrets(history.path.parent).keep(in_profile(one.name, one.config))
        history.record(TunnelStarted(source="client", client=one.name))
    vpn_clients.connect_all(wanted)
    with contextlib.suppress(DeadlinePassed):
        vpn_clients.wait_up([one.name for one in wanted], seconds)
    tunnels = vpn_clients.statuses([one.name for one in wanted])
    return {tunnel.name: tunnel for tunnel in tunnels}


def record_tunnels(
    vpn_clients: VpnClients,
    history: History,
    wanted: Iterable[Client],
    tunnels: Mapping[str, Tunnel],
    ways: Mapping[str, Way],
) -> None:
    """Ping each tunnel's far end and record one `TunnelTried` a client.

    `ways` says which way a client was given; one without took the way it found.
    """
    up = {name: inside(tunnel, 4) for name, tunnel in tunnels.items() if tunnel.up}
    targets = {name: far_end(address) for name, address in up.items() if address}
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
                source="client",
                client=one.name,
                transport=way.transport if way else transport_of(inside(tunnel, 4)),
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


def far_end(address: str) -> str:
    """Return the server's address in the range that a client's address is of, "" for none."""
    for node in NODES:
        for network, _ in process_ranges(node):
            if ipaddress.ip_address(address) in network:
                return str(network[1])
    return ""


def transport_of(address: str) -> Transport | Literal[""]:
    """Return the protocol of the process whose range a client's address is of, "" for none."""
    for node in NODES:
        for transport, (network, _) in zip(TRANSPORTS, process_ranges(node), strict=True):
            if address and ipaddress.ip_address(address) in network:
                return transport
    return ""
