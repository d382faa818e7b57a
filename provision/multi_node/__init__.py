"""The multi-node guide as steps: one controller, its nodes, and round robin over them.

Up to and with the section "Load Balancing"; "Maintenance" and "Firewall" are for a lab that is
deployed. The sections' modules are named after them.
"""

from __future__ import annotations

from provision.genuine.build import Built
from provision.multi_node import (
    controller,
    firewall,
    load_balancing,
    maintenance,
    nodes,
    published,
    requirements,
    services,
)
from provision.multi_node.ready import wait_until_ready
from provision.multi_node.site import Site, TopologyLike
from provision.plan import Plan
from provision.platform import Platform
from provision.vpn_clients import place_for_clients

__all__ = ["firewall_plan", "maintenance_plan", "plan", "wait_until_ready"]


def plan(
    topology: TopologyLike,
    platform: Platform,
    *,
    load_balanced: bool = True,
    genuine: Built | None = None,
) -> Plan:
    """Return the guide as a plan for the machines of `topology`.

    With `genuine` it is followed with the genuine software that was built, else with the drop-in.
    With `load_balanced` false it stops before the section "Load Balancing", where each node
    still has a profile of its own. PlanError when the topology lacks a role.
    """
    site = Site.of(topology)
    steps = [
        *services.steps(site, platform),
        *requirements.steps(site, platform, genuine),
        place_for_clients(site.client.name, requirements.SECTION),
        *controller.steps(site, platform, genuine=genuine is not None),
        *nodes.steps(site, platform, genuine=genuine is not None),
        *maintenance.ready(site, platform, genuine=genuine is not None),
    ]
    if load_balanced:
        steps += load_balancing.steps(site, platform, genuine=genuine is not None)
    if genuine is not None:
        steps = published.with_errata(steps, site.controller.name, platform)
    return Plan(steps)


def maintenance_plan(topology: TopologyLike) -> Plan:
    """Return the section "Maintenance" as a plan, in the guide's order."""
    return Plan(maintenance.steps(Site.of(topology)))


def firewall_plan(topology: TopologyLike, platform: Platform) -> Plan:
    """Return the section "Firewall" as a plan."""
    return Plan(firewall.steps(Site.of(topology), platform))
