"""MN-15: a client connects to each node by UDP and TCP, over IPv4 and IPv6.

Events read:
    tunnel    of the client machine, one an attempt to connect, when it is up or given up:
              `client` (its name), `transport` ("udp", "tcp"), `family` (4, 6: the outer one),
              `remote` (the server's address, "" while there was none), `address4`, `address6`
              (the client's own on the wire), `up`, `tunnel4`, `tunnel6` (its addresses inside
              the tunnel, "" without), `ping` {target, sent, received} through the tunnel,
              `detail` (OpenVPN's last words)

The wire has the last word on what was carried: a tunnel counts only if the server sent that client
at least as much as a TLS handshake takes.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from checks.engine.registry import check
from checks.engine.verdict import Findings, Verdict
from checks.multi_node.guide import (
    FAMILIES,
    HOSTS,
    NODES,
    PORT,
    PROFILES,
    TRANSPORTS,
    node_of,
    owner_of,
)
from evidence.packets import TCP, UDP, Packet, parse
from evidence.history import Event
from evidence.scenario import Evidence

HANDSHAKE_BYTES = 1000  # the server's certificate alone is more; bare TCP retries carry nothing

_TRANSPORT = {TCP: "tcp", UDP: "udp"}

Flow = tuple[str, str, str]  # client's address, server's address, transport


@dataclass
class Traffic:
    """What OpenVPN's port carried: payload bytes a flow, each way, and when a server last spoke."""

    to_server: Counter[Flow] = field(default_factory=Counter)
    from_server: Counter[Flow] = field(default_factory=Counter)
    last_from_server_ns: dict[Flow, int] = field(default_factory=dict)

    def established(self, flow: Flow) -> bool:
        """Whether a TLS handshake can have taken place."""
        return self.to_server[flow] > 0 and self.from_server[flow] >= HANDSHAKE_BYTES


def traffic(evidence: Evidence) -> Traffic:
    """Add up the payload between clients and port 1194 in the scenario's capture."""
    seen = Traffic()
    for at_ns, packet in _packets(evidence):
        transport = _TRANSPORT[packet.protocol or 0]
        source, target = packet.source or "", packet.target or ""
        if packet.target_port == PORT:
            seen.to_server[source, target, transport] += len(packet.payload)
        elif packet.payload:
            flow = target, source, transport
            seen.from_server[flow] += len(packet.payload)
            seen.last_from_server_ns[flow] = at_ns
    return seen


def _packets(evidence: Evidence) -> Iterator[tuple[int, Packet]]:
    for frame in evidence.frames():
        packet = parse(frame.data)
        if packet is None or packet.protocol not in _TRANSPORT:
            continue
        if PORT in (packet.source_port, packet.target_port):
            yield frame.at_ns, packet


@dataclass(frozen=True)
class Tunnel:
    """One `tunnel` event, read."""

    place: str
    client: str
    transport: str
    family: int
    remote: str
    address: str
    up: bool
    tunnel4: str
    tunnel6: str
    ping: dict[str, Any]
    detail: str

    @classmethod
    def of(cls, event: Event) -> Tunnel:
        """Read an event; raise Missing when it lacks a field."""
        family = event["family"]
        return cls(
            place=event.place,
            client=event["client"],
            transport=event["transport"],
            family=family,
            remote=str(ipaddress.ip_address(event["remote"])) if event["remote"] else "",
            address=str(ipaddress.ip_address(event["address4" if family == 4 else "address6"])),
            up=event["up"],
            tunnel4=event["tunnel4"],
            tunnel6=event["tunnel6"],
            ping=event["ping"],
            detail=event["detail"],
        )

    @property
    def name(self) -> str:
        """How reasons call it."""
        return f"{self.client} by {self.transport} over IPv{self.family} to {owner_of(self.remote)}"

    @property
    def node(self) -> str | None:
        """The node it was sent to."""
        return node_of(self.remote)

    @property
    def flow(self) -> Flow:
        """Its flow on the wire."""
        return self.address, self.remote, self.transport

    def judge(self, seen: Traffic, findings: Findings) -> None:
        """Note what keeps it from being a tunnel that works."""
        findings.saw(self.place)
        if not findings.require(self.up, f"{self.name}: no tunnel: {self.detail}"):
            return
        findings.require(
            self.ping["received"] > 0,
            f"{self.name}: no answer through the tunnel from {self.ping['target']}",
        )
        if self.node is not None:
            self._judge_range(self.node, findings)
        if not seen.established(self.flow):
            findings.gap(
                f"{self.name}: the wire carried {seen.from_server[self.flow]} bytes from"
                f" {self.remote} to {self.address}, too few for a tunnel"
            )

    def _judge_range(self, node: str, findings: Findings) -> None:
        ranges = process_ranges(node)[TRANSPORTS.index(self.transport)]
        for address, network in zip((self.tunnel4, self.tunnel6), ranges, strict=True):
            findings.require(
                bool(address) and ipaddress.ip_address(address) in network,
                f"{self.name}: it has {address or 'no address'} inside, not one of {network}",
            )


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def process_ranges(node: str) -> tuple[tuple[Network, Network], ...]:
    """Return the IPv4 and IPv6 range of each of a node's two processes: UDP, then TCP.

    vpn-server-node 2.1.4: the IPv4 range in equal parts; the i-th /112 of the IPv6 range.
    """
    half = ipaddress.IPv4Network(PROFILES[node]["range"]).subnets(prefixlen_diff=1)
    whole6 = ipaddress.IPv6Network(PROFILES[node]["range6"])
    base = int(whole6.network_address)
    return tuple(
        (network, ipaddress.IPv6Network((base + (index << 16), 112)))
        for index, network in enumerate(half)
    )


@check("MN-15")
def every_way_in(evidence: Evidence) -> Verdict:
    """All eight ways to reach a node's OpenVPN give a tunnel that carries traffic."""
    findings = Findings()
    findings.saw(evidence.capture_place)
    tunnels = [Tunnel.of(event) for event in evidence.need("tunnel")]
    seen = traffic(evidence)
    for node in NODES:
        for transport in TRANSPORTS:
            for family in FAMILIES:
                _judge_way(node, transport, family, tunnels, seen, findings)
    return findings.verdict("both nodes let clients in by UDP and TCP, over IPv4 and IPv6")


def _judge_way(
    node: str,
    transport: str,
    family: int,
    tunnels: list[Tunnel],
    seen: Traffic,
    findings: Findings,
) -> None:
    remote = HOSTS[node].address(family)
    tried = [t for t in tunnels if (t.transport, t.remote) == (transport, remote)]
    if not tried:
        findings.gap(f"nobody tried {node} by {transport} over IPv{family}")
    for tunnel in tried:
        tunnel.judge(seen, findings)
