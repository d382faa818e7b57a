"""MN-24: the clients of a node that dies connect to another node by themselves.

Over UDP a client notices by `ping-restart`, resolves the shared name once more, and tries what it
leads to, the dead node's addresses among them. The guide promises no time; the limit is what those
timers come to at most. Over TCP nothing tells it: vpn-server-node 2.1.4 gives TCP no keepalive, so
that who was connected by TCP and is not served elsewhere in time says nothing. Who is served for a
moment alone is not back; who had left before was no client.
"""

from __future__ import annotations

from checks.engine.in_time import Span, Watch, owe_in_time
from checks.engine.obligations import Obligations
from checks.engine.registry import check
from checks.multi_node.deployment import Deployment, deployment
from checks.multi_node.guide import (
    FAMILIES,
    HANDSHAKE_S,
    LONGEST_RETRY_S,
    PING_RESTART_S,
    POLL_TIMEOUT_S,
    TRANSPORTS,
)
from checks.multi_node.power import Outage, outages, owe_silence
from checks.multi_node.service import Served, Service
from checks.multi_node.staying import owe_staying
from checks.multi_node.traffic import traffic
from checks.multi_node.tunnels import Attempt, had_left, last_attempts, owe_by_itself, owe_looks
from checks.protocols.budgets import Budget
from checks.protocols.spread import spread
from evidence.errors import Missing
from evidence.events.run import HostLate
from evidence.moment import NS, Moment, Window
from evidence.scenario import Evidence


def arrival(site: Deployment) -> Budget:
    """Return what a client's timers come to until it is at another node."""
    ways = len(site.nodes) * len(FAMILIES) * len(TRANSPORTS)
    return Budget(
        0,
        PING_RESTART_S + (ways - 1) * (POLL_TIMEOUT_S + LONGEST_RETRY_S) + HANDSHAKE_S,
        f"ping-restart + {ways - 1} x (server-poll-timeout + connect-retry) + handshake",
        "vpn-server-node 2.1.4, vpn-user-portal 2.2.5",
    )


@check("MN-24")
def another_node_takes_them(evidence: Evidence, owed: Obligations) -> None:
    """Judge each client of a node whose power was cut: at another node, by itself, in time."""
    site = deployment(evidence, owed)
    attempts = last_attempts(evidence, site)
    owe_looks(evidence, owed)
    seen = traffic(evidence, site)
    services = {one.tried.client: Service.of(one, seen) for one in attempts}
    used = {served.node for service in services.values() for served in service.served}
    seen.judge_senders(owed, sorted(used))
    found = [outage for node in site.nodes for outage in outages(evidence, node)]
    if not found:
        raise Missing("no node lost its power")
    for outage in found:
        owe_silence(outage, evidence, owed)
        cut_ns = outage.off.moment.earliest_ns
        stood = {
            one.tried.client: one.tried.transport
            for one in last_attempts(evidence, site, until_ns=cut_ns)
            if _stood(one, services[one.tried.client], outage)
        }
        lost = [
            one
            for one in attempts
            if (one.tried.client in stood or _had(services[one.tried.client], outage))
            and not had_left(one.tried.client, cut_ns, evidence)
        ]
        places = outage.off.place, seen.capture_place
        owed.at_least(1, lost, f"clients of {outage.machine} when its power was cut", *places)
        for attempt in lost:
            client = attempt.tried.client
            service = services[client]
            by = stood.get(client) or _transport(service, outage)
            if by == "udp" or _is_in_time(service, outage, site):
                _owe_arrival(attempt, service, outage, evidence, owed)
            else:
                way = by.upper() or "no known protocol"
                owed.open(
                    f"{client} was connected by {way}, which has no keepalive of its own"
                    f" here: nothing tells it that {outage.machine} is gone",
                    *places,
                )
        seconds = [s for one in lost if (s := _took_s(services[one.tried.client], outage))]
        if seconds:
            owed.tell(f"{outage.machine}'s power cut to another node's service: {spread(seconds)}")


def _had(service: Service, outage: Outage) -> bool:
    """Whether a client had its service of the machine that was cut off, just before."""
    last = service.last_before(outage.off.moment.earliest_ns)
    return last is not None and last.node == outage.machine


def _transport(service: Service, outage: Outage) -> str:
    """Return by which protocol a client had its service last before a machine was cut off."""
    last = service.last_before(outage.off.moment.earliest_ns)
    return last.transport if last is not None else ""


def _is_in_time(service: Service, outage: Outage, site: Deployment) -> bool:
    """Whether another node surely had something for a client within the limit."""
    first = _first(service, outage)
    if first is None:
        return False
    most_s = (first.at_ns - outage.off.moment.earliest_ns) / NS
    return most_s <= arrival(site).maximum_s


def _stood(before: Attempt, service: Service, outage: Outage) -> bool:
    """Whether a client was connected to the machine when it was looked at last before.

    Unless it had its service of somebody since: then that is where it was.
    """
    tried, cut_ns = before.tried, outage.off.moment.earliest_ns
    last = service.last_before(cut_ns)
    if not tried.up or (last is not None and last.at_ns > tried.at_ns):
        return False
    until = Window(before.during.from_ns, cut_ns)
    is_there = before.site.node_of(tried.remote) == outage.machine
    return is_there and service.seen.established(before.flow, until)


def _first(service: Service, outage: Outage) -> Served | None:
    """Return the first that another node had for who asks it: one that was left may send on."""
    return service.used_in(outage.during, but=outage.machine)


def _took_s(service: Service, outage: Outage) -> float | None:
    first = _first(service, outage)
    return None if first is None else (first.at_ns - outage.off.at_ns) / NS


def _owe_arrival(
    attempt: Attempt, service: Service, outage: Outage, evidence: Evidence, owed: Obligations
) -> None:
    name, site, start = service.client, attempt.site, outage.off.moment
    first = _first(service, outage)
    others = [node for node in site.nodes if node != outage.machine]
    whose = {site.client.name, site.controller.name, site.services.name, *others, "wire"}
    places = outage.off.place, service.seen.capture_place
    watch = Watch(
        f"{name} served by another node than {outage.machine}",
        whose,
        start,
        Moment(start.at_ns + int(PING_RESTART_S * NS), start.uncertainty_ns),
        outage.during.until_ns,
        places,
        evidence.events(HostLate),
    )
    span = None if first is None else Span(start, Moment(first.at_ns))
    owe_in_time(owed, watch, span, arrival(site))
    if first is not None:
        owe_staying(service, watch, owed)
    owe_by_itself(attempt, start, evidence, service.seen, owed, watch)
