"""MN-28: the tightened firewall is in force, stays in force, and lets in what the guide says.

Its rules are read after they were loaded, after a reboot and after apply_changes.sh. What they do
is seen by knocks from the controller and from a client, judged by the wire, and by the rules'
counters; that clients leave under the node's address, by what comes out of the node. A client
without a tunnel sent nothing: see `senders`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.multi_node.deployment import Deployment, deployment
from checks.multi_node.echoes import Echoes, echoes, judge_leaving
from checks.multi_node.guide import DAEMON_PORT, FAMILIES, PORT
from checks.multi_node.reaching import asked, every_knock, judge_knock
from checks.multi_node.rules import SSH, Shown, input_objections, judge_counted, nat_objections
from checks.multi_node.senders import Senders
from checks.multi_node.server_processes import read_sockets
from checks.protocols.knocks import Knocks
from evidence.event import NS_BOUND
from evidence.events.access import (
    ChangesApplied,
    FirewallShown,
    ForwardTried,
    GuideTextTried,
    Knock,
    Phase,
    PortsKnocked,
)
from evidence.moment import Window
from evidence.scenario import Evidence

LEAST_PORTS: Mapping[str, int] = {"tcp": 40, "udp": 8}
"""How many ports that nobody is let in at are knocked at, at least."""
NO_COMMIT = "ip6tables-commit"
"""The erratum: the guide's text for IPv6, as it is printed, is not loaded."""
_AFTER: Mapping[Phase, str] = {
    "loaded": "once they were loaded",
    "rebooted": "after a reboot",
    "applied": "after apply_changes.sh",
}


@check("MN-28")
def tightened_firewall(evidence: Evidence, owed: Obligations) -> None:
    """Each node has the guide's own rules for good, and they do what they say."""
    site = deployment(evidence, owed)
    evidence.need(FirewallShown)
    seen = every_knock(evidence)
    sent, senders = echoes(evidence), Senders(evidence, site)
    for node in site.nodes:
        shown = [Shown.of(event) for event in evidence.events(FirewallShown, node)]
        _judge_rules(node, shown, site, owed)
        _judge_lasting(node, shown, evidence, owed)
        last = [one for one in shown if one.event.phase == "applied"]
        loaded_ns = min((x.event.at_ns for x in shown if x.event.phase == "loaded"), default=0)
        for family in FAMILIES:
            for machine in (site.controller.name, site.client.name):
                for transport in ("tcp", "udp"):
                    every = asked(evidence, machine, node, family, transport)
                    events = [one for one in every if one.at_ns >= loaded_ns]
                    _judge_scan(events, (machine, node, family, transport), last, seen, site, owed)
            out = [
                one
                for one in evidence.events(ForwardTried)
                if (one.node, one.family, one.way) == (node, family, "out")
            ]
            nobody_sent = bool(out) and not senders.of_use(out)
            _judge_counters(node, family, last, owed, nobody_sent=nobody_sent)
            _judge_leaving(node, family, out, sent, senders, owed)
    one = owed.owe("the guide's text for IPv6, as it is printed, is refused")
    for text in evidence.events(GuideTextTried):
        if text.erratum == NO_COMMIT and text.status != 0:
            one.met(text.place)


def _judge_rules(node: str, shown: Sequence[Shown], site: Deployment, owed: Obligations) -> None:
    for phase in get_args(Phase):
        for family in FAMILIES:
            one = owed.owe(f"{node} has the guide's rules of IPv{family}, {_AFTER[phase]}")
            for state in (state for state in shown if state.event.phase == phase):
                one.met(state.event.place)
                ruleset = state.by_family[family]
                for objection in (
                    *input_objections(ruleset, site, family),
                    *nat_objections(ruleset, site, node, family),
                ):
                    one.broken(f"{node}, IPv{family}, {_AFTER[phase]}: {objection}")


def _judge_lasting(
    node: str, shown: Sequence[Shown], evidence: Evidence, owed: Obligations
) -> None:
    """Owe that the node was rebooted and apply_changes.sh run between what was shown."""
    boots = {phase: {s.event.boot for s in shown if s.event.phase == phase} for phase in _AFTER}
    one = owed.owe(f"{node} was rebooted with these rules")
    if boots["loaded"] and boots["rebooted"]:
        if boots["loaded"] & boots["rebooted"]:
            one.doubt(f"{node} was shown twice in one boot: it was not rebooted in between")
        else:
            one.met(*(s.event.place for s in shown if s.event.phase == "rebooted"))
    one = owed.owe(f"apply_changes.sh was run on {node} with these rules")
    loaded = [state.event.at_ns for state in shown if state.event.phase == "loaded"]
    since_ns = min(loaded, default=NS_BOUND)
    events = [one for one in evidence.events(ChangesApplied, node) if one.at_ns > since_ns]
    for event in events:
        one.settle(event.status == 0, f"{node}: apply_changes.sh: {event.output}", event.place)
    applied = [event.at_ns for event in events]
    for state in (state for state in shown if state.event.phase == "applied"):
        if not applied or state.event.at_ns < max(applied):
            one.doubt(f"{node} was shown before apply_changes.sh had run", state.event.place)


def _judge_scan(
    events: Sequence[PortsKnocked],
    of: tuple[str, str, int, str],
    last: Sequence[Shown],
    seen: Knocks,
    site: Deployment,
    owed: Obligations,
) -> None:
    machine, node, family, transport = of
    let_in = _let_in(machine, transport, site)
    who = f"{machine} at {node} by {transport} over IPv{family}"
    each = {port: owed.owe(f"{who} is let in at {port}") for port in let_in}
    rest = owed.owe(f"{who} is let in nowhere else")
    knocked = set[int]()
    for event in events:
        for knock in event.knocks:
            if knock.port in each:
                _judge_wanted(event, knock, seen, site, each[knock.port])
            elif transport == "tcp" or _listens(knock.port, last):
                judge_knock(event, knock, False, seen, site, rest)
                knocked.add(knock.port)
            else:
                rest.doubt(f"{who}: nobody listens at {knock.port}, so silence shows nothing")
    if rest.shown and len(knocked) < LEAST_PORTS[transport]:
        rest.doubt(f"{who}: {len(knocked)} other ports, {LEAST_PORTS[transport]} are needed")


def _let_in(machine: str, transport: str, site: Deployment) -> tuple[int, ...]:
    if transport == "udp":
        return (PORT,)
    return (SSH, PORT, DAEMON_PORT) if machine == site.controller.name else (SSH, PORT)


def _judge_wanted(
    event: PortsKnocked, knock: Knock, seen: Knocks, site: Deployment, one: Obligation
) -> None:
    """Settle a port that is let in. OpenVPN answers no datagram of a stranger: not prohibited."""
    if event.transport == "tcp":
        judge_knock(event, knock, True, seen, site, one)
        return
    way = (
        site.address(event.source, event.family),
        site.address(event.node, event.family),
        "udp",
        knock.port,
    )
    found = seen.between(event.source, event.node, way, Window(event.began_ns, event.at_ns))
    named = f"{event.source} at udp/{knock.port} of {event.node} over IPv{event.family}"
    if "prohibited" in found or "closed" in found:
        one.broken(f"{named} is not let in", event.place)
    elif "knock" not in found:
        one.doubt(f"{named}: the wire carried no knock", event.place)
    else:
        one.met(event.place, seen.place)


def _listens(port: int, last: Sequence[Shown]) -> bool:
    """Whether somebody on the node would have answered a datagram to every address of it."""
    return any(
        (socket.transport, socket.address, socket.port) == ("udp", "*", port)
        for state in last
        for socket in read_sockets(state.event.sockets)
    )


def _judge_counters(
    node: str, family: int, last: Sequence[Shown], owed: Obligations, *, nobody_sent: bool
) -> None:
    """Owe that the rules themselves have counted what was let in and refused meanwhile.

    nobody_sent: whether none of the clients that were to send through the node had a tunnel.
    """
    one = owed.owe(f"{node}'s rules of IPv{family} have counted datagrams let in, and refusals")
    if len(last) < 2:
        one.doubt(f"{node}'s counters were not read before and after the knocks")
        return
    first, then = last[0], last[-1]
    service = "udp", PORT, ""
    counted = {
        "datagram to OpenVPN was let in": (
            first.let_in(service, family),
            then.let_in(service, family),
        ),
        "packet was refused": (first.refused("INPUT", family), then.refused("INPUT", family)),
    }
    if not nobody_sent:  # whoever has no tunnel is judged for that
        counted["client got its address"] = first.hidden(family), then.hidden(family)
    for what, (before, after) in counted.items():
        why = f"{node}, IPv{family}: by its counters no {what}"
        judge_counted(after > before, why, first, then, family, one)


def _judge_leaving(
    node: str,
    family: int,
    out: Sequence[ForwardTried],
    sent: Echoes,
    senders: Senders,
    owed: Obligations,
) -> None:
    one = owed.owe(f"a client of {node} leaves over IPv{family} under the node's address")
    for event in out:
        if not senders.judge(event, one):
            judge_leaving(event, sent, senders.site, one)
