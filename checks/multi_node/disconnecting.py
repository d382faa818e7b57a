"""MN-18: an administrator ends a client's tunnel, and whose tunnel was ended has none again.

What its client says, and whether an echo comes back, is seen by probes. The wire has the last word:
once it has ended, no node has anything for who asks it.
"""

from __future__ import annotations

from collections.abc import Sequence

from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.multi_node.connections import read_in
from checks.multi_node.deployment import Deployment, deployment, from_first
from checks.multi_node.service import Service
from checks.multi_node.traffic import FRAME_LATE_NS, Traffic, traffic
from checks.multi_node.tunnels import Attempt, last_attempts
from evidence.coverage import clock_text
from evidence.event import NS_BOUND
from evidence.events.portal import AccountActed, ConnectionsShown, TunnelProbed
from evidence.moment import Window
from evidence.scenario import Evidence


@check("MN-18")
def ended_by_an_administrator(evidence: Evidence, owed: Obligations) -> None:
    """See whom an administrator disables connected before, and neither up nor listed after."""
    site = deployment(evidence, owed)
    client = site.client.name
    pages = evidence.need(ConnectionsShown, client)
    seen, attempts = traffic(evidence, site), last_attempts_before(evidence, site)
    acted = evidence.events(AccountActed, client)
    disabled = [one for one in acted if one.action == "disable"]
    if not disabled:
        owed.open("no administrator disconnected anybody")
    for act in disabled:
        out = Window(act.at_ns, enabled_again(act, acted))
        attempt = attempts.get(act.client)
        if attempt is None:
            owed.open(f"{act.client} had no tunnel before it was disconnected", act.place)
            continue
        attempt.judge(seen, owed.owe(f"{attempt.name} is connected"))
        judge_sender(attempt, seen, owed)
        owed.require(
            act.status == 302,
            f"the portal disconnects {act.client}",
            f"{act.by} was answered {act.status} by the portal, not 302",
            act.place,
        )
        inside = (attempt.tried.tunnel4, attempt.tried.tunnel6)
        _judge_listed_until(act, out, inside, pages, owed)
        one = owed.owe(f"the tunnel of {act.client} has ended")
        probes = [one for one in evidence.events(TunnelProbed, client) if one.client == act.client]
        said = f"the tunnel of {act.client} still works"
        looks = from_first(read_in(probes, out), _has_ended)
        for probe in looks:
            one.settle(not probe.answered, f"{said}: an echo comes back", probe.place)
            one.settle(not probe.up, f"{said}, says its client", probe.place)
        for probe in looks[:1]:
            since = Window(probe.at_ns + FRAME_LATE_NS, out.until_ns)
            judge_unused(said, Service.of(attempt, seen), since, one)


def enabled_again(act: AccountActed, acted: Sequence[AccountActed]) -> int:
    """Return until when a client is surely kept out: somebody asks to let it in again, in ns.

    Nothing brings a deleted certificate back.
    """
    if act.action != "disable":
        return NS_BOUND
    asked = (
        one.asked_ns
        for one in acted
        if (one.client, one.action) == (act.client, "enable") and one.at_ns > act.at_ns
    )
    return min(asked, default=NS_BOUND)


def judge_unused(said: str, service: Service, during: Window, one: Obligation) -> None:
    """Break an obligation if the wire took data of a node to a client that asks it meanwhile."""
    used = service.used_in(during)
    if used is not None:
        why = f"{said}: {used.node} serves it at {clock_text(used.at_ns)}"
        one.broken(why, service.seen.capture_place)


def _has_ended(probe: TunnelProbed) -> bool:
    return not probe.answered and not probe.up


def judge_sender(attempt: Attempt, seen: Traffic, owed: Obligations) -> None:
    """Owe that a client's node, and nobody else, sends from that node's addresses."""
    node = attempt.site.node_of(attempt.tried.remote)
    if node is not None:
        seen.judge_senders(owed, (node,))


def last_attempts_before(evidence: Evidence, site: Deployment) -> dict[str, Attempt]:
    """Return by client how each stood before it was kept out; without such, how each ended."""
    found = {one.tried.client: one for one in last_attempts(evidence, site)}
    for act in evidence.events(AccountActed, site.client.name):
        if act.action != "enable" and act.client in found:
            earlier = last_attempts(evidence, site, until_ns=act.asked_ns)
            before = [one for one in earlier if one.tried.client == act.client]
            found = {**found, **{one.tried.client: one for one in before}}
            if not before:
                del found[act.client]
    return found


def _judge_listed_until(
    act: AccountActed,
    out: Window,
    inside: tuple[str, ...],
    pages: Sequence[ConnectionsShown],
    owed: Obligations,
) -> None:
    good = [page for page in pages if page.status == 200]
    before = [page for page in good if page.at_ns <= act.asked_ns]
    one = owed.owe(f"{act.client} stood on the page before")
    for page in before[-1:]:
        one.settle(bool(page.under(inside)), f"{act.client} was not on the page", page.place)
    known = {one for page in before[-1:] for one in page.certificates(inside)}
    one = owed.owe(f"{act.client} is gone from the page")
    for page in from_first(read_in(good, out), lambda page: not page.under(inside, known)):
        is_gone = not page.under(inside, known)
        one.settle(is_gone, f"{act.client} is still on the page", page.place)
