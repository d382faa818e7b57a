"""MN-15: a client connects to each node by UDP and TCP, over IPv4 and IPv6.

What counts of a client is how it ended: a second attempt may be needed, one that is lost may not.
Who was made to leave has no tunnel afterwards, and lost none. A client may visit several nodes: it
is judged at each where it got in, and where it was sent last. So whoever was sent to connect has to
be looked at afterwards: those of whom nothing is known are those who found no way in as likely as
any.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from checks.engine.in_time import Watch
from checks.engine.lateness import missed
from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.multi_node.deployment import Deployment, deployment
from checks.multi_node.guide import FAMILIES, TRANSPORTS
from checks.multi_node.traffic import Flow, Traffic, traffic
from evidence.event import NS_BOUND
from evidence.events.multi_node import TunnelStarted, TunnelTried
from evidence.events.portal import TunnelTurned
from evidence.moment import NS, Moment, Window
from evidence.scenario import Evidence

REFUSED = "AUTH_FAILED"
"""What OpenVPN's client logs when the server's connect hook refuses it."""
ECHO_S = 3.0
"""An echo was waited for so long, at the least, in evidence that does not say for how long."""
ECHO_WITHIN_S = 10.0
"""There an attempt was recorded so long after its echo request was sent, at the most."""


@dataclass(frozen=True)
class Attempt:
    """A client's attempt to connect, how it ended, and the time in which it went on."""

    tried: TunnelTried
    during: Window
    site: Deployment

    @property
    def name(self) -> str:
        """How reasons call it."""
        one = self.tried
        to = self.site.owner_of(one.remote)
        return f"{one.client} by {one.transport} over IPv{one.family} to {to}"

    @property
    def flow(self) -> Flow:
        """Its flow on the wire."""
        one = self.tried
        address = one.address6 if ":" in one.remote else one.address4
        return address, one.remote, one.transport

    def judge(self, seen: Traffic, one: Obligation) -> None:
        """Discharge an obligation by this tunnel, or say what keeps it from working."""
        before = len(one.violations)
        if not self.tried.up:
            node = self.site.node_of(self.tried.remote) or ""
            self.judge_down(f"{self.name}: no tunnel: {self.tried.detail}", {node}, seen, one)
            return
        for why in self._wrong():
            one.broken(f"{self.name}: {why}", self.tried.place)
        if not self.tried.ping.received:
            self._judge_unanswered(seen, one)
        if len(one.violations) > before:
            return
        asked, arrived, dropped = (
            count(self.flow, self.during) for count in (seen.asked, seen.arrived, seen.dropped)
        )
        if seen.established(self.flow, self.during):
            one.met(self.tried.place, seen.capture_place)
        elif dropped:
            one.broken(
                f"{self.name}: the wire dropped {dropped} bytes and carried {arrived}:"
                " what the client calls up is no tunnel",
                seen.capture_place,
            )
        else:
            one.doubt(
                f"{self.name}: the wire carried {arrived} bytes from {self.flow[1]} to"
                f" {self.flow[0]} and {asked} back, too few for a tunnel",
                seen.capture_place,
            )

    def judge_down(
        self,
        why: str,
        nodes: Collection[str],
        seen: Traffic,
        one: Obligation,
        since_ns: int = 0,
    ) -> None:
        """Break an obligation by a client without a tunnel, unless nobody could have let it in.

        Who was refused was answered. Anybody else may have waited for somebody who did not run.
        nodes: those that may have let it in. since_ns: when it was to be let in, if later than it
        was sent.
        """
        tried, site = self.tried, self.site
        span = max(self.during.from_ns, since_ns), tried.at_ns
        if REFUSED in tried.detail or span[0] >= span[1]:
            one.broken(why, tried.place)
        else:
            machines = site.client, site.controller, site.services
            whose = {*nodes, *(machine.name for machine in machines), "wire"}
            missed(one, why, (span[1] - span[0]) / NS, span, whose, seen.late, tried.place)

    def _judge_unanswered(self, seen: Traffic, one: Obligation) -> None:
        """Break an obligation by an echo without an answer, unless the host can explain it."""
        tried = self.tried
        why = f"{self.name}: no answer through the tunnel from {tried.ping.target}"
        began_ns, waited_s = tried.ping.began_ns, tried.ping.waited_s
        if began_ns is None or not waited_s:
            began_ns, waited_s = tried.at_ns - round(ECHO_WITHIN_S * NS), ECHO_S
        span = began_ns, tried.at_ns
        node = self.site.node_of(tried.remote) or ""
        whose = {self.site.client.name, node, "wire"}
        missed(one, why, waited_s, span, whose, seen.late, tried.place)

    def _wrong(self) -> Iterator[str]:
        one, node = self.tried, self.site.node_of(self.tried.remote)
        if node is not None and one.transport:
            ranges = self.site.process_ranges(node)[TRANSPORTS.index(one.transport)]
            for address, network in zip((one.tunnel4, one.tunnel6), ranges, strict=True):
                if not address or ipaddress.ip_address(address) not in network:
                    yield f"it has {address or 'no address'} inside, not one of {network}"


def last_attempts(evidence: Evidence, site: Deployment, until_ns: int = NS_BOUND) -> list[Attempt]:
    """Return how each client ended, or stood at `until_ns`; raise Missing when none was tried.

    Who has left since is not looked at any more.
    """
    every = [one for one in _while_there(evidence, site) if one.tried.at_ns <= until_ns]
    return [*{one.tried.client: one for one in every}.values()]


def visits(evidence: Evidence, site: Deployment) -> list[Attempt]:
    """Return how each visit ended that got a client in, and the last one of each client.

    A visit goes on from where a client is sent to connect to where it is sent once more; it ended
    as it was looked at last. Raise Missing when no client was tried.
    """
    every = _while_there(evidence, site)
    last = {one.tried.client: one.during for one in every}
    ended = {(one.tried.client, one.during): one for one in every}
    return [
        one for (client, during), one in ended.items() if one.tried.up or during == last[client]
    ]


def _while_there(evidence: Evidence, site: Deployment) -> list[Attempt]:
    """Return every attempt but those that only show that a client has left."""
    return [
        one
        for one in every_attempt(evidence, site)
        if one.tried.up or not had_left(one.tried.client, one.tried.at_ns, evidence)
    ]


def every_attempt(evidence: Evidence, site: Deployment) -> list[Attempt]:
    """Return an attempt for each look at a client, in the order of time; raise Missing without one.

    An attempt goes on from the client's start to its next one, so that what the wire carried for
    one of them does not count for another.
    """
    starts = evidence.events(TunnelStarted)
    whole = evidence.window
    return [
        Attempt(
            tried,
            Window(
                max((one.at_ns for one in starts if _before(one, tried)), default=whole.from_ns),
                min((one.at_ns for one in starts if _after(one, tried)), default=whole.until_ns),
            ),
            site,
        )
        for tried in evidence.need(TunnelTried)
    ]


def owe_looks(evidence: Evidence, owed: Obligations) -> None:
    """Owe that each client was looked at since it was sent to connect last, or seen to leave."""
    looks, turned = evidence.events(TunnelTried), evidence.events(TunnelTurned)
    last = {one.client: one for one in evidence.events(TunnelStarted)}
    for client, start in last.items():
        known: list[TunnelTried | TunnelTurned] = [x for x in looks if x.client == client]
        known += [one for one in turned if one.client == client and not one.up]
        if not any(one.at_ns >= start.at_ns for one in known):
            owed.open(f"how {client} stood once it was sent to connect is not known", start.place)


def had_left(client: str, at_ns: int, evidence: Evidence) -> bool:
    """Whether a client was seen to leave before a moment, and not sent to connect or up since."""
    turned = [one for one in evidence.events(TunnelTurned) if one.client == client]
    last = next((one for one in reversed(turned) if one.at_ns < at_ns), None)
    if last is None or last.up:
        return False
    back: list[TunnelStarted | TunnelTried] = [*evidence.events(TunnelStarted)]
    back += [one for one in evidence.events(TunnelTried) if one.up]
    return not any(one.client == client and last.at_ns < one.at_ns < at_ns for one in back)


def _before(start: TunnelStarted, tried: TunnelTried) -> bool:
    return start.client == tried.client and start.at_ns <= tried.at_ns


def _after(start: TunnelStarted, tried: TunnelTried) -> bool:
    return start.client == tried.client and start.at_ns > tried.at_ns


@check("MN-15")
def every_way_in(evidence: Evidence, owed: Obligations) -> None:
    """All four ways to reach each node's OpenVPN give a tunnel that carries traffic."""
    site = deployment(evidence, owed)
    attempts = visits(evidence, site)
    owe_looks(evidence, owed)
    owe_ways(attempts, owed)
    seen = traffic(evidence, site)
    seen.judge_senders(owed)
    for node in site.nodes:
        for transport in TRANSPORTS:
            for family in FAMILIES:
                way = transport, site.address(node, family)
                tried = [one for one in attempts if (one.tried.transport, one.tried.remote) == way]
                what = f"{node} lets a client in by {transport} over IPv{family}"
                judge_way(what, tried, seen, owed)


def owe_ways(attempts: Sequence[Attempt], owed: Obligations) -> None:
    """Owe that each client was sent somewhere: of one that never had a peer no way is judged."""
    for one in (attempt.tried for attempt in attempts):
        if not one.remote:
            owed.open(f"{one.client} never had a node to connect to: {one.detail}", one.place)


def judge_way(what: str, tried: Sequence[Attempt], seen: Traffic, owed: Obligations) -> None:
    """Owe that one way in works, for everybody who was sent that way."""
    one = owed.owe(what)
    for attempt in tried:
        attempt.judge(seen, one)


def owe_by_itself(
    attempt: Attempt,
    since: Moment,
    evidence: Evidence,
    seen: Traffic,
    owed: Obligations,
    watch: Watch,
) -> None:
    """Owe that a client is connected in the end, and that nobody has sent it there since.

    watch: how its coming back was measured, from when it was due.
    """
    name = attempt.tried.client
    one = owed.owe(f"{name} came back by itself, and is there")
    begun = [event for event in evidence.events(TunnelStarted) if event.client == name]
    if not begun:
        one.doubt(f"when {name} was sent to connect was not recorded")
    for event in begun:
        if event.at_ns > since.at_ns:
            one.broken(f"{name} was sent to connect once more", event.place)
    if attempt.tried.at_ns < since.at_ns:
        one.doubt(f"how {name} stood in the end was not recorded")
    if attempt.tried.up:
        attempt.judge(seen, one)
    else:
        why = f"{attempt.name}: no tunnel: {attempt.tried.detail}"
        attempt.judge_down(why, watch.whose, seen, one, since_ns=watch.due.at_ns)
