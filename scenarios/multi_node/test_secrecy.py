"""Secrets, after they were used: in logs, on command lines, in files, and in the evidence."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.multi_node.deployment import Deployment
from evidence.history import History
from lab.lab import Lab
from provision.vpn_clients import VpnClients
from scenarios.multi_node import access, secrecy, visits
from scenarios.multi_node.clients import by_ways, connect, record_tunnels, ways
from scenarios.multi_node.observe import side_by_side
from scenarios.multi_node.portal import Portal

Judge = Callable[[str], object]

SECONDS_EACH = 15  # for all clients of a scenario together, times their number


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("MN-32")
def test_no_secret_stands_where_others_may_read_it(
    multi_node: Lab,
    site: Deployment,
    vpn_clients: VpnClients,
    profiles: list[str],
    history: History,
    judge: Judge,
) -> None:
    machines = [multi_node[name] for name in site.hosts]
    controller = multi_node[site.controller.name]
    with secrecy.watched(machines):
        passwords = visits.printed_passwords(history, controller)
        portal = Portal.of(multi_node[site.client.name], site.controller.fqdn)
        visits.log_in_every_way(history, portal, site.client.name, passwords)
        side_by_side(
            (multi_node[node] for node in site.nodes),
            lambda node: access.apply_changes(history, node),
        )
        each = ways(site, "udp")
        wanted = by_ways(site, each, profiles)
        tunnels = connect(vpn_clients, history, site, wanted, seconds=SECONDS_EACH * len(wanted))
        known = {way.name: way for way in each}
        record_tunnels(vpn_clients, history, site, wanted, tunnels, known)
        secrecy.keep_all(history, controller)
        side_by_side(machines, lambda machine: secrecy.search_machine(history, machine))
    secrecy.search_evidence(history, multi_node)
    judge("MN-32")
