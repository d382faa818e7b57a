"""The guide's section "Nodes": who reaches vpn-daemon, and what it wants to be shown."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.multi_node.deployment import Deployment
from checks.multi_node.guide import DAEMON_PORT
from evidence.history import History
from lab.lab import Lab
from lab.threads import side_by_side
from scenarios.multi_node import access

Judge = Callable[[str], object]


@pytest.mark.requirement("MN-10")
def test_vpn_daemon_lets_the_controller_in_and_no_other_peer(
    multi_node: Lab, site: Deployment, history: History, judge: Judge
) -> None:
    access.daemon_peers(history, site, multi_node[site.controller.name])
    judge("MN-10")


@pytest.mark.requirement("MN-11")
def test_only_the_controller_reaches_vpn_daemon(
    multi_node: Lab, site: Deployment, history: History, judge: Judge
) -> None:
    side_by_side(
        multi_node.machines.values(),
        lambda machine: access.knock(history, site, machine, site.nodes, {"tcp": (DAEMON_PORT,)}),
    )
    judge("MN-11")
