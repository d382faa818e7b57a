"""MN-17: who is connected stands on the Connections page.

When a client was connected is known between two looks at it, and by the wire: not before the last
control message of its handshake. When it left, by the wire: the last that it sent. On a site each
frame is dated by a clock that may be off. A page was read between its asking and its coming. What
is shown for certain within the limit is kept, what is certainly missing after it is broken, and
what lies between stays open. Who comes again is listed, and gone, again, at whichever node that is.
Who leaves an address may leave it to the next client: by whose certificate it stands there tells
them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TypeVar

from checks.engine.lateness import explain, missed
from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.multi_node.deployment import Deployment, deployment
from checks.multi_node.traffic import Payload, Traffic, traffic
from checks.multi_node.tunnels import Attempt, owe_looks, visits
from checks.protocols.openvpn import CONTROL, DATA
from evidence.events.multi_node import TunnelTried
from evidence.events.portal import Certificate, ConnectionsShown, TunnelProbed, TunnelTurned
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
    attempts, seen = visits(evidence, site), traffic(evidence, site)
    seen.judge_senders(owed)
    owe_looks(evidence, owed)
    turned = evidence.events(TunnelTurned, site.client.name)
    for node in site.nodes:
        here = [one for one in attempts if site.node_of(one.tried.remote) == node]
        if not here:
            owed.open(f"no client was connected to {node}")
        for attempt in here:
            attempt.judge(seen, owed.owe(f"{attempt.name} is connected"))
        for client in dict.fromkeys(attempt.tried.client for attempt in here):
            shown = owed.owe(f"{client} stands under {node} within {LIMIT_S} s of connecting")
            gone = owed.owe(f"{client} is gone within {LIMIT_S} s of leaving")
            own = [one for one in turned if one.client == client]
            for attempt in (one for one in here if one.tried.client == client):
                _judge_listing(attempt, node, own, pages, seen, shown, gone)


def _judge_listing(
    attempt: Attempt,
    node: str,
    turned: Sequence[TunnelTurned],
    pages: Pages,
    seen: Traffic,
    shown: Obligation,
    gone: Obligation,
) -> None:
    """Judge a visit of a client at each of its turns: listed until it leaves, then gone.

    Who was not seen to leave was there, for certain, until it was looked at.
    """
    tried, client = attempt.tried, attempt.tried.client
    inside = (tried.tunnel4, tried.tunnel6)
    turns = _turns([one for one in turned if attempt.during.holds(one.at_ns)])
    known = _certificates(turns, tried, pages.shown)
    if turns and turns[-1].up and any(one.at_ns > attempt.during.until_ns for one in turned):
        shown.doubt(f"when {client} left was not recorded", turns[-1].place)
    for turn, later in zip_longest(turns, turns[1:]):
        if not turn.up:
            end_ns = min(attempt.during.until_ns, pages.shown[-1].at_ns)
            until_ns = later.after_ns if later else end_ns
            pages.judge(
                f"{client} is gone",
                _left(attempt, turn, seen),
                until_ns,
                node,
                lambda page: page.status == 200 and not page.under(inside, known),
                gone,
            )
        elif later is not None and later.up:
            shown.doubt(f"when {client} left was not recorded", turn.place)
        else:
            during = _stay(turn, later, tried)
            for page in read_in(pages.shown, during):
                for other in sorted(set(page.under(inside)) - {node}):
                    shown.broken(f"{client}, a client of {node}, stands under {other}", page.place)
            pages.judge(
                f"{client} stands under {node}",
                _came(attempt, turn, seen),
                during.until_ns,
                node,
                lambda page: page.status == 200 and node in page.under(inside),
                shown,
            )


def _stay(turn: TunnelTurned, later: TunnelTurned | None, tried: TunnelTried) -> Window:
    return Window(turn.after_ns, later.after_ns if later else tried.at_ns)


def _certificates(
    turns: Sequence[TunnelTurned], tried: TunnelTried, pages: Sequence[ConnectionsShown]
) -> set[Certificate]:
    """Return by which certificates a client's addresses were listed while it was connected."""
    stays = [_stay(one, later, tried) for one, later in zip_longest(turns, turns[1:]) if one.up]
    inside = (tried.tunnel4, tried.tunnel6)
    return {
        each
        for stay in stays
        for page in read_in(pages, stay)
        for each in page.certificates(inside)
    }


def _turns(turned: Sequence[TunnelTurned]) -> list[TunnelTurned]:
    """Return a client's turns, in the order of time; who has left does not leave again."""
    before = [None, *turned]
    return [one for one, last in zip(turned, before, strict=False) if one.up or not last or last.up]


def _came(attempt: Attempt, came: TunnelTurned, seen: Traffic) -> Moments:
    """Return when a client came up: not before its node's last word before there was data."""
    between = _within(seen.from_server[attempt.flow], came, seen)
    data = [one.at_ns for one in between if any(opcode in DATA for opcode in one.opcodes)]
    first_ns = min(data, default=came.at_ns)
    said = [one.at_ns for one in between if CONTROL in one.opcodes and one.at_ns < first_ns]
    return max([came.after_ns, *(at_ns - seen.unsure_ns for at_ns in said)]), came.at_ns


def _left(attempt: Attempt, left: TunnelTurned, seen: Traffic) -> Moments:
    """Return when a client left: the last that it sent, if the wire has it."""
    said = [one.at_ns for one in _within(seen.to_server[attempt.flow], left, seen)]
    if not said:
        return left.after_ns, left.at_ns
    last_ns = max(said)
    return (
        max(left.after_ns, last_ns - seen.unsure_ns),
        min(left.at_ns, last_ns + seen.unsure_ns),
    )


def _within(sent: Sequence[Payload], turn: TunnelTurned, seen: Traffic) -> list[Payload]:
    """Return what the wire may have carried between the two looks that show a turn."""
    during = Window(turn.after_ns - seen.unsure_ns, turn.at_ns + seen.unsure_ns)
    return [one for one in sent if during.holds(one.at_ns) and one.carried]


Read = TypeVar("Read", ConnectionsShown, TunnelProbed)


def read_in(every: Sequence[Read], during: Window) -> list[Read]:
    """Return the looks that were asked for, and came, in a stretch of time."""
    return [one for one in every if during.holds(one.asked_ns) and during.holds(one.at_ns)]
