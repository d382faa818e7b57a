"""What the nodes did for one client, by the wire: its packets, and since when there are none.

A client is served while the wire takes data packets of a node's OpenVPN to it; a handshake is no
service, nor is what the wire dropped. How exactly an interruption can be told depends on how often
there is something to carry: scenarios let each client ask twice a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from checks.multi_node.traffic import Flow, Payload, Traffic
from checks.multi_node.tunnels import Attempt
from checks.protocols.openvpn import CLIENT_RESETS, CONTROL, DATA
from evidence.moment import NS, Window


@dataclass(frozen=True)
class Served:
    """A packet that the wire took to a client, or from it: when, and which node's it was.

    transport: "udp" or "tcp".
    """

    at_ns: int
    node: str
    client_port: int
    transport: str


@dataclass(frozen=True)
class Away:
    """From the last packet before an interruption to the first one after it."""

    last: Served
    first: Served

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return (self.first.at_ns - self.last.at_ns) / NS


@dataclass(frozen=True)
class Service:
    """What one client got, by the addresses that it has on the wire."""

    client: str
    addresses: tuple[str, str]
    seen: Traffic

    @classmethod
    def of(cls, attempt: Attempt, seen: Traffic) -> Service:
        """Return the service of the client whose attempt it is."""
        tried = attempt.tried
        return cls(tried.client, (tried.address4, tried.address6), seen)

    @cached_property
    def served(self) -> Sequence[Served]:
        """Every data packet that the wire took to it from a node, in the order of time."""
        found = [
            Served(one.at_ns, node, one.client_port, flow[2])
            for flow, one in self._sent(from_server=True)
            if (node := self.seen.site.node_of(flow[1])) is not None
            and one.carried
            and any(opcode in DATA for opcode in one.opcodes)
        ]
        return sorted(found, key=lambda one: one.at_ns)

    @cached_property
    def asked(self) -> Sequence[Served]:
        """Every packet that the wire took from it to a node, in the order of time."""
        found = [
            Served(one.at_ns, node, one.client_port, flow[2])
            for flow, one in self._sent(from_server=False)
            if (node := self.seen.site.node_of(flow[1])) is not None and one.carried and one.octets
        ]
        return sorted(found, key=lambda one: one.at_ns)

    @cached_property
    def begun(self) -> Sequence[int]:
        """When it began a session, each time, whatever became of it."""
        return sorted(
            one.at_ns
            for _, one in self._sent(from_server=False)
            if any(opcode in CLIENT_RESETS for opcode in one.opcodes)
        )

    def served_in(self, during: Window) -> list[Served]:
        """Return the data packets of a stretch of time."""
        return [one for one in self.served if during.holds(one.at_ns)]

    def served_anew(self, since_ns: int, during: Window) -> list[Served]:
        """Return the data packets of a stretch that came to ports it has used since a moment.

        Each session has a port of its own (`nobind`): a node may send on to one that was left.
        """
        ports = {
            one.client_port for _, one in self._sent(from_server=False) if one.at_ns >= since_ns
        }
        return [one for one in self.served_in(during) if one.client_port in ports]

    def last_before(self, at_ns: int) -> Served | None:
        """Return the last data packet before a moment; None when there was none."""
        return next((one for one in reversed(self.served) if one.at_ns < at_ns), None)

    def first_after(self, at_ns: int) -> Served | None:
        """Return the first data packet after a moment; None when none came."""
        return next((one for one in self.served if one.at_ns > at_ns), None)

    def used_in(self, during: Window, but: str = "") -> Served | None:
        """Return the first data packet of a node to a client that had sent it one just before.

        Who has left, or was sent away, may be sent something for a while: it does not answer. None
        when there was none in a stretch of time. but: a node that does not count.
        """
        said = [
            (one.at_ns, node)
            for flow, one in self._sent(from_server=False)
            if (node := self.seen.site.node_of(flow[1])) is not None
            and one.carried
            and during.holds(one.at_ns)
            and any(opcode in DATA for opcode in one.opcodes)
        ]
        return next(
            (
                one
                for one in self.served_in(during)
                if one.node != but
                and any(node == one.node and at_ns <= one.at_ns for at_ns, node in said)
            ),
            None,
        )

    def told_at(self, node: str, during: Window) -> int | None:
        """Return when `node` told it, in a stretch, that its session is over; None if it did not.

        Over UDP by a message on the control channel of the session that it has; what comes after
        it began another one is of that one's handshake. Over TCP by the end of the connection.
        """
        until_ns = min((one for one in self.begun if during.holds(one)), default=during.until_ns)
        found = [
            one.at_ns
            for flow, one in self._sent(from_server=True)
            if self.seen.site.node_of(flow[1]) == node
            and one.carried
            and during.from_ns <= one.at_ns <= until_ns
            and (one.ends if flow[2] == "tcp" else CONTROL in one.opcodes)
        ]
        return min(found, default=None)

    def away(self, during: Window) -> Away | None:
        """Return the longest interruption that reaches into a stretch; None without packets."""
        gaps = [
            Away(one, other)
            for one, other in pairwise(self.served)
            if other.at_ns > during.from_ns and one.at_ns < during.until_ns
        ]
        return max(gaps, key=lambda one: one.seconds, default=None)

    def octets(self, node: str, during: Window) -> int:
        """Return how much the wire took between it and a node, each way, in a stretch of time."""
        both = (*self._sent(from_server=True), *self._sent(from_server=False))
        return sum(
            one.octets
            for flow, one in both
            if self.seen.site.node_of(flow[1]) == node and one.carried and during.holds(one.at_ns)
        )

    def _sent(self, *, from_server: bool) -> Iterator[tuple[Flow, Payload]]:
        way = self.seen.from_server if from_server else self.seen.to_server
        for flow, sent in way.items():
            if flow[0] in self.addresses:
                yield from ((flow, one) for one in sent)
