"""Echo requests on the wire, by the machine at whose port they came in: what a node sends on."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from checks.engine.lateness import missed
from checks.engine.obligations import Obligation
from checks.multi_node.deployment import Deployment
from checks.multi_node.traffic import port_owner
from evidence.events.access import ForwardTried
from evidence.events.run import HostLate
from evidence.moment import Window
from evidence.packets import parse
from evidence.scenario import Evidence

_REQUESTS = ((1, 8), (58, 128))
"""Protocol and type."""
_CONTENT_AT = 4
ANSWERS_S = 3.0
"""An answer is waited for so long, at the least."""


@dataclass(frozen=True)
class Echo:
    """An echo request; `owner` is the machine at whose port it came in.

    content: its identifier, its sequence number and its data, which all go with it.
    """

    at_ns: int
    owner: str
    source: str
    target: str
    content: bytes


@dataclass(frozen=True)
class Echoes:
    """Those that the wire carried; `place` is the capture's.

    late: when the host kept processes from running meanwhile.
    """

    place: str
    seen: tuple[Echo, ...]
    late: Sequence[HostLate] = ()

    def requests(self, owner: str, target: str, during: Window) -> list[Echo]:
        """Return the requests of a machine to `target`, from whatever address."""
        return [
            one
            for one in self.seen
            if (one.owner, one.target) == (owner, target) and during.holds(one.at_ns)
        ]


def echoes(evidence: Evidence) -> Echoes:
    """Gather them from the scenario's capture."""
    found = []
    for frame in evidence.frames():
        packet = parse(frame.data)
        if packet is None or not packet.payload or not frame.passed_to_all:
            continue
        asks = (packet.protocol, packet.payload[0]) in _REQUESTS
        if asks and packet.source and packet.target:
            content = packet.payload[_CONTENT_AT:]
            found.append(
                Echo(frame.at_ns, port_owner(frame), packet.source, packet.target, content)
            )
    return Echoes(evidence.capture_place, tuple(found), evidence.events(HostLate))


def judge_leaving(event: ForwardTried, sent: Echoes, site: Deployment, one: Obligation) -> None:
    """Settle whether a client's requests left its node under the node's address, and came back."""
    node, family = event.node, event.family
    profile = site.planned.profiles[node]
    inside = ipaddress.ip_network(str(profile["range" if family == 4 else "range6"]))
    during = Window(event.began_ns, event.at_ns)
    found = [one.source for one in sent.requests(node, event.target, during)]
    named = f"{event.source} by {node} to {event.target}"
    leaked = [source for source in found if ipaddress.ip_address(source) in inside]
    if leaked:
        one.broken(f"{named} left as {leaked[0]}", event.place, sent.place)
    elif not event.received:
        span, why = (event.began_ns, event.at_ns), f"{named} had no answer"
        whose = {event.source, site.client.name, node, site.owner_of(event.target), "wire"}
        missed(one, why, ANSWERS_S, span, whose, sent.late, event.place)
    elif found.count(site.address(node, family)) < event.sent:
        told = ", ".join(sorted(set(found))) or "nobody"
        one.doubt(f"{named}: the wire shows {len(found)} requests, of {told}", event.place)
    else:
        one.met(event.place, sent.place)
