"""MN-11: the controller reaches each node's vpn-daemon; nobody else does, by the node's firewall.

A knock that was kept out must have been carried to the node. A refusal by the node itself (RST)
is none by its firewall: the daemon might listen again the next minute. A node that was stalled may
let a knock in when nobody waits for it any more: its answer counts for as long as the wire was
recorded, and silence says nothing of one that did not run.
"""

from __future__ import annotations

from collections.abc import Collection

from checks.engine.lateness import explain, missed, unclear
from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.multi_node.deployment import Deployment, deployment
from checks.multi_node.guide import DAEMON_PORT, FAMILIES
from checks.protocols.knocks import Knocks, knocks
from evidence.events.access import Knock, PortsKnocked
from evidence.events.run import HostLate
from evidence.moment import NS, Window
from evidence.scenario import Evidence

ANSWERS_S = 3.0
"""A knock without an answer for so long is silent."""


@check("MN-11")
def only_the_controller_reaches_the_daemon(evidence: Evidence, owed: Obligations) -> None:
    """Every machine knocks at 41194 of every node; the controller alone is let in."""
    site = deployment(evidence, owed)
    evidence.need(PortsKnocked)
    seen = every_knock(evidence)
    for node in site.nodes:
        for machine in (one for one in site.hosts if one != node):
            for family in FAMILIES:
                lets_in = machine == site.controller.name
                what = "reaches" if lets_in else "is kept from"
                one = owed.owe(f"{machine} {what} vpn-daemon of {node} over IPv{family}")
                for event in asked(evidence, machine, node, family, "tcp"):
                    for knock in event.knocks:
                        if knock.port == DAEMON_PORT:
                            judge_knock(event, knock, lets_in, seen, site, one)
                            if lets_in and knock.said == "reset":
                                why = f"{machine} finds nobody at {DAEMON_PORT} of {node}"
                                one.broken(why, event.place)


def every_knock(evidence: Evidence) -> Knocks:
    """Return what the scenario's capture shows of knocks, and of answers."""
    until_ns = evidence.window.until_ns
    return knocks(evidence.frames(), evidence.capture_place, evidence.events(HostLate), until_ns)


def asked(
    evidence: Evidence, machine: str, node: str, family: int, transport: str
) -> list[PortsKnocked]:
    """Return a machine's knocks at a node by one protocol over one family."""
    wanted = node, family, transport
    return [
        event
        for event in evidence.events(PortsKnocked, machine)
        if (event.node, event.family, event.transport) == wanted
    ]


def judge_knock(
    event: PortsKnocked,
    knock: Knock,
    lets_in: bool,
    seen: Knocks,
    site: Deployment,
    one: Obligation,
) -> None:
    """Settle whether a knock was let in, or kept out, as it should be; the wire has the last word.

    A port that nobody listens on is let in as well when the node says so itself.
    """
    machine, node, family, port = event.source, event.node, event.family, knock.port
    way = site.address(machine, family), site.address(node, family), event.transport, port
    until_ns = 0 if lets_in else seen.until_ns
    found = seen.between(machine, node, way, Window(event.began_ns, event.at_ns), until_ns)
    named = f"{machine} at {event.transport}/{port} of {node} over IPv{family}"
    through = found & {"let in", "closed"}
    if "knock" not in found:
        one.doubt(f"{named}: the wire carried no knock", event.place)
    elif lets_in:
        told = knock.said in ("open", "reset")
        if through and told:
            one.met(event.place, seen.place)
        elif told or through:
            _doubt(event, knock, named, seen, one)
        else:
            _judge_unanswered(event, knock, named, seen, one)
    elif "let in" in through:
        one.broken(f"{named} is let in", event.place)
    elif through:
        one.broken(f"{named} got past the firewall: the node itself answers", event.place)
    elif knock.said == "open":
        _doubt(event, knock, named, seen, one)
    elif knock.said == "silent" and (stalled := _stalled(event, found, seen)):
        one.late(f"{named}: {knock.said}, but {stalled}", event.place)
    else:
        one.met(event.place, seen.place)


def _stalled(event: PortsKnocked, found: Collection[str], seen: Knocks) -> str | None:
    """Say what kept a node from answering a knock until the end, if something did.

    None where it was refused, or where the node ran for long enough to answer.
    """
    if "prohibited" in found:
        return None
    span = event.began_ns, seen.until_ns
    excess_s = max(span[1] - span[0], 1) / NS
    return explain(excess_s, span, {event.node, "wire"}, seen.late)


def _doubt(event: PortsKnocked, knock: Knock, named: str, seen: Knocks, one: Obligation) -> None:
    """Keep an obligation open where who knocked was told something else than the wire carried."""
    why = f"{named}: {knock.said} by what it was told, not so by the wire"
    span, whose = _on_the_way(event)
    unclear(one, why, ANSWERS_S, span, whose, seen.late, event.place)


def _judge_unanswered(
    event: PortsKnocked, knock: Knock, named: str, seen: Knocks, one: Obligation
) -> None:
    """Break an obligation by a knock that was not let in, unless its answer came too late."""
    why = f"{named} is not let in: {knock.said}"
    if knock.said == "silent":
        span, whose = _on_the_way(event)
        missed(one, why, ANSWERS_S, span, whose, seen.late, event.place)
    else:
        one.broken(why, event.place)


def _on_the_way(event: PortsKnocked) -> tuple[tuple[int, int], set[str]]:
    return (event.began_ns, event.at_ns), {event.source, event.node, "wire"}
