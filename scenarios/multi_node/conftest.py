"""What scenarios of the multi-node guide share: VPN clients, and profiles downloaded for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from checks.multi_node.guide import HOSTS
from lab.lab import Lab
from provision.multi_node.download import downloaded
from provision.vpn_clients import Client, VpnClients


@pytest.fixture
def multi_node(lab: Lab) -> Lab:
    """The guide's deployment, its machines by name."""
    return lab


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


@pytest.fixture
def profiles(multi_node: Lab) -> list[str]:
    """The configurations that users have downloaded, one a user."""
    return downloaded(multi_node["controller"])
