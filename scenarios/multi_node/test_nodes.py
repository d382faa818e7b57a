"""The guide's section "Nodes": what apply_changes makes, and clients that get in."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.multi_node.deployment import Deployment
from checks.multi_node.guide import TRANSPORTS
from evidence.history import History
from lab.lab import Lab
from lab.machine import Machine
from lab.threads import side_by_side
from scenarios.multi_node import access, installed, observe
from scenarios.multi_node.clients import SECONDS_EACH, Clients, ways

Judge = Callable[[str], object]


@pytest.mark.on_site("observes")
@pytest.mark.requirement("MN-13")
def test_each_node_runs_one_openvpn_process_a_protocol(
    multi_node: Lab, site: Deployment, history: History, judge: Judge
) -> None:
    side_by_side(
        (multi_node[node] for node in site.nodes),
        lambda node: observe.server_state(history, node),
    )
    judge("MN-13")


@pytest.mark.on_site("observes")
@pytest.mark.requirement("MN-15")
def test_a_client_gets_into_each_node_by_udp_and_tcp_over_ipv4_and_ipv6(
    site: Deployment, clients: Clients, judge: Judge
) -> None:
    each = ways(site, *TRANSPORTS)
    clients.try_ways(each, seconds=SECONDS_EACH * len(each))
    judge("MN-15")


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("MN-12")
def test_a_node_deploys_the_profiles_of_its_list_and_no_others(
    multi_node: Lab, site: Deployment, history: History, judge: Judge
) -> None:
    def apply(node: Machine) -> None:
        installed.node_config(history, node)
        access.apply_changes(history, node)
        observe.server_state(history, node)

    observe.controller_config(history, multi_node[site.controller.name])
    side_by_side((multi_node[node] for node in site.nodes), apply)
    judge("MN-12")
