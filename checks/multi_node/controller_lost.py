"""MN-30: a controller that is down stops new connections and leaves standing ones alone.

Standing is who was in when it went down, whenever it was sent: who was served by then, or was up at
its last look. Who was on its way still is new: its hook finds no controller. One that is served
soon afterwards may have been let in just before; so may one by TCP, which has no keepalive.

A node asks the controller about each client by a hook, and serves nobody while it waits for the
answer. So "alone" means that the session goes on, also once the controller is back, for as long as
the client was watched: how long it stood still is a figure. A newcomer may get in then.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise

from checks.engine.lateness import missed
from checks.engine.obligations import Obligations
from checks.engine.registry import check
from checks.multi_node.deployment import Deployment, deployment
from checks.multi_node.guide import HANDSHAKE_S, PING_RESTART_S
from checks.multi_node.power import Outage, outages, owe_silence
from checks.multi_node.service import Served, Service
from checks.multi_node.traffic import Traffic, traffic
from checks.multi_node.tunnels import Attempt, had_left, last_attempts, owe_looks
from evidence.errors import Missing
from evidence.events.multi_node import TunnelStarted
from evidence.moment import NS, Window
from evidence.scenario import Evidence


@check("MN-30")
def nobody_new_and_nobody_less(evidence: Evidence, owed: Obligations) -> None:
    """Judge who stands, who comes while the controller is off, and who comes afterwards."""
    site = deployment(evidence, owed)
    attempts = last_attempts(evidence, site)
    owe_looks(evidence, owed)
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
    standing = [
        one
        for one in known
        if at[one.tried.client] < off_ns and _was_in(one, off_ns, evidence, seen)
    ]
    meanwhile = {one.tried.client: one for one in last_attempts(evidence, site, until_ns=on_ns)}
    newcomers = [
        meanwhile.get(one.tried.client, one)
        for one in known
        if at[one.tried.client] < on_ns and one not in standing
    ]
    later = [one for one in known if at[one.tried.client] >= on_ns]
    if {*clients} - away - begun.keys():
        owed.open("when some clients were sent to connect was not recorded")
    _owe_standing(standing, outage, seen, owed)
    _owe_kept_out(newcomers, outage, seen, owed)
    for attempt in later:
        one = owed.owe(f"{attempt.name}: gets in once the controller is back")
        if not attempt.tried.up and at[attempt.tried.client] < outage.back_ns:
            one.doubt(f"{attempt.name}: the controller may not have been back", attempt.tried.place)
        else:
            attempt.judge(seen, one)
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


def _was_in(attempt: Attempt, off_ns: int, evidence: Evidence, seen: Traffic) -> bool:
    """Whether a client was in at a moment, since it was sent last before that."""
    client, site = attempt.tried.client, attempt.site
    sent = [one.at_ns for one in evidence.events(TunnelStarted) if one.client == client]
    since = Window(max(at_ns for at_ns in sent if at_ns < off_ns), off_ns)
    looks = last_attempts(evidence, site, until_ns=off_ns)
    if any(x.tried.client == client and x.tried.up and since.holds(x.tried.at_ns) for x in looks):
        return True
    return bool(Service.of(attempt, seen).served_in(since))


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
        node, place = attempt.site.node_of(attempt.tried.remote) or "", seen.capture_place
        whose = {attempt.site.client.name, node, "wire"}
        since_ns, until_ns = _still(service, attempt.tried.transport, during)
        longest_s = (until_ns - since_ns) / NS
        for begun_ns in (at_ns for at_ns in service.begun if during.holds(at_ns)):
            why = f"{attempt.name}: it had to begin anew"
            last = service.last_before(begun_ns)
            span = last.at_ns if last else during.from_ns, begun_ns
            missed(one, why, max(span[1] - span[0], 1) / NS, span, whose, seen.late, place)
        if longest_s > PING_RESTART_S:
            why, span = f"{attempt.name}: nothing for {longest_s:.1f} s", (since_ns, until_ns)
            missed(one, why, longest_s - PING_RESTART_S, span, whose, seen.late, place)
        owed.tell(f"{service.client} stood still for {longest_s:.1f} s at most")


def _still(service: Service, transport: str, during: Window) -> tuple[int, int]:
    """Return from when to when (ns) a client had nothing of a node, at the longest.

    TCP has no keepalive: there only what a client waited for counts, from when it asked.
    """
    times = [served.at_ns for served in service.served_in(during)]
    longest = during.from_ns, during.from_ns
    for first, other in pairwise([during.from_ns, *times, during.until_ns]):
        asked = [one.at_ns for one in service.asked if first < one.at_ns < other]
        since_ns = first if transport == "udp" else min(asked, default=other)
        longest = max(longest, (since_ns, other), key=lambda span: span[1] - span[0])
    return longest


def _owe_kept_out(
    attempts: Sequence[Attempt], outage: Outage, seen: Traffic, owed: Obligations
) -> None:
    for attempt in attempts:
        service, tried = Service.of(attempt, seen), attempt.tried
        until_ns = outage.during.until_ns
        asked = Window(attempt.during.from_ns, min(attempt.during.until_ns, until_ns))
        one = owed.owe(f"{attempt.name}: is kept out while the controller is off")
        served = service.served_anew(attempt.during.from_ns, outage.during)
        if tried.at_ns < outage.during.from_ns:
            one.doubt(f"{attempt.name}: not looked at while the controller was off", tried.place)
        elif (tried.up or served) and _may_be_of_before(attempt, served, outage):
            why = f"{attempt.name}: it may have been let in just before the controller went off"
            one.doubt(why, tried.place, seen.capture_place)
        elif tried.up and tried.at_ns <= until_ns:
            one.broken(f"{attempt.name}: it got in", tried.place)
        elif served:
            one.broken(f"{attempt.name}: {served[0].node} served it", seen.capture_place)
        elif tried.at_ns > until_ns:
            one.doubt(f"{attempt.name}: looked at after the controller's return", tried.place)
        elif not seen.established(attempt.flow, asked):
            one.doubt(f"{attempt.name}: the node did not answer it at all", tried.place)
        else:
            one.met(tried.place, seen.capture_place)


def _may_be_of_before(attempt: Attempt, served: Sequence[Served], outage: Outage) -> bool:
    """Whether a client that is in, and was sent before, may have been let in before as well."""
    off_ns = outage.during.from_ns
    if attempt.during.from_ns >= off_ns:
        return False
    soon = bool(served) and served[0].at_ns <= off_ns + HANDSHAKE_S * NS
    return soon or attempt.tried.transport != "udp"
