"""The guide's section "Maintenance": its order, other orders, and what is there afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

import pytest

from checks.multi_node.deployment import Deployment
from checks.multi_node.steps import ORDER, START, STOP, UPDATE_CONTROLLER, UPDATE_NODE
from evidence.events.maintenance import Script
from evidence.history import History
from lab.errors import DeadlinePassed
from lab.lab import Lab
from lab.wait import pause
from provision.vpn_clients import Client, VpnClients
from scenarios.multi_node.clients import Way, by_ways, connect, record_tunnels, ways
from scenarios.multi_node.maintenance import Maintenance, asking, connections, far_ends

Judge = Callable[[str], object]

SECONDS_EACH = 15  # for all clients together, times their number
BACK_S = 100.0  # longer than what MN-27 allows
STAYS_S = 3.0
SERVED_S = 3.0  # before anything is stopped

WRONG_ORDERS: tuple[tuple[Script, ...], ...] = (
    (UPDATE_CONTROLLER, STOP, UPDATE_NODE, START),
    (STOP, UPDATE_NODE, UPDATE_CONTROLLER, START),
    (STOP, UPDATE_CONTROLLER, START, UPDATE_NODE),
    (START, STOP, UPDATE_CONTROLLER, UPDATE_NODE),
)


class Users:
    """Clients that use every node, by UDP and TCP, over both families, while it is maintained."""

    def __init__(
        self, lab: Lab, site: Deployment, vpn_clients: VpnClients, history: History
    ) -> None:
        self._lab, self._site, self._history = lab, site, history
        self._vpn_clients = vpn_clients
        each = ways(site, "udp", "tcp")
        self._ways = {way.name: way for way in each if _is_used(way, site)}

    @contextlib.contextmanager
    def connected(self, profiles: Sequence[str]) -> Iterator[None]:
        """Connect them, and let them ask for something until the end of the block."""
        wanted = by_ways(self._site, list(self._ways.values()), profiles)
        seconds = SECONDS_EACH * len(wanted)
        connect(self._vpn_clients, self._history, self._site, wanted, seconds=seconds)
        machine = self._lab[self._site.client.name]
        targets = {name: far_ends(self._site, way.transport) for name, way in self._ways.items()}
        with asking(self._vpn_clients, machine, targets):
            self.look(wanted)
            connections(self._history, self._lab[self._site.controller.name])
            pause(SERVED_S)
            self._wanted = wanted
            yield

    def wait_until_back(self) -> None:
        """Wait until they are connected again, and a while longer; then record how they stand."""
        with contextlib.suppress(DeadlinePassed):
            self._vpn_clients.wait_up(list(self._ways), BACK_S)
        pause(STAYS_S)
        self.look(self._wanted)
        connections(self._history, self._lab[self._site.controller.name])

    def look(self, wanted: Sequence[Client]) -> None:
        """Record how each stands."""
        tunnels = {one.name: one for one in self._vpn_clients.statuses(list(self._ways))}
        record_tunnels(self._vpn_clients, self._history, self._site, wanted, tunnels, self._ways)


def _is_used(way: Way, site: Deployment) -> bool:
    """Whether it is one of two for each node: by UDP over one family, by TCP over the other."""
    over_ipv6 = (site.nodes.index(way.node) % 2 == 1) == (way.transport == "udp")
    return way.family == (6 if over_ipv6 else 4)


@pytest.fixture
def users(
    multi_node: Lab,
    site: Deployment,
    vpn_clients: VpnClients,
    profiles: list[str],
    history: History,
) -> Iterator[Users]:
    """Two users a node, connected before and while the scenario goes on."""
    found = Users(multi_node, site, vpn_clients, history)
    with found.connected(profiles):
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
@pytest.mark.usefixtures("users")
@pytest.mark.parametrize("order", WRONG_ORDERS, ids=lambda order: "-".join(s[:-3] for s in order))
def test_another_order_is_named_wrong(
    order: tuple[Script, ...], multi_node: Lab, site: Deployment, history: History, judge: Judge
) -> None:
    maintenance = Maintenance(multi_node, site, history)
    maintenance.follow(order)
    maintenance.read_journals()
    judge("MN-26")
