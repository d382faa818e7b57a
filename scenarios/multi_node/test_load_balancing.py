"""The guide's section "Load Balancing": one name, all nodes, clients on each."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.multi_node.deployment import Deployment
from checks.multi_node.guide import FAMILIES, RECORD_TYPE
from checks.protocols.round_robin import LEAST_QUERIES
from evidence.history import History
from lab.lab import Lab
from lab.threads import side_by_side
from scenarios.multi_node import installed, observe, visits
from scenarios.multi_node.clients import Clients, addressed, ways
from scenarios.multi_node.portal import Portal

Judge = Callable[[str], object]

SECONDS, SECONDS_EACH = 180, 11.25  # for all clients of a scenario together: the longer one
SPARE_QUERIES = 10  # a lost answer must not leave too few
FULL_QUERIES = 1000


@pytest.mark.on_site("observes")
@pytest.mark.requirement("MN-21")
def test_the_shared_name_leads_to_all_nodes_and_each_lets_a_client_in(
    multi_node: Lab, site: Deployment, clients: Clients, history: History, judge: Judge
) -> None:
    questions = [(site.shared_name, RECORD_TYPE[family]) for family in FAMILIES]
    observe.names(history, multi_node[site.client.name], questions)
    clients.try_ways(ways(site, "udp"), seconds=SECONDS)
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
    multi_node: Lab, site: Deployment, clients: Clients, history: History, judge: Judge
) -> None:
    named = {f"client-{number}": profile for number, profile in enumerate(clients.profiles)}
    wanted = addressed(site, named)
    tunnels = clients.connect(wanted, seconds=max(SECONDS, SECONDS_EACH * len(wanted)))
    clients.record(wanted, tunnels)
    nodes = [multi_node[node] for node in site.nodes]
    observe.connection_log(history, multi_node[site.controller.name], nodes)
    judge("MN-23")


@pytest.mark.sign_off
@pytest.mark.requirement("MN-20")
def test_merged_profiles_are_one_to_users_with_one_name_and_one_key(
    multi_node: Lab, site: Deployment, history: History, judge: Judge
) -> None:
    controller, client = multi_node[site.controller.name], site.client.name
    observe.controller_config(history, controller)
    installed.tls_crypt_keys(history, controller, installed.SHARED_KEY)
    side_by_side(
        (multi_node[node] for node in site.nodes),
        lambda node: installed.tls_crypt_keys(history, node, f"{installed.SERVER_FILES}/*.conf"),
    )
    passwords = visits.printed_passwords(history, controller)
    portal = Portal.of(multi_node[client], site.controller.fqdn)
    portal.log_in("demo", passwords["demo"])
    visits.configurations(history, portal, client, "demo")
    try:
        for node in site.nodes:
            visits.ask_configuration(history, portal, client, "demo", node)
    finally:
        portal.delete_certificates()
    judge("MN-20")
