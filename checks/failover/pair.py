"""The failover pair as it was configured: its nodes, their timers and ports, its secret."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from checks.protocols import budgets, carp
from evidence.errors import EvidenceError, Missing
from evidence.events.pair import NodeConfigured, PairConfigured, UcarpTimers
from evidence.secret import SecretReference


@dataclass(frozen=True)
class Node:
    """One node of the pair: its own address, its NIC's MAC and port, its engine's timers."""

    name: str
    address: str
    mac: str
    port: str
    engine: budgets.Engine


@dataclass(frozen=True)
class Pair:
    """A failover pair as configured; `nodes` by name, in the order primary, secondary.

    version: of VRRP, where keepalived is the engine. no_password: why ucarp's is not known.
    """

    virtual_ip: str
    vhid: int
    engine: str
    nodes: Mapping[str, Node]
    password: str
    virtual_mac: bool
    version: int
    no_password: str = ""

    @classmethod
    def of(cls, configured: PairConfigured, secret: Callable[[SecretReference], str]) -> Pair:
        """Read how it was configured; `secret` returns what the configuration refers to."""
        password, no_password = configured.password, ""
        if isinstance(password, SecretReference):
            try:
                password = secret(password)
            except EvidenceError as error:
                password, no_password = "", error.message
        nodes = {
            name: Node(name, node.address, node.mac, node.port, _engine(configured, name))
            for name, node in configured.nodes.items()
        }
        return cls(
            configured.virtual_ip,
            configured.vhid,
            configured.engine,
            nodes,
            password,
            configured.virtual_mac,
            configured.version,
            no_password,
        )

    @property
    def primary(self) -> Node:
        """The node that was set up as the first one, whichever is active."""
        return next(iter(self.nodes.values()))

    @property
    def secondary(self) -> Node:
        """The node that was set up as the second one, whichever is active."""
        return list(self.nodes.values())[1]

    @property
    def secret(self) -> carp.Secret:
        """What ucarp's digest is made with; raise Missing when its password is not known."""
        if self.no_password:
            raise Missing(f"no digest can be verified: {self.no_password}")
        return carp.Secret(self.password, self.virtual_ip, self.vhid)

    @property
    def slowest_period_s(self) -> float:
        """The longer one of the nodes' periods."""
        return max(node.engine.period_s for node in self.nodes.values())

    @property
    def healing_s(self) -> float:
        """How long two masters that hear each other may last: as long as an election."""
        return max(node.engine.healing().maximum_s for node in self.nodes.values())

    @property
    def dead_s(self) -> float:
        """The longest silence after which a standby acts, its polling included."""
        return max(node.engine.last_advert_to_takeover().maximum_s for node in self.nodes.values())

    def node(self, name: str) -> Node:
        """Find a node by name; raise Missing when the configuration has none of that name."""
        if name not in self.nodes:
            raise Missing(f"pair.configured names {', '.join(self.nodes)}, but not {name}")
        return self.nodes[name]

    def peer_of(self, name: str) -> Node:
        """Find the other node."""
        self.node(name)
        return next(node for node in self.nodes.values() if node.name != name)

    def node_at(self, port: str) -> Node | None:
        """Find the node that is plugged into a port of the wire."""
        return next((node for node in self.nodes.values() if port and node.port == port), None)


def _engine(configured: PairConfigured, name: str) -> budgets.Engine:
    own = configured.nodes[name].timers
    if not isinstance(own, UcarpTimers):
        return budgets.Keepalived(own.advert_int, own.priority, configured.version)
    other = _other(configured, name).timers
    watched = other if isinstance(other, UcarpTimers) else own
    return budgets.Ucarp(
        advbase=own.advbase,
        advskew=own.advskew,
        deadratio=own.deadratio,
        active_advbase=watched.advbase,
        active_advskew=watched.advskew,
    )


def _other(configured: PairConfigured, name: str) -> NodeConfigured:
    return next(node for key, node in configured.nodes.items() if key != name)
