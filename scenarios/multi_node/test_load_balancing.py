"""The guide's section "Load Balancing": one name, all nodes, clients on each."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.multi_node.deployment import Deployment
from checks.multi_node.guide import FAMILIES, RECORD_TYPE
from checks.protocols.round_robin import LEAST_QUERIES
from evidence.history import History
from lab.lab import Lab
from provision.vpn_clients import VpnClients
from scenarios.multi_node import observe
from scenarios.multi_node.clients import by_ways, clients, connect, record_tunnels, ways

Judge = Callable[[str], object]

SECONDS, SECONDS_EACH = 180, 11.25  # for all clients of a scenario together: the longer one
SPARE_QUERIES = 10  # a lost answer must not leave too few
FULL_QUERIES = 1000


@pytest.mark.on_site("observes")
@pytest.mark.requirement("MN-21")
def test_the_shared_name_leads_to_all_nodes_and_each_lets_a_client_in(
    multi_node: Lab,
    site: Deployment,
    vpn_clients: VpnClients,
    profiles: list[str],
    history: History,
    judge: Judge,
) -> None:
    questions = [(site.shared_name, RECORD_TYPE[family]) for family in FAMILIES]
    observe.names(history, multi_node[site.client.name], questions)
    each = ways(site, "udp")
    wanted = by_ways(site, each, profiles)
    tunnels = connect(vpn_clients, history, site, wanted, seconds=SECONDS)
    record_tunnels(vpn_clients, history, site, wanted, tunnels, {way.name: way for way in each})
    judge("MN-21")


@pytest.mark.on_site("observes")
@pytest.mark.requirement("MN-22")
def test_the_dns_server_rotates_its_answers(
    multi_node: Lab, site: Deployment, history: History, judge: Judge, full: bool
) -> None:
    count = FULL_QUERIES if full else LEAST_QUERIES + SPARE_QUERIES
    client = multi_node[site.client.name]
    for family in FAMILIES:
        observe.dns(history, client, site.shared_name, RECORD_TYPE[family], count)
    judge("MN-22")


@pytest.mark.on_site("observes")
@pytest.mark.requirement("MN-23")
def test_clients_that_connect_by_the_shared_name_land_on_all_nodes(
    multi_node: Lab,
    site: Deployment,
    vpn_clients: VpnClients,
    profiles: list[str],
    history: History,
    judge: Judge,
) -> None:
    named = {f"client-{number}": profile for number, profile in enumerate(profiles)}
    wanted = clients(site, named)
    seconds = max(SECONDS, SECONDS_EACH * len(wanted))
    tunnels = connect(vpn_clients, history, site, wanted, seconds=seconds)
    record_tunnels(vpn_clients, history, site, wanted, tunnels, {})
    observe.connection_log(history, multi_node[site.controller.name])
    judge("MN-23")
