"""What the wire carried between clients and the nodes' OpenVPN: how much, when, and by whom.

The wire has the last word: a tunnel counts only if the server sent that client at least as much as
a TLS handshake takes, and a node's addresses are its own only if what is sent from them comes in at
its own port of the wire, from a MAC that does not speak for the other node. What the wire dropped
was sent, but not carried.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from checks.engine.lateness import FRAME_LATE_S
from checks.engine.obligations import Obligations
from checks.multi_node.deployment import Deployment
from checks.multi_node.guide import PORT
from checks.protocols.openvpn import opcodes
from evidence.capture import Frame
from evidence.events.run import HostLate, SiteHeard
from evidence.moment import NS, Window
from evidence.packets import TCP, UDP, Packet, parse
from evidence.scenario import Evidence

HANDSHAKE_BYTES = 1000  # the server's certificate alone is more; bare TCP retries carry nothing
FRAME_LATE_NS = round(FRAME_LATE_S * NS)
"""How late a frame may reach the wire without anybody having noted it: see `lateness`."""

_TRANSPORT = {TCP: "tcp", UDP: "udp"}

Flow = tuple[str, str, str]  # client's address, server's address, transport


def port_owner(frame: Frame) -> str:
    """Return the machine at whose port (`machine/nic`) a frame came in."""
    return frame.interface.partition("/")[0]


@dataclass(frozen=True)
class Payload:
    """What one frame carried of a flow, or was to carry; `port_owner` and `mac` sent it.

    client_port: the client's end of the flow. opcodes: of the OpenVPN packets in it. ends: whether
    it ends a TCP connection.
    """

    at_ns: int
    octets: int
    carried: bool
    port_owner: str
    mac: str
    client_port: int
    opcodes: tuple[int, ...] = ()
    ends: bool = False


@dataclass
class Traffic:
    """What OpenVPN's port carried, flow by flow, each way, and when the host was late.

    unsure_ns: how far off the moment of a frame may be: the wire's are exact, a site's measured.
    """

    capture_place: str
    site: Deployment
    to_server: defaultdict[Flow, list[Payload]] = field(default_factory=lambda: defaultdict(list))
    from_server: defaultdict[Flow, list[Payload]] = field(default_factory=lambda: defaultdict(list))
    late: Sequence[HostLate] = ()
    unsure_ns: int = 0

    def established(self, flow: Flow, during: Window) -> bool:
        """Whether a TLS handshake can have taken place."""
        return self.asked(flow, during) > 0 and self.arrived(flow, during) >= HANDSHAKE_BYTES

    def asked(self, flow: Flow, during: Window) -> int:
        """How many bytes of the client the wire took to the server."""
        return _octets(self.to_server[flow], during, lambda one: one.carried)

    def arrived(self, flow: Flow, during: Window) -> int:
        """How many bytes of the server the wire took to the client."""
        return _octets(self.from_server[flow], during, lambda one: one.carried)

    def dropped(self, flow: Flow, during: Window) -> int:
        """How many bytes of either the wire dropped."""
        both = (*self.to_server[flow], *self.from_server[flow])
        return _octets(both, during, lambda one: not one.carried)

    def latest(self, client: Collection[str], during: Window) -> Flow | None:
        """Return the established flow of a client's addresses in which the client spoke last.

        A server may go on sending to who has left it.
        """
        spoke = {
            flow: max(one.at_ns for one in self.to_server[flow] if _was_said(one, during))
            for flow in self.from_server
            if flow[0] in client and self.established(flow, during)
        }
        return max(spoke, key=spoke.__getitem__, default=None)

    def last_word(self, node: str) -> int:
        """Return when the wire took something of a node's OpenVPN to anybody last; 0 for never."""
        said = (
            one.at_ns
            for flow, sent in self.from_server.items()
            if self.site.node_of(flow[1]) == node
            for one in sent
            if one.carried and one.octets
        )
        return max(said, default=0)

    def judge_senders(self, owed: Obligations, of: Collection[str] = ()) -> None:
        """Owe for each node, or some, that it, and nobody else, sends from its addresses."""
        nodes = self.site.nodes
        senders: dict[str, set[tuple[str, str]]] = {node: set() for node in nodes}
        for (_, server, _), sent in self.from_server.items():
            node = self.site.node_of(server)
            if node in senders:
                senders[node] |= {(one.port_owner, one.mac) for one in sent if one.carried}
        for node in of or nodes:
            found = senders[node]
            one = owed.owe(f"{node}, and nobody else, answers for its addresses")
            others = {mac: other for other in nodes if other != node for _, mac in senders[other]}
            for owner, mac in sorted(found):
                if not owner:
                    one.doubt(f"the capture does not say at which port {mac} is")
                elif owner != node:
                    one.broken(f"{owner} ({mac}) answers for the addresses of {node}")
                if mac in others:
                    one.broken(f"{mac} answers for the addresses of {others[mac]} and of {node}")
            if found:
                one.met(self.capture_place)


def _was_said(one: Payload, during: Window) -> bool:
    return during.holds(one.at_ns) and one.carried and one.octets > 0


def _octets(sent: Iterable[Payload], during: Window, wanted: Callable[[Payload], bool]) -> int:
    return sum(one.octets for one in sent if during.holds(one.at_ns) and wanted(one))


def traffic(evidence: Evidence, site: Deployment) -> Traffic:
    """Gather what clients and port 1194 sent each other in the scenario's capture."""
    unsure_ns = max((one.uncertainty_ns for one in evidence.events(SiteHeard)), default=0)
    seen = Traffic(
        evidence.capture_place, site, late=evidence.events(HostLate), unsure_ns=unsure_ns
    )
    for frame, packet in _packets(evidence):
        transport = _TRANSPORT[packet.protocol or 0]
        source, target = packet.source or "", packet.target or ""
        # A client may have the same port of its own: then the addresses tell the two apart.
        is_asked = packet.target_port == PORT and not _is_of_server(packet, site)
        sent = Payload(
            frame.at_ns,
            len(packet.payload),
            frame.passed_to_all,
            port_owner(frame),
            packet.source_mac,
            (packet.source_port if is_asked else packet.target_port) or 0,
            opcodes(packet.payload, transport),
            packet.ends,
        )
        if is_asked:
            seen.to_server[source, target, transport].append(sent)
        elif packet.payload or packet.ends:
            seen.from_server[target, source, transport].append(sent)
    return seen


def _is_of_server(packet: Packet, site: Deployment) -> bool:
    return packet.source_port == PORT and site.node_of(packet.source or "") is not None


def _packets(evidence: Evidence) -> Iterator[tuple[Frame, Packet]]:
    for frame in evidence.frames():
        packet = parse(frame.data)
        if packet is None or packet.protocol not in _TRANSPORT:
            continue
        if PORT in (packet.source_port, packet.target_port):
            yield frame, packet
