"""MN-16: client traffic leaves the node under the node's own address, IPv4 and IPv6.

The web server's log says from where it was asked; each path is asked once, so a line in the log is
that client's request. The wire has the last word: nothing that a node sends bears an address of
its clients' ranges.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.engine.unanswered import is_silence, judge_unanswered
from checks.multi_node.deployment import Deployment, Network, deployment
from checks.multi_node.guide import FAMILIES
from checks.multi_node.traffic import port_owner, traffic
from checks.multi_node.tunnels import Attempt, owe_looks, visits
from evidence.events.portal import WebAsked, WebLogged
from evidence.events.run import HostLate
from evidence.packets import parse
from evidence.scenario import Evidence


@check("MN-16")
def under_the_nodes_address(evidence: Evidence, owed: Obligations) -> None:
    """See what clients of a node ask for come from that node's address, over both families."""
    site = deployment(evidence, owed)
    attempts, seen = visits(evidence, site), traffic(evidence, site)
    seen.judge_senders(owed)
    owe_looks(evidence, owed)
    logged = evidence.events(WebLogged, site.services.name)
    asked = evidence.events(WebAsked, site.client.name)
    for node in site.nodes:
        here = [one for one in attempts if site.node_of(one.tried.remote) == node]
        for attempt in here:
            attempt.judge(seen, owed.owe(f"{attempt.name} is connected"))
        for family in FAMILIES:
            one = owed.owe(f"what a client of {node} asks for over IPv{family} comes from {node}")
            for event in asked:
                if event.family == family and any(_is_of(event, one) for one in here):
                    _judge_request(event, logged, site.address(node, family), site, seen.late, one)
    _judge_wire(evidence, site, owed)


def _is_of(event: WebAsked, visit: Attempt) -> bool:
    """Whether a client asked for something while it visited a node."""
    return event.client == visit.tried.client and visit.during.holds(event.at_ns)


def _judge_request(
    event: WebAsked,
    logged: Sequence[WebLogged],
    wanted: str,
    site: Deployment,
    late: Sequence[HostLate],
    one: Obligation,
) -> None:
    what = f"{event.client} over IPv{event.family}"
    rows = [(log.place, row) for log in logged for row in log.requests if row.path == event.path]
    if not event.status and not rows:
        why = f"{what} got no answer: {event.detail}"
        if is_silence(event.detail):
            node = site.owner_of(wanted)
            whose = site.client.name, node, site.services.name
            judge_unanswered(one, why, event.at_ns, whose, late, event.place)
        else:
            one.broken(why, event.place)
    elif not rows:
        one.doubt(f"{what}: the web server's log does not have {event.path}", event.place)
    for place, row in rows:
        if row.address != wanted:
            owner = site.owner_of(row.address)
            said = f"{what}: asked from {row.address}, which belongs to {owner}, not from {wanted}"
            one.broken(said, place, event.place)
        elif row.status != event.status:
            got = event.status or f"no answer ({event.detail})"
            one.doubt(f"{what} got {got}, but the log of it says {row.status}", place)
        else:
            one.met(place, event.place)


def _judge_wire(evidence: Evidence, site: Deployment, owed: Obligations) -> None:
    ranges = {node: _ranges(site, node) for node in site.nodes}
    own = {node: _own(site, node) for node in site.nodes}
    found: dict[str, set[str]] = {node: set() for node in site.nodes}
    for frame in evidence.frames():
        node, packet = port_owner(frame), parse(frame.data)
        source = packet.source if packet is not None else None
        if source and source not in own.get(node, ()) and _within(source, ranges.get(node, ())):
            found[node].add(source)
    for node, addresses in found.items():
        one = owed.owe(f"{node} sends nothing under an address of its clients")
        one.met(evidence.capture_place)
        for address in sorted(addresses):
            one.broken(f"{address}, an address inside the VPN, left {node} as it was")


def _ranges(site: Deployment, node: str) -> list[Network]:
    options = site.planned.profiles[node]
    return [ipaddress.ip_network(str(options[name])) for name in ("range", "range6")]


def _own(site: Deployment, node: str) -> set[str]:
    """Return the addresses that a node itself has inside: it may answer who has left from them."""
    return {str(network[1]) for process in site.process_ranges(node) for network in process}


def _within(address: str, ranges: Iterable[Network]) -> bool:
    return any(ipaddress.ip_address(address) in network for network in ranges)
