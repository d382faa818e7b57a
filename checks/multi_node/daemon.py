"""MN-10: vpn-daemon lets the controller in by TLS, and nobody who shows something else.

What was refused must have been sent, and have had no answer. The wire has the last word: what came
from the daemon's port in the clear was answered in the clear.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.engine.unanswered import is_silence, judge_unanswered
from checks.multi_node.deployment import Deployment, deployment
from checks.multi_node.guide import DAEMON_PORT, FAMILIES
from checks.multi_node.traffic import port_owner
from evidence.events.access import DaemonTried
from evidence.events.run import HostLate
from evidence.packets import TCP, parse
from evidence.scenario import Evidence

_IN = ("client", "1.2", "the controller's certificate, by TLS 1.2")
_OUT = (
    ("none", "1.2", "no certificate"),
    ("other-ca", "1.2", "a certificate of another CA"),
    ("server", "1.2", "the daemon's own certificate"),
    ("plain", "", "no TLS"),
    ("client", "1.1", "its certificate by TLS 1.1"),
)


@dataclass
class _Carried:
    """What the wire carried between a daemon's port and the controller, by who sent it."""

    asked: int = 0
    answered: int = 0
    clear: list[bytes] = field(default_factory=list)


@check("MN-10")
def daemon_wants_a_certificate(evidence: Evidence, owed: Obligations) -> None:
    """Each node's daemon answers the controller by TLS, and no other peer at all."""
    site = deployment(evidence, owed)
    tried = evidence.need(DaemonTried, site.controller.name)
    carried = _carried(evidence, site)
    for node in site.nodes:
        for family in FAMILIES:
            own = [one for one in tried if (one.node, one.family) == (node, family)]
            own = [one for one in own if one.port == DAEMON_PORT]
            where = f"vpn-daemon of {node} over IPv{family}"
            let_in = [one for one in own if (one.shown, one.tls) == _IN[:2]]
            _judge_in(where, let_in, {node, site.controller.name}, evidence, owed)
            for shown, tls, called in _OUT:
                one = owed.owe(f"{where} refuses {called}")
                for event in (event for event in own if (event.shown, event.tls) == (shown, tls)):
                    _judge_out(where, called, event, one)
            one = owed.owe(f"the wire shows sessions with {where}, none in the clear")
            found = carried[node, family]
            if found.asked and found.answered:
                one.met(evidence.capture_place)
            for text in found.clear[:1]:
                one.broken(f"{where} answered in the clear: {text[:40]!r}", evidence.capture_place)
    owed.tell(f"{len(tried)} connections to the daemons of {len(site.nodes)} nodes were tried")


def _judge_in(
    where: str,
    events: list[DaemonTried],
    whose: set[str],
    evidence: Evidence,
    owed: Obligations,
) -> None:
    one = owed.owe(f"{where} lets the controller in by TLS 1.2")
    for event in events:
        said = event.answer or event.detail or "nothing"
        if not event.answer and is_silence(event.detail):
            why, late = f"{where} did not let the controller in: {said}", evidence.events(HostLate)
            judge_unanswered(one, why, event.at_ns, whose, late, event.place)
        elif not event.answer.startswith("OK: "):
            one.broken(f"{where} did not let the controller in: {said}", event.place)
        elif event.connected and event.sent:
            one.met(event.place)
        else:
            one.doubt(f"{where} answered {said!r} to who never asked", event.place)


def _judge_out(where: str, called: str, event: DaemonTried, one: Obligation) -> None:
    if event.answer:
        one.broken(f"{where} answered {called}: {event.answer!r}", event.place)
    elif not event.connected:
        one.doubt(f"{where} was not reached with {called}: {event.detail}", event.place)
    elif not event.sent:
        one.doubt(f"{called} was never sent to {where}: {event.detail}", event.place)
    elif is_silence(event.detail):
        one.doubt(f"{where} did not refuse {called}, it said nothing", event.place)
    else:
        one.met(event.place)


def _carried(evidence: Evidence, site: Deployment) -> dict[tuple[str, int], _Carried]:
    """Return what was carried, by node and family; what came in at another's port is not theirs."""
    found: dict[tuple[str, int], _Carried] = {
        (node, family): _Carried() for node in site.nodes for family in FAMILIES
    }
    ends = {
        (site.address(node, family), site.controller.address(family)): (node, family)
        for node, family in found
    }
    for frame in evidence.frames():
        packet = parse(frame.data)
        if packet is None or packet.protocol != TCP or not packet.payload:
            continue
        if not frame.passed_to_all:
            continue
        source, target = packet.source or "", packet.target or ""
        sender = port_owner(frame)
        if packet.source_port == DAEMON_PORT and (key := ends.get((source, target))):
            one = found[key]
            one.answered += len(packet.payload) if sender == key[0] else 0
            if packet.payload.startswith((b"OK: ", b"ERR: ")):
                one.clear.append(packet.payload)
        elif packet.target_port == DAEMON_PORT and (key := ends.get((target, source))):
            found[key].asked += len(packet.payload) if sender == site.controller.name else 0
    return found
