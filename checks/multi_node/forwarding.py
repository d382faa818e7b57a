"""MN-29: a node forwards clients' packets to the outside, and answers to them; nothing else.

Tried between clients of one process and of two, and from outside, to a client and to somewhere
else. What is refused has no answer, and the node's own counters say that it was refused. From
outside the wire has the last word: nothing of it leaves the node again, under whatever address.
A client without a tunnel sent nothing: see `senders`.
"""

from __future__ import annotations

from collections.abc import Sequence

from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.multi_node.deployment import Deployment, deployment
from checks.multi_node.echoes import Echoes, echoes, judge_leaving
from checks.multi_node.guide import FAMILIES
from checks.multi_node.rules import Shown, forward_objections, judge_counted
from checks.multi_node.senders import Senders
from evidence.events.access import FirewallShown, ForwardTried, GuideTextTried
from evidence.moment import Window
from evidence.scenario import Evidence

REFUSED = ("to a client of the same process", "to a client of another", "in", "through")
FROM_OUTSIDE = ("in", "through")
LETS_IN = "forward-from-outside"
"""The erratum: by the guide's own rule, whoever is outside reaches clients."""


@check("MN-29")
def nothing_else_is_forwarded(evidence: Evidence, owed: Obligations) -> None:
    """Clients reach the outside, and neither each other nor is anybody let through to them."""
    site = deployment(evidence, owed)
    sent, senders = echoes(evidence), Senders(evidence, site)
    for node in site.nodes:
        shown = [Shown.of(event) for event in evidence.need(FirewallShown, node)]
        tried = [one for one in evidence.events(ForwardTried) if one.node == node]
        for family in FAMILIES:
            one = owed.owe(f"{node} forwards by the guide's rules of IPv{family}")
            for state in shown:
                one.met(state.event.place)
                ruleset = state.by_family[family]
                for objection in forward_objections(ruleset, state.event.interface, family):
                    one.broken(f"{node}, IPv{family}: {objection}", state.event.place)
            own = [event for event in tried if event.family == family]
            one = owed.owe(f"{node} lets a client out over IPv{family}")
            for event in (event for event in own if event.way == "out"):
                if not senders.judge(event, one):
                    judge_leaving(event, sent, site, one)
            for way in REFUSED:
                one = owed.owe(f"{node} refuses what goes {way} over IPv{family}")
                for event in (event for event in own if event.way == way):
                    if not senders.judge(event, one):
                        _judge_refused(event, sent, site, one)
            _judge_counters(node, family, shown, senders.of_use(own), sent, owed)
    one = owed.owe("by the guide's own rule the outside reaches a client")
    for text in evidence.events(GuideTextTried):
        if text.erratum == LETS_IN and text.status == 0:
            one.met(text.place)


def _judge_refused(event: ForwardTried, sent: Echoes, site: Deployment, one: Obligation) -> None:
    named = f"{event.source} by {event.node} {event.way}, to {event.target}"
    if event.received:
        one.broken(f"{named}: {event.received} of {event.sent} were answered", event.place)
        return
    if event.way not in FROM_OUTSIDE:
        one.met(event.place)
        return
    during = Window(event.began_ns, event.at_ns)
    own = site.address(event.source, event.family)
    by_source = sent.requests(event.source, event.target, during)
    asked = {echo.content for echo in by_source if echo.source == own}
    if any(
        echo.source == own or echo.content in asked
        for echo in sent.requests(event.node, event.target, during)
    ):
        one.broken(f"{named}: the node sent it on", event.place, sent.place)
    elif not asked:
        one.doubt(f"{named}: the wire carried no request", event.place)
    else:
        one.met(event.place, sent.place)


def _judge_counters(
    node: str,
    family: int,
    shown: Sequence[Shown],
    tried: Sequence[ForwardTried],
    sent: Echoes,
    owed: Obligations,
) -> None:
    one = owed.owe(f"{node} has counted what it refused to forward over IPv{family}")
    refused = sum(event.sent for event in tried if event.way in REFUSED)
    before, after = shown[0], shown[-1]
    if len(shown) < 2 or not refused:
        one.doubt(f"{node}'s counters were not read before and after")
        return
    spent = [event for event in tried if event.way in REFUSED]
    if before.event.at_ns > min(e.began_ns for e in spent) or after.event.at_ns < max(
        e.at_ns for e in spent
    ):
        one.doubt(f"{node}'s counters were not read before and after all that was sent")
        return
    counted = after.refused("FORWARD", family) - before.refused("FORWARD", family)
    told = f"{node}, IPv{family}: {refused} were sent, {counted} were refused by its counters"
    if sum(_reached(event, sent) for event in spent) <= counted < refused:
        one.doubt(f"{told}; the wire did not carry all", after.event.place)
    else:
        judge_counted(counted >= refused, told, before, after, family, one)


def _reached(event: ForwardTried, sent: Echoes) -> int:
    """Return how many of what was sent from outside the wire took to the node."""
    if event.way not in FROM_OUTSIDE:
        return event.sent
    during = Window(event.began_ns, event.at_ns)
    return min(event.sent, len({*sent.requests(event.source, event.target, during)}))
