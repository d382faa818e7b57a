"""Echo requests on the wire, by the machine at whose port they came in: what a node sends on."""

from __future__ import annotations

from dataclasses import dataclass

from checks.multi_node.traffic import port_owner
from evidence.moment import Window
from evidence.packets import parse
from evidence.scenario import Evidence

_REQUESTS = ((1, 8), (58, 128))
"""Protocol and type."""


@dataclass(frozen=True)
class Echo:
    """An echo request; `owner` is the machine at whose port it came in."""

    at_ns: int
    owner: str
    source: str
    target: str


@dataclass(frozen=True)
class Echoes:
    """Those that the wire carried; `place` is the capture's."""

    place: str
    seen: tuple[Echo, ...]

    def requests(self, owner: str, target: str, during: Window) -> set[str]:
        """Return the addresses from which a machine asked `target`."""
        return {
            one.source
            for one in self.seen
            if (one.owner, one.target) == (owner, target) and during.holds(one.at_ns)
        }


def echoes(evidence: Evidence) -> Echoes:
    """Gather them from the scenario's capture."""
    found = []
    for frame in evidence.frames():
        packet = parse(frame.data)
        if packet is None or not packet.payload or not frame.passed_to_all:
            continue
        asks = (packet.protocol, packet.payload[0]) in _REQUESTS
        if asks and packet.source and packet.target:
            found.append(Echo(frame.at_ns, port_owner(frame), packet.source, packet.target))
    return Echoes(evidence.capture_place, tuple(found))
