"""What scenarios of the multi-node guide share: VPN clients, and profiles downloaded for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from checks.multi_node.deployment import Deployment
from evidence.history import History
from lab.lab import Lab
from provision.multi_node.download import downloaded
from provision.vpn_clients import Client, VpnClients
from scenarios.multi_node.planned import record_planned


@pytest.fixture
def multi_node(lab: Lab) -> Lab:
    """The guide's deployment, its machines by name."""
    return lab


@pytest.fixture(autouse=True)
def site(lab: Lab, history: History) -> Deployment:
    """What was to be deployed; recorded before a scenario does anything."""
    return record_planned(history, lab.topology)


class Leaving(VpnClients):
    """VPN clients that remember who was connected, so that they can be sent home."""

    def __init__(self, lab: Lab, site: Deployment) -> None:
        super().__init__(lab[site.client.name], nameserver=site.services.address(4))
        self._connected: list[str] = []

    def connect_all(self, clients: Sequence[Client]) -> None:
        """Start clients, as VpnClients does."""
        self._connected += [client.name for client in clients]
        super().connect_all(clients)

    def leave(self) -> None:
        """End every client that was started."""
        self.disconnect(dict.fromkeys(self._connected))
        self._connected.clear()


@pytest.fixture
def vpn_clients(multi_node: Lab, site: Deployment) -> Iterator[VpnClients]:
    """Clients on the client machine; those a scenario connects are gone when it ends."""
    clients = Leaving(multi_node, site)
    try:
        yield clients
    finally:
        clients.leave()


@pytest.fixture
def profiles(multi_node: Lab, site: Deployment) -> list[str]:
    """The configurations that users have downloaded, one a user."""
    return downloaded(multi_node[site.controller.name])
