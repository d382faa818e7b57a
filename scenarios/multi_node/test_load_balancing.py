"""The guide's section "Load Balancing": one name, both nodes, clients on each."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.multi_node.guide import FAMILIES, NODES, RECORD_TYPE, SHARED_NAME
from checks.protocols.round_robin import LEAST_QUERIES
from evidence.history import History
from lab.lab import Lab
from provision.vpn_clients import VpnClients
from scenarios.multi_node import observe
from scenarios.multi_node.clients import Way, client, connect, record_tunnels

Judge = Callable[[str], object]

SECONDS = 180  # for all clients of a scenario together
SPARE_QUERIES = 10  # a lost answer must not leave too few
FULL_QUERIES = 1000


@pytest.mark.requirement("MN-21")
def test_the_shared_name_leads_to_both_nodes_and_each_lets_a_client_in(
    multi_node: Lab,
    vpn_clients: VpnClients,
    profiles: list[str],
    history: History,
    judge: Judge,
) -> None:
    questions = [(SHARED_NAME, RECORD_TYPE[family]) for family in FAMILIES]
    observe.names(history, multi_node["client"], questions)
    ways = [Way(node, "udp", family) for node in NODES for family in FAMILIES]
    wanted = [
        client(number, way.name, way.only(profiles[FAMILIES.index(way.family)]))
        for number, way in enumerate(ways)
    ]
    tunnels = connect(vpn_clients, history, wanted, seconds=SECONDS)
    record_tunnels(vpn_clients, history, wanted, tunnels, {way.name: way for way in ways})
    judge("MN-21")


@pytest.mark.requirement("MN-22")
def test_the_dns_server_rotates_its_answers(
    multi_node: Lab, history: History, judge: Judge, full: bool
) -> None:
    count = FULL_QUERIES if full else LEAST_QUERIES + SPARE_QUERIES
    for family in FAMILIES:
        observe.dns(history, multi_node["client"], SHARED_NAME, RECORD_TYPE[family], count)
    judge("MN-22")


@pytest.mark.requirement("MN-23")
def test_clients_that_connect_by_the_shared_name_land_on_both_nodes(
    multi_node: Lab,
    vpn_clients: VpnClients,
    profiles: list[str],
    history: History,
    judge: Judge,
) -> None:
    wanted = [
        client(number, f"client-{number}", profile) for number, profile in enumerate(profiles)
    ]
    tunnels = connect(vpn_clients, history, wanted, seconds=SECONDS)
    record_tunnels(vpn_clients, history, wanted, tunnels, {})
    observe.connection_log(history, multi_node["controller"])
    judge("MN-23")
