"""The guide's section "Nodes": what apply_changes makes, and clients that get in."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.multi_node.guide import FAMILIES, NODES, TRANSPORTS
from evidence.history import History
from lab.lab import Lab
from provision.vpn_clients import VpnClients
from scenarios.multi_node import observe
from scenarios.multi_node.clients import Way, client, connect, record_tunnels

Judge = Callable[[str], object]

SECONDS = 120  # for all clients of a scenario together


@pytest.mark.requirement("MN-13")
def test_each_node_runs_one_openvpn_process_a_protocol(
    multi_node: Lab, history: History, judge: Judge
) -> None:
    observe.side_by_side(
        (multi_node[node] for node in NODES),
        lambda node: observe.server_state(history, node),
    )
    judge("MN-13")


@pytest.mark.requirement("MN-15")
def test_a_client_gets_into_each_node_by_udp_and_tcp_over_ipv4_and_ipv6(
    vpn_clients: VpnClients, profiles: list[str], history: History, judge: Judge
) -> None:
    ways = [Way(n, t, f) for n in NODES for t in TRANSPORTS for f in FAMILIES]
    # a process lets a certificate in once at a time: one for each family is enough
    wanted = [
        client(number, way.name, way.only(profiles[FAMILIES.index(way.family)]))
        for number, way in enumerate(ways)
    ]
    tunnels = connect(vpn_clients, history, wanted, seconds=SECONDS)
    record_tunnels(vpn_clients, history, wanted, tunnels, {way.name: way for way in ways})
    judge("MN-15")
