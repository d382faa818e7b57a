"""MN-18: an administrator ends a client's tunnel, and whose tunnel was ended has none again.

What its client says, and whether an echo comes back, is seen by probes. The wire has the last word:
once it has ended, no node has anything for who asks it. An administrator has ended what ended
before its client was made to leave, or sent to connect once more. Nobody tells a client over UDP:
it may take its tunnel for up until `ping-restart`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.multi_node.connections import Read, read_in
from checks.multi_node.deployment import Deployment, deployment, from_first
from checks.multi_node.guide import PING_RESTART_S
from checks.multi_node.service import Service
from checks.multi_node.traffic import FRAME_LATE_NS, Traffic, traffic
from checks.multi_node.tunnels import Attempt, had_left, last_attempts
from checks.multi_node.unanswered import settle_answer
from evidence.coverage import clock_text
from evidence.event import NS_BOUND
from evidence.events.multi_node import TunnelStarted
from evidence.events.portal import AccountActed, ConnectionsShown, TunnelProbed, TunnelTurned
from evidence.moment import NS, Window
from evidence.scenario import Evidence

_IN_USE_NS = 2 * NS
"""A tunnel that is used carries something at least so often."""


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
        own = Window(act.at_ns, min(out.until_ns, _sent_away(act, evidence)))
        attempt = attempts.get(act.client)
        if attempt is None or had_left(act.client, act.asked_ns, evidence):
            owed.open(f"{act.client} had no tunnel before it was disconnected", act.place)
            continue
        attempt.judge(seen, owed.owe(f"{attempt.name} is connected"))
        judge_sender(attempt, seen, owed)
        done = owed.owe(f"the portal disconnects {act.client}")
        judge_deed(act, site, seen, done)
        inside = (attempt.tried.tunnel4, attempt.tried.tunnel6)
        _judge_listed_until(act, own, out, inside, pages, owed)
        probes = [one for one in evidence.events(TunnelProbed, client) if one.client == act.client]
        _owe_ended(act, own, out, attempt, probes, seen, owed)


def judge_deed(act: AccountActed, site: Deployment, seen: Traffic, one: Obligation) -> None:
    """Settle whether the portal did what it was asked to."""
    why = f"{act.by} was answered {act.status} by the portal, not 302"
    settle_answer(act.status == 302, why, act, site, seen.late, one)


def _owe_ended(
    act: AccountActed,
    own: Window,
    out: Window,
    attempt: Attempt,
    probes: Sequence[TunnelProbed],
    seen: Traffic,
    owed: Obligations,
) -> None:
    """Owe that a tunnel has ended, for its client, for an echo through it, and for the wire.

    own: until when nothing else ended it. out: until when there must be none again.
    """
    told_ns = act.at_ns
    if attempt.tried.transport == "udp":
        told_ns += round(PING_RESTART_S * NS)

    def says_up(probe: TunnelProbed) -> bool:
        return probe.up and probe.at_ns >= told_ns

    one = owed.owe(f"the tunnel of {act.client} has ended")
    said = f"the tunnel of {act.client} still works"
    if own.until_ns < out.until_ns and not read_in(probes, own):
        _judge_unseen(said, Service.of(attempt, seen), own, one)
    looks = _since(probes, own, out, lambda probe: not probe.answered and not says_up(probe))
    for probe in looks:
        one.settle(not probe.answered, f"{said}: an echo comes back", probe.place)
        if says_up(probe):
            one.broken(f"{said}, says its client", probe.place)
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


def _judge_unseen(said: str, service: Service, own: Window, one: Obligation) -> None:
    """Judge by the wire alone what nobody looked at before something else ended the tunnel."""
    in_use = Window(max(own.from_ns, own.until_ns - _IN_USE_NS), own.until_ns)
    judge_unused(said, service, in_use, one)
    one.doubt(f"nobody looked whether {said} before {service.client} was sent away, or in again")


def _since(
    looks: Sequence[Read], own: Window, out: Window, shows: Callable[[Read], bool]
) -> Sequence[Read]:
    """Return the looks from the first one within `own` that shows something, until `out` ends."""
    found = list(from_first(read_in(looks, own), shows))
    found += [one for one in read_in(looks, out) if one.asked_ns > own.until_ns]
    return found


def _sent_away(act: AccountActed, evidence: Evidence) -> int:
    """Return when (ns) a client was first made to leave, or sent to connect, after an act."""
    began = [one for one in evidence.events(TunnelStarted) if one.client == act.client]
    ended = [one for one in evidence.events(TunnelTurned) if one.client == act.client]
    moments = [one.at_ns for one in began] + [one.after_ns for one in ended if not one.up]
    return min((at_ns for at_ns in moments if at_ns > act.at_ns), default=NS_BOUND)


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
    own: Window,
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
    if own.until_ns < out.until_ns and not read_in(good, own):
        one.doubt(f"nobody read the page before {act.client} was sent away, or in again", act.place)
    for page in _since(good, own, out, lambda page: not page.under(inside, known)):
        is_gone = not page.under(inside, known)
        one.settle(is_gone, f"{act.client} is still on the page", page.place)
