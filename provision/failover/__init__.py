"""The failover guide as steps: a primary, a standby, and the virtual IP that they share.

Every section has a module of its own; `pair` is "Configure the failover function". The gateway
and the client outside are what the guide takes for granted.
"""

from __future__ import annotations

from typing import Literal

from lab.topology import Topology
from provision.failover import (
    client,
    gateway,
    licence,
    pair,
    primary,
    secondary,
    ssh_access,
    troubleshooting,
    users,
    vendor,
)
from provision.failover.gateway import ForwardTo
from provision.failover.ready import wait_until_ready
from provision.failover.site import VIRTUAL_IP, Site
from provision.plan import Plan
from provision.platform import Platform

__all__ = ["Heartbeat", "plan", "wait_until_ready"]

#: What keeps the virtual IP on one node: the guide's own engine, or keepalived in its place.
Heartbeat = Literal["ucarp", "keepalived"]


def plan(
    topology: Topology,
    platform: Platform,
    *,
    heartbeat: Heartbeat = "ucarp",
    virtual_ip: str = VIRTUAL_IP,
    forward_to: ForwardTo = "virtual-ip",
    vendors: bool = False,
) -> Plan:
    """Return the guide as a plan for the machines of `topology`.

    With `forward_to` "primary" the gateway leads to the primary itself, as for initial testing;
    with `vendors`, Access Server is the vendor's own. PlanError when the topology lacks a role, or
    the virtual IP cannot be shared.
    """
    site = Site.of(topology, virtual_ip)
    steps = [
        *primary.steps(site, platform, heartbeat),
        *users.steps(site),
        *client.steps(site, platform),
        *secondary.steps(site, platform, heartbeat),
        *ssh_access.steps(site, platform),
        *pair.steps(site, heartbeat),
        *gateway.steps(site, platform, forward_to),
        *licence.steps(site),
        *troubleshooting.steps(site, platform),
    ]
    return Plan(vendor.with_vendors_packages(steps, platform, heartbeat) if vendors else steps)
