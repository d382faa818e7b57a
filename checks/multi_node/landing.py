"""MN-23: clients that connect by the shared name land on all nodes.

Judged by what stands on the wire, and cross-checked with what the client and the controller say:
contradictory evidence is UNKNOWN. A and AAAA records rotate each for itself, so the draw is tested
for all clients, for the clients of each family, and for both families jointly: 16 clients that the
one record sends to node-a and 16 that the other sends to node-b are no spread. `round_robin` states
each test's false-alarm rate: clients that are spread fairly are rejected with probability at most
4e-4. The more nodes, the more clients it takes for one that got none to be no accident.

Where clients do not spread although the answers that they got did, it is their resolver's doing:
`sorting` looks for that, and the verdict names it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence

from checks.engine.lateness import explain
from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.multi_node.deployment import Deployment, deployment, named
from checks.multi_node.guide import FAMILIES
from checks.multi_node.sorting import Choice, choices, explanation
from checks.multi_node.traffic import Traffic, traffic
from checks.multi_node.tunnels import Attempt, last_attempts, owe_looks
from checks.protocols.round_robin import (
    ALPHA_CLIENTS,
    Outcome,
    fair_draw,
    fair_draws,
    least_clients,
)
from evidence.events.multi_node import Connection, ConnectionLog
from evidence.events.run import HostLate
from evidence.moment import NS, Window
from evidence.scenario import Evidence

Landing = tuple[str, int]  # a node, the family of the way there

DATED_S = 10.0
"""A clock that is known no better than that dates no connection: they are seconds apart."""


@check("MN-23")
def clients_spread(evidence: Evidence, owed: Obligations) -> None:
    """Clients that connect by the shared name land on the nodes like a fair draw: 16 on two."""
    site = deployment(evidence, owed)
    log = evidence.last(ConnectionLog, site.controller.name)
    attempts = last_attempts(evidence, site)
    owe_looks(evidence, owed)
    seen = traffic(evidence, site)
    seen.judge_senders(owed)
    landed = list[tuple[Attempt, str, int]]()
    for attempt in attempts:
        one = owed.owe(f"{attempt.tried.client} is connected to a node")
        landing = _landing(attempt, seen, log, one)
        if landing is not None:
            one.met(attempt.tried.place, log.place, seen.capture_place)
            landed.append((attempt, *landing))
    _owe_one_address_each(attempts, site, owed)
    places = log.place, seen.capture_place
    least = least_clients(len(site.nodes))
    if owed.at_least(least, landed, "clients that are known to have landed", *places):
        _judge_spread(choices(evidence, seen, landed), seen, owed)


def _owe_one_address_each(attempts: Iterable[Attempt], site: Deployment, owed: Obligations) -> None:
    """Owe that no two clients have one address inside: the log holds one connection of it."""
    clients: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for one in attempts:
        if one.tried.up and one.tried.tunnel4:
            clients[site.owner_of(one.tried.remote), one.tried.tunnel4].append(one.tried.client)
    for (node, address), names in clients.items():
        if len(names) > 1:
            owed.open(f"{named(names)} say that they have one address at {node}: {address}")


def _landing(
    attempt: Attempt, seen: Traffic, log: ConnectionLog, one: Obligation
) -> Landing | None:
    """Return where a client is by the wire, if the client and the controller agree."""
    tried = attempt.tried
    if not tried.up:
        why = f"{tried.client} found no node: {tried.detail}"
        attempt.judge_down(why, attempt.site.nodes, seen, one)
        return None
    flow = seen.latest((tried.address4, tried.address6), attempt.during)
    if flow is None:
        own = f"{tried.address4} or {tried.address6}"
        one.doubt(f"{tried.client}: the wire shows no tunnel of {own}", tried.place)
        return None
    node = seen.site.node_of(flow[1])
    if node is None:
        one.broken(f"{tried.client} landed at {flow[1]}, which is no node", seen.capture_place)
        return None
    told = seen.site.node_of(tried.remote)
    if node != told:
        one.doubt(f"{tried.client}: {node} by the wire, {told} by its own log", tried.place)
        return None
    family = 6 if ":" in flow[1] else 4
    return (node, family) if _logged(attempt, node, log, one) else None


def _logged(attempt: Attempt, node: str, log: ConnectionLog, one: Obligation) -> bool:
    """Tell whether the controller's log holds this connection as open, and none of before it."""
    tried = attempt.tried
    rows = [
        row
        for row in log.rows
        if (row.profile_id, row.ip4, row.disconnected_at) == (node, tried.tunnel4, None)
    ]
    where = f"{tried.client}: at {node} as {tried.tunnel4}"
    if not rows:
        one.doubt(f"{where}, but not in the controller's log", log.place)
    for row in rows:
        _judge_date(row, where, attempt, log, one)
    return bool(rows) and not one.doubts and not one.violations


def _judge_date(
    row: Connection, where: str, attempt: Attempt, log: ConnectionLog, one: Obligation
) -> None:
    """Object to an open row that began before the client was sent, or after the log was read.

    The controller puts an end to an open row of the same address when somebody connects.
    """
    connected, sent_ns = row.connected, attempt.during.from_ns
    if connected is None:
        about = Window(sent_ns - log.uncertainty_ns, log.moment.latest_ns)
        if row.connected_ns is None or not about.holds(row.connected_ns):
            one.doubt(
                f"{where}, by the log since {row.connected_at}: when that was, was not told by"
                f" {row.profile_id}'s clock",
                log.place,
            )
    elif connected.uncertainty_ns > DATED_S * NS:
        off_s = connected.uncertainty_ns / NS
        unsure = f"{row.profile_id}'s clock may have been off by {off_s:.0f} s"
        one.doubt(f"{where}, by the log since {row.connected_at}, but {unsure}", log.place)
    elif connected.latest_ns < sent_ns:
        before_s = (sent_ns - connected.at_ns) / NS
        one.broken(
            f"{where}, but the controller's log holds a connection of {row.connected_at} as"
            f" open, from {before_s:.0f} s before it was sent",
            log.place,
        )
    elif connected.earliest_ns > log.moment.latest_ns:
        one.doubt(f"{where}, by the log from {row.connected_at} on, after it was read", log.place)


def _judge_spread(made: list[Choice], seen: Traffic, owed: Obligations) -> None:
    """Owe a fair split, by all clients and by those of each family.

    Who tried a node that did not run, and went on to another, is where the host has brought it.
    """
    site, place = seen.site, seen.capture_place
    if len(site.nodes) < 2:
        owed.open(f"{named(site.nodes)} is the only node: there is nothing to spread over", place)
        return
    draws = _draws([(one.node, one.family) for one in made], site)
    by_answers = _draws([(one.by_answer, one.family) for one in made], site)
    went_on = {one: _kept_away(one, seen.late) for one in made if one.went_on}
    late = {one: why for one, why in went_on.items() if why}
    with_all, with_late = (_had_they_stayed(made, who, site) for who in (went_on, late))
    for who, draw in draws.items():
        one = owed.owe(f"clients spread over {named(site.nodes)}, {who}")
        why = f"clients do not spread over {named(site.nodes)}, {who}: {draw}"
        if draw.fair:
            one.met(place)
        elif with_late[who].fair:
            excuse = next(iter(late.values()))
            one.late(f"{why}; {len(late)} had tried another node first, but {excuse}", place)
        elif with_all[who].fair:
            one.missed(why, place)
        else:
            one.broken(why, place)
        owed.tell(f"{who} {draw}")
    owed.tell(f"{len(made)} clients landed on {named(site.nodes)}")
    if asked := [one for one in made if one.told]:
        first = sum(one.told == one.node for one in asked)
        owed.tell(f"{first} of {len(asked)} are at the node that the DNS server named first")
    # Only what the answers would have spread can have been brought to one node by sorting them.
    defeated = any(not draw.fair and by_answers[who].fair for who, draw in draws.items())
    if defeated and (why := explanation(made, site)):
        owed.tell(why)


def _draws(landings: list[Landing], site: Deployment) -> dict[str, Outcome]:
    """Return how fair a split over the nodes is, by which clients it is of."""
    counts = Counter(landings)
    groups = {
        f"over IPv{family}": [counts[node, family] for node in site.nodes]
        for family in FAMILIES
        if any(counts[node, family] for node in site.nodes)
    }
    draws = {who: fair_draw(group, ALPHA_CLIENTS) for who, group in groups.items()}
    if len(groups) > 1:
        both = [sum(column) for column in zip(*groups.values(), strict=True)]
        draws["in all"] = fair_draw(both, ALPHA_CLIENTS)
        draws["taken together"] = fair_draws(list(groups.values()), ALPHA_CLIENTS)
    return draws


def _kept_away(one: Choice, late: Iterable[HostLate]) -> str | None:
    """Say what kept the node that a client tried first from answering it, or None."""
    if one.tried is None:
        return None
    span = one.tried.from_ns, one.tried.until_ns
    return explain(max(span[1] - span[0], 1) / NS, span, {one.told, "wire"}, late)


def _had_they_stayed(
    made: Sequence[Choice], who: Collection[Choice], site: Deployment
) -> dict[str, Outcome]:
    """Return how fair the split would be, had some landed at the node that they tried first."""
    return _draws([(one.told if one in who else one.node, one.family) for one in made], site)
