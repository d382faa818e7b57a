"""What a lab's topology means to deploy, as an event: what checks compare with what they find."""

from __future__ import annotations

from checks.multi_node.deployment import Deployment
from evidence.events.deployment import DeploymentPlanned, MachinePlanned
from evidence.history import History
from lab.topology import MachineSpec, Topology
from provision.multi_node import profiles
from provision.multi_node.site import Site


def planned(topology: Topology) -> DeploymentPlanned:
    """Return the deployment of a topology; PlanError as `Site.of`."""
    site = Site.of(topology)
    return DeploymentPlanned(
        source=topology.name,
        machines=tuple(_machine(topology, one) for one in topology.machines),
        shared_name=site.shared_fqdn,
        profiles=profiles.separate(site),
        merged_profiles=profiles.merged(site),
    )


def record_planned(history: History, topology: Topology) -> Deployment:
    """Record the deployment of a topology, and return it as checks will read it."""
    event = planned(topology)
    history.record(event)
    return Deployment(event)


def _machine(topology: Topology, machine: MachineSpec) -> MachinePlanned:
    network = topology.networks[machine.nics[0].network]
    return MachinePlanned(
        name=machine.name,
        roles=machine.roles,
        fqdn=machine.fqdn,
        ipv4=str(machine.ipv4),
        bits4=network.ipv4.prefixlen,
        ipv6=str(machine.ipv6),
        bits6=network.ipv6.prefixlen if network.ipv6 else 128,
    )
