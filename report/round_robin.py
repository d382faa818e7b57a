"""How answers and clients were spread over the nodes (MN-22, MN-23), as counts with exact odds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from checks.multi_node.deployment import Deployment
from checks.multi_node.guide import RECORD_TYPE
from checks.protocols.round_robin import (
    ALPHA_CLIENTS,
    ALPHA_QUERIES,
    fair_draw,
    least_clients,
)
from evidence.events.deployment import DeploymentPlanned
from evidence.events.multi_node import DnsAnswered, TunnelTried
from evidence.events.run import ScenarioStarted
from evidence.history import Recording
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
    """One draw among the nodes: what was drawn, and how a fair draw would come out."""

    what: str
    scenario: str
    shares: tuple[Share, ...]
    others: int
    outcome: str


def draws(material: Material) -> list[Draw]:
    """Return what was drawn in each scenario: addresses that came first, clients that landed.

    Of a scenario that has no plan of what was deployed, nothing: whose an address is, is not known.
    """
    found: list[Draw] = []
    for _, recording in material.histories:
        sites = {one.scenario: Deployment(one) for one in recording.of(DeploymentPlanned)}
        found += [*_first_addresses(recording, sites), *_landings(recording, sites)]
    return found


def _first_addresses(recording: Recording, sites: Mapping[str, Deployment]) -> Iterator[Draw]:
    counted: dict[tuple[str, str], Counter[str]] = {}
    for event in recording.of(DnsAnswered):
        if (site := sites.get(event.scenario)) is None:
            continue
        family = next(one for one, kind in RECORD_TYPE.items() if kind == event.type)
        nodes = dict(zip(site.node_addresses(family), site.nodes, strict=True))
        counts = counted.setdefault((event.scenario, event.type), Counter())
        counts.update(
            nodes.get(one.addresses[0], "another") if one.addresses else "none"
            for one in event.answers
        )
    for (scenario, kind), counts in counted.items():
        what = f"node whose address comes first, {kind} answers"
        yield _draw(what, scenario, counts, sites[scenario].nodes, queries=True)


def _landings(recording: Recording, sites: Mapping[str, Deployment]) -> Iterator[Draw]:
    """Yield where clients landed that were left the choice: no other was given a node."""
    judged = {one.scenario for one in recording.of(ScenarioStarted) if SPREAD in one.requirements}
    last: dict[tuple[str, str], TunnelTried] = {}
    for event in recording.of(TunnelTried):
        if event.scenario in sites:
            last[event.scenario, event.client] = event
    counted: dict[str, Counter[str]] = {}
    for (scenario, _), event in last.items():
        node = sites[scenario].node_of(event.remote) if event.up else None
        counted.setdefault(scenario, Counter())[node or "none"] += 1
    for scenario, counts in counted.items():
        nodes = sites[scenario].nodes
        if scenario in judged:
            yield _draw("node that a client landed on", scenario, counts, nodes, queries=False)


def _draw(
    what: str, scenario: str, counts: Counter[str], nodes: Sequence[str], *, queries: bool
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
    return Draw(what, scenario, shares, of - sum(each), outcome)
