"""MN-30: a controller that is down stops new connections and leaves standing ones alone.

A node asks the controller about each client by a hook, and serves nobody while it waits for the
answer. So "alone" means that the session goes on, also once the controller is back, for as long as
the client was watched: how long it stood still is a figure. A newcomer may get in then.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise

from checks.engine.obligations import Obligations
from checks.engine.registry import check
from checks.multi_node.deployment import Deployment, deployment
from checks.multi_node.guide import PING_RESTART_S
from checks.multi_node.power import Outage, outages, owe_silence
from checks.multi_node.service import Service
from checks.multi_node.traffic import Traffic, traffic
from checks.multi_node.tunnels import Attempt, had_left, last_attempts
from evidence.errors import Missing
from evidence.events.multi_node import TunnelStarted
from evidence.moment import NS, Window
from evidence.scenario import Evidence


@check("MN-30")
def nobody_new_and_nobody_less(evidence: Evidence, owed: Obligations) -> None:
    """Judge who stands, who comes while the controller is off, and who comes afterwards."""
    site = deployment(evidence, owed)
    attempts = last_attempts(evidence, site)
    seen = traffic(evidence, site)
    seen.judge_senders(owed)
    found = list(outages(evidence, site.controller.name))
    if len(found) != 1:
        raise Missing(f"the controller was off {len(found)} times, once is needed")
    outage = found[0]
    owe_silence(outage, evidence, owed)
    off_ns, on_ns = outage.off.moment.earliest_ns, outage.during.until_ns
    clients = [one.tried.client for one in attempts]
    away = {client for client in clients if had_left(client, off_ns, evidence)}
    begun = _begun(evidence, away, off_ns)
    known = [one for one in attempts if one.tried.client in begun]
    at = {one.tried.client: begun[one.tried.client] for one in known}
    standing = [one for one in known if at[one.tried.client] < off_ns]
    meanwhile = {one.tried.client: one for one in last_attempts(evidence, site, until_ns=on_ns)}
    newcomers = [
        meanwhile.get(one.tried.client, one)
        for one in known
        if off_ns <= at[one.tried.client] < on_ns
    ]
    later = [one for one in known if at[one.tried.client] >= on_ns]
    if {*clients} - away - begun.keys():
        owed.open("when some clients were sent to connect was not recorded")
    _owe_standing(standing, outage, seen, owed)
    _owe_kept_out(newcomers, outage, seen, owed)
    for attempt in later:
        attempt.judge(seen, owed.owe(f"{attempt.name}: gets in once the controller is back"))
    for which, what in (
        (standing, "used when the controller went off"),
        (newcomers, "tried while the controller was off"),
        (later, "tried after the controller's return"),
    ):
        owed.each(site.nodes, _nodes(which, site), what)


def _begun(evidence: Evidence, away: Collection[str], off_ns: int) -> dict[str, int]:
    """Return by client when it was first sent to connect; who was away then, when it was again."""
    begun: dict[str, int] = {}
    for one in evidence.need(TunnelStarted):
        if one.client not in away or one.at_ns >= off_ns:
            begun.setdefault(one.client, one.at_ns)
    return begun


def _nodes(attempts: Sequence[Attempt], site: Deployment) -> set[str]:
    return {node for one in attempts if (node := site.node_of(one.tried.remote)) is not None}


def _owe_standing(
    attempts: Sequence[Attempt], outage: Outage, seen: Traffic, owed: Obligations
) -> None:
    for attempt in attempts:
        service = Service.of(attempt, seen)
        one = owed.owe(f"{attempt.name}: goes on while the controller is off")
        if attempt.tried.at_ns < outage.during.until_ns:
            one.doubt(f"how {service.client} stood in the end was not recorded")
        attempt.judge(seen, one)
        during = Window(outage.during.from_ns, max(outage.during.until_ns, attempt.tried.at_ns))
        times = [served.at_ns for served in service.served_in(during)]
        edges = pairwise([during.from_ns, *times, during.until_ns])
        longest_s = max((other - first) / NS for first, other in edges)
        if any(during.holds(at_ns) for at_ns in service.begun):
            one.broken(f"{attempt.name}: it had to begin anew", seen.capture_place)
        if longest_s > PING_RESTART_S:
            one.broken(f"{attempt.name}: nothing for {longest_s:.1f} s", seen.capture_place)
        owed.tell(f"{service.client} stood still for {longest_s:.1f} s at most")


def _owe_kept_out(
    attempts: Sequence[Attempt], outage: Outage, seen: Traffic, owed: Obligations
) -> None:
    for attempt in attempts:
        service, tried = Service.of(attempt, seen), attempt.tried
        until_ns = outage.during.until_ns
        asked = Window(attempt.during.from_ns, min(attempt.during.until_ns, until_ns))
        one = owed.owe(f"{attempt.name}: is kept out while the controller is off")
        served = service.served_in(outage.during)
        if tried.up and tried.at_ns <= until_ns:
            one.broken(f"{attempt.name}: it got in", tried.place)
        elif served:
            one.broken(f"{attempt.name}: {served[0].node} served it", seen.capture_place)
        elif tried.at_ns > until_ns:
            one.doubt(f"{attempt.name}: looked at after the controller's return", tried.place)
        elif not seen.established(attempt.flow, asked):
            one.doubt(f"{attempt.name}: the node did not answer it at all", tried.place)
        else:
            one.met(tried.place, seen.capture_place)
