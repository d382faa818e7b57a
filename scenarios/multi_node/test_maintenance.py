"""The guide's section "Maintenance": its order, other orders, and what is there afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from itertools import permutations

import pytest

from checks.multi_node.deployment import Deployment
from checks.multi_node.steps import ORDER
from evidence.events.maintenance import Script
from evidence.history import History
from lab.errors import DeadlinePassed
from lab.lab import Lab
from lab.wait import pause
from scenarios.multi_node.clients import SECONDS_EACH, Clients, Way, ways
from scenarios.multi_node.maintenance import Maintenance, asking, connections, far_ends

Judge = Callable[[str], object]

BACK_S = 100.0  # longer than what MN-27 allows
STAYS_S = 3.0
SERVED_S = 3.0  # before anything is stopped

WRONG_ORDERS = tuple(order for order in permutations(ORDER) if order != ORDER)


class Users:
    """Clients that use every node, by UDP and TCP, over both families, while it is maintained."""

    def __init__(self, lab: Lab, clients: Clients) -> None:
        self._clients, site = clients, clients.site
        self._machine, self._controller = lab[site.client.name], lab[site.controller.name]
        each = ways(site, "udp", "tcp")
        self._ways = {name: way for name, way in each.items() if _is_used(way, site)}
        self._wanted = clients.by_ways(self._ways)

    @contextlib.contextmanager
    def connected(self) -> Iterator[None]:
        """Connect them, and let them ask for something until the end of the block."""
        clients = self._clients
        clients.connect(self._wanted, seconds=SECONDS_EACH * len(self._wanted))
        targets = {name: far_ends(clients.site, way.transport) for name, way in self._ways.items()}
        with asking(clients.vpn, self._machine, targets):
            self.look()
            pause(SERVED_S)
            yield

    def wait_until_back(self) -> None:
        """Wait until they are connected again, and a while longer; then record how they stand."""
        with contextlib.suppress(DeadlinePassed):
            self._clients.vpn.wait_up(list(self._ways), BACK_S)
        pause(STAYS_S)
        self.look()

    def look(self) -> None:
        """Record how each stands, and what the controller has logged."""
        clients = self._clients
        clients.record(self._wanted, clients.tunnels(self._wanted), self._ways)
        connections(clients.history, self._controller)


def _is_used(way: Way, site: Deployment) -> bool:
    """Whether it is one of two for each node: by UDP over one family, by TCP over the other."""
    over_ipv6 = (site.nodes.index(way.node) % 2 == 1) == (way.transport == "udp")
    return way.family == (6 if over_ipv6 else 4)


@pytest.fixture
def users(multi_node: Lab, clients: Clients) -> Iterator[Users]:
    """Two users a node, connected before and while the scenario goes on."""
    found = Users(multi_node, clients)
    with found.connected():
        yield found


def maintain(
    lab: Lab, site: Deployment, users: Users, history: History, *, by_reboot: bool = False
) -> None:
    """Maintain a lab in the guide's order, and wait for its users."""
    maintenance = Maintenance(lab, site, history)
    maintenance.follow(ORDER, by_reboot=by_reboot)
    users.wait_until_back()
    maintenance.read_journals()


@pytest.mark.destructive
@pytest.mark.requirement("MN-25", "MN-27")
def test_maintenance_in_the_guides_order(
    multi_node: Lab, site: Deployment, users: Users, history: History, judge: Judge
) -> None:
    maintain(multi_node, site, users, history)
    judge("MN-25")
    judge("MN-27")


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("MN-25", "MN-27")
def test_maintenance_that_ends_with_a_reboot_of_the_nodes(
    multi_node: Lab, site: Deployment, users: Users, history: History, judge: Judge
) -> None:
    maintain(multi_node, site, users, history, by_reboot=True)
    judge("MN-27")
    judge("MN-25")


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("MN-26")
@pytest.mark.parametrize("order", WRONG_ORDERS, ids=lambda order: "-".join(s[:-3] for s in order))
def test_another_order_is_named_wrong(
    order: tuple[Script, ...], multi_node: Lab, site: Deployment, history: History, judge: Judge
) -> None:
    maintenance = Maintenance(multi_node, site, history)
    maintenance.follow(order)
    maintenance.read_journals()
    judge("MN-26")
