"""What scenarios of the multi-node guide share: VPN clients, and profiles downloaded for them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from checks.multi_node.deployment import Deployment
from evidence.history import History
from lab.lab import Lab
from provision.multi_node.download import downloaded
from scenarios.multi_node.clients import Clients
from scenarios.multi_node.planned import record_planned
from scenarios.multi_node.tunnel_clients import TunnelClients


@pytest.fixture
def multi_node(lab: Lab) -> Lab:
    """The guide's deployment, its machines by name."""
    return lab


@pytest.fixture(autouse=True)
def site(lab: Lab, history: History) -> Deployment:
    """What was to be deployed; recorded before a scenario does anything."""
    return record_planned(history, lab.topology)


@pytest.fixture
def clients(multi_node: Lab, site: Deployment, history: History) -> Iterator[Clients]:
    """Clients on the client machine, with the profiles that users have downloaded.

    Those a scenario connects are gone when it ends.
    """
    vpn = TunnelClients(multi_node, site)
    profiles = downloaded(multi_node[site.controller.name])
    try:
        yield Clients(vpn, profiles, site, history)
    finally:
        vpn.leave()
