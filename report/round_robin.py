"""How answers and clients were spread over the nodes (MN-22, MN-23), as counts with exact odds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from checks.engine.attempts import Attempt
from checks.multi_node.deployment import Deployment
from checks.multi_node.guide import RECORD_TYPE
from checks.protocols.round_robin import (
    ALPHA_CLIENTS,
    ALPHA_QUERIES,
    fair_draw,
    least_clients,
)
from evidence.event import Event
from evidence.events.deployment import DeploymentPlanned
from evidence.events.multi_node import DnsAnswered, TunnelTried
from report.reading import Material

SPREAD = "MN-23"
_LEAST_NODES = 2
_MOST_DRAWS = 5000
"""An exact test of more takes too long for a page; the verdict has its own."""


@dataclass(frozen=True)
class Share:
    """How often a node came out: of how many."""

    node: str
    count: int
    of: int

    @property
    def percent(self) -> float:
        """As a percentage."""
        return 100 * self.count / self.of if self.of else 0.0


@dataclass(frozen=True)
class Draw:
    """One draw among the nodes: what was drawn, and how a fair draw would come out.

    others: how many were no node's. attempt: of the scenario, from 1.
    """

    what: str
    scenario: str
    attempt: int
    shares: tuple[Share, ...]
    others: int
    outcome: str


def draws(material: Material) -> list[Draw]:
    """Return what was drawn in each attempt: addresses that came first, clients that landed.

    Of one that has no plan of what was deployed, nothing: whose an address is, is not known. Nor of
    one that counts no more, as it was made again.
    """
    found: list[Draw] = []
    for attempt in material.attempts:
        _, recording = material.part_of(attempt)
        if recording.of(DeploymentPlanned, attempt.scenario) and not material.is_set_aside(attempt):
            found += _of_attempt(attempt, material.events_of(attempt))
    return found


def _of_attempt(attempt: Attempt, events: Sequence[Event]) -> Iterator[Draw]:
    planned = [one for one in events if isinstance(one, DeploymentPlanned)]
    if planned:
        site = Deployment(planned[-1])
        drawing = partial(_draw, attempt, site.nodes)
        yield from _first_addresses(events, site, drawing)
        yield from _landings(attempt, events, site, drawing)


def _first_addresses(
    events: Sequence[Event], site: Deployment, drawing: Callable[..., Draw]
) -> Iterator[Draw]:
    counted: dict[str, Counter[str]] = {}
    for event in events:
        if not isinstance(event, DnsAnswered):
            continue
        family = next(one for one, kind in RECORD_TYPE.items() if kind == event.type)
        nodes = dict(zip(site.node_addresses(family), site.nodes, strict=True))
        counted.setdefault(event.type, Counter()).update(
            nodes.get(one.addresses[0], "another") if one.addresses else "none"
            for one in event.answers
        )
    for kind, counts in counted.items():
        what = f"node whose address comes first, {kind} answers"
        yield drawing(what, counts, queries=True)


def _landings(
    attempt: Attempt, events: Sequence[Event], site: Deployment, drawing: Callable[..., Draw]
) -> Iterator[Draw]:
    """Yield where clients landed that were left the choice: no other was given a node."""
    if SPREAD not in attempt.requirements:
        return
    last = {one.client: one for one in events if isinstance(one, TunnelTried)}
    counts = Counter(
        (site.node_of(one.remote) if one.up else None) or "none" for one in last.values()
    )
    if counts:
        yield drawing("node that a client landed on", counts, queries=False)


def _draw(
    attempt: Attempt, nodes: Sequence[str], what: str, counts: Counter[str], *, queries: bool
) -> Draw:
    of = counts.total()
    each = [counts[node] for node in nodes]
    alpha = ALPHA_QUERIES if queries else ALPHA_CLIENTS
    least = 1 if queries else least_clients(len(nodes))
    few = not queries and sum(each) < least
    outcome = "not tested" + (f": fewer than {least} clients" if few else "")
    if len(nodes) < _LEAST_NODES:
        outcome = f"not tested: {'one node' if nodes else 'no node'}"
    elif least <= sum(each) <= _MOST_DRAWS:
        outcome = str(fair_draw(each, alpha))
    shares = tuple(Share(node, count, of) for node, count in zip(nodes, each, strict=True))
    return Draw(what, attempt.scenario, attempt.number, shares, of - sum(each), outcome)
