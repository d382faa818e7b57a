"""MN-17: who is connected stands on the Connections page. MN-18: an administrator ends a tunnel.

When a client was connected is known between two looks at it; when it left, by the wire: the last
that it sent. A page was read between its asking and its coming. What is shown for certain within
the limit is kept, what is certainly missing after it is broken, and what lies between stays open.
Who comes again is listed, and gone, again; whose tunnel was ended has none again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TypeVar

from checks.engine.lateness import explain, missed
from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.multi_node.deployment import Deployment, deployment, from_first
from checks.multi_node.traffic import Traffic, traffic
from checks.multi_node.tunnels import Attempt, last_attempts
from evidence.event import NS_BOUND
from evidence.events.portal import AccountActed, ConnectionsShown, TunnelProbed, TunnelTurned
from evidence.events.run import HostLate
from evidence.moment import NS, Window
from evidence.scenario import Evidence

LIMIT_S = 5
"""MN-17: within so many seconds."""

Moments = tuple[int, int]  # the earliest and the latest that something can have been


@dataclass(frozen=True)
class Pages:
    """The pages that were read, in their order, and what kept anybody from reading them sooner."""

    shown: Sequence[ConnectionsShown]
    late: Sequence[HostLate]
    site: Deployment

    def judge(
        self,
        what: str,
        since: Moments,
        until_ns: int,
        node: str,
        holds: Callable[[ConnectionsShown], bool],
        one: Obligation,
    ) -> None:
        """Discharge `one` if a page that holds came in time, and all later ones held."""
        earliest_ns, latest_ns = since
        read = [page for page in self.shown if earliest_ns <= page.asked_ns <= until_ns]
        machines = self.site.controller, self.site.client, self.site.services
        whose = {*(machine.name for machine in machines), node, "wire", "scenario"}
        too_late = [
            page
            for page in read
            if page.asked_ns > latest_ns + LIMIT_S * NS
            and page.at_ns <= until_ns
            and not holds(page)
        ]
        if too_late:
            page = too_late[-1]
            after_s = (page.asked_ns - latest_ns) / NS
            why = f"after {after_s:.1f} s{_status(page)}, not the {LIMIT_S} s that are allowed,"
            why += f" it is not so that {what}"
            span = (latest_ns, page.asked_ns)
            missed(one, why, after_s - LIMIT_S, span, whose, self.late, page.place)
            return
        first = next((page for page in read if holds(page)), None)
        if first is None:
            one.doubt(f"no page that was read in time shows that {what}")
            return
        within_s = (first.at_ns - earliest_ns) / NS
        if within_s <= LIMIT_S:
            one.met(first.place)
            return
        why = f"{what}, but it is known only to {within_s:.1f} s: {LIMIT_S} s are allowed"
        span = (earliest_ns, first.at_ns)
        excuse = explain(within_s - LIMIT_S, span, whose, self.late)
        one.late(f"{why}; {excuse}", first.place) if excuse else one.doubt(why, first.place)


def _status(page: ConnectionsShown) -> str:
    return "" if page.status == 200 else f" (the page answered {page.status})"


@check("MN-17")
def listed_while_connected(evidence: Evidence, owed: Obligations) -> None:
    """List a client of each node within 5 s of connecting, and no more 5 s after it left."""
    site = deployment(evidence, owed)
    pages = Pages(
        evidence.need(ConnectionsShown, site.client.name), evidence.events(HostLate), site
    )
    attempts, seen = last_attempts(evidence, site), traffic(evidence, site)
    seen.judge_senders(owed)
    turned = evidence.events(TunnelTurned, site.client.name)
    for node in site.nodes:
        here = [one for one in attempts if site.node_of(one.tried.remote) == node]
        if not here:
            owed.open(f"no client was connected to {node}")
        for attempt in here:
            attempt.judge(seen, owed.owe(f"{attempt.name} is connected"))
            own = [one for one in turned if one.client == attempt.tried.client]
            _judge_listing(attempt, node, own, pages, seen, owed)


def _judge_listing(
    attempt: Attempt,
    node: str,
    turned: Sequence[TunnelTurned],
    pages: Pages,
    seen: Traffic,
    owed: Obligations,
) -> None:
    """Judge a client at each of its turns: listed until it leaves, and gone until it comes again.

    Who was not seen to leave was there, for certain, until it was looked at.
    """
    tried, client = attempt.tried, attempt.tried.client
    inside = (tried.tunnel4, tried.tunnel6)
    shown = owed.owe(f"{client} stands under {node} within {LIMIT_S} s of connecting")
    gone = owed.owe(f"{client} is gone within {LIMIT_S} s of leaving")
    turns = _turns(turned)
    for turn, later in zip_longest(turns, turns[1:]):
        if not turn.up:
            until_ns = later.after_ns if later else pages.shown[-1].at_ns
            pages.judge(
                f"{client} is gone",
                _left(attempt, turn, seen),
                until_ns,
                node,
                lambda page: page.status == 200 and not page.under(inside),
                gone,
            )
        elif later is not None and later.up:
            shown.doubt(f"when {client} left was not recorded", turn.place)
        else:
            during = Window(turn.after_ns, later.after_ns if later else tried.at_ns)
            for page in _read_in(pages.shown, during):
                for other in sorted(set(page.under(inside)) - {node}):
                    shown.broken(f"{client}, a client of {node}, stands under {other}", page.place)
            pages.judge(
                f"{client} stands under {node}",
                (turn.after_ns, turn.at_ns),
                during.until_ns,
                node,
                lambda page: page.status == 200 and node in page.under(inside),
                shown,
            )


def _turns(turned: Sequence[TunnelTurned]) -> list[TunnelTurned]:
    """Return a client's turns, in the order of time; who has left does not leave again."""
    before = [None, *turned]
    return [one for one, last in zip(turned, before, strict=False) if one.up or not last or last.up]


def _left(attempt: Attempt, left: TunnelTurned, seen: Traffic) -> Moments:
    """Return when a client left: the last that it sent, if the wire has it."""
    said = [
        one.at_ns
        for one in seen.to_server[attempt.flow]
        if left.after_ns <= one.at_ns <= left.at_ns and one.carried
    ]
    return (max(said), max(said)) if said else (left.after_ns, left.at_ns)


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
        for probe in from_first(_read_in(probes, out), _has_ended):
            said = f"the tunnel of {act.client} still works"
            one.settle(not probe.answered, f"{said}: an echo comes back", probe.place)
            one.settle(not probe.up, f"{said}, says its client", probe.place)


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


Read = TypeVar("Read", ConnectionsShown, TunnelProbed)


def _read_in(every: Sequence[Read], during: Window) -> list[Read]:
    """Return what was asked for, and came, in a stretch of time."""
    return [one for one in every if during.holds(one.asked_ns) and during.holds(one.at_ns)]


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
    one = owed.owe(f"{act.client} is gone from the page")
    for page in from_first(_read_in(good, out), lambda page: not page.under(inside)):
        one.settle(not page.under(inside), f"{act.client} is still on the page", page.place)
