"""What scenarios of the multi-node guide share: VPN clients, and profiles downloaded for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from checks.multi_node.guide import HOSTS
from checks.round_robin import LEAST_CLIENTS
from lab.lab import Lab
from provision.multi_node.download import download
from provision.vpn_clients import Client, VpnClients

FULL_CLIENTS = 32


class Leaving(VpnClients):
    """VPN clients that remember who was connected, so that they can be sent home."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab["client"], nameserver=HOSTS["services"].ipv4)
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
def vpn_clients(multi_node: Lab) -> Iterator[VpnClients]:
    """Clients on the client machine; those a scenario connects are gone when it ends."""
    clients = Leaving(multi_node)
    try:
        yield clients
    finally:
        clients.leave()


@pytest.fixture(scope="session")
def profiles(multi_node: Lab, pytestconfig: pytest.Config) -> list[str]:
    """Profiles downloaded for as many users as the largest scenario needs, once a run."""
    count = FULL_CLIENTS if pytestconfig.getoption("full", default=False) else LEAST_CLIENTS
    users = [f"user-{number}" for number in range(count)]
    texts = download(multi_node["controller"], profile="node-a", users=users)
    return [texts[user] for user in users]
