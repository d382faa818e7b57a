"""Secrets, after they were used: in logs, on command lines, in files, and in the evidence."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.multi_node.deployment import Deployment
from evidence.history import History
from lab.lab import Lab
from lab.threads import side_by_side
from scenarios.multi_node import access, secrecy, visits
from scenarios.multi_node.clients import SECONDS_EACH, Clients, ways
from scenarios.multi_node.portal import Portal

Judge = Callable[[str], object]


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("MN-32")
def test_no_secret_stands_where_others_may_read_it(
    multi_node: Lab, site: Deployment, clients: Clients, history: History, judge: Judge
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
        clients.try_ways(each, seconds=SECONDS_EACH * len(each))
        secrecy.keep_all(history, controller)
        side_by_side(machines, lambda machine: secrecy.search_machine(history, machine))
    secrecy.search_evidence(history, multi_node)
    judge("MN-32")
