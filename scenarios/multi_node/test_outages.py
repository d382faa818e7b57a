"""A node that dies, and a controller that is off: what becomes of clients, and of apply_changes."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable

import pytest

from checks.multi_node.applying import APPLY
from checks.multi_node.deployment import Deployment
from checks.multi_node.guide import TRANSPORTS
from checks.multi_node.node_lost import arrival
from evidence.history import History
from lab.errors import DeadlinePassed, ScenarioError
from lab.lab import Lab
from lab.machine import Machine
from lab.quiet import busy, quiet
from lab.threads import side_by_side
from lab.wait import pause, until
from provision.multi_node.nodes import apply_changes
from provision.multi_node.ready import wait_until_ready
from provision.multi_node.site import Site
from scenarios.multi_node import observe
from scenarios.multi_node.clients import SECONDS_EACH, Clients, addressed, ways
from scenarios.multi_node.maintenance import asking, far_ends, run_script, switch

Judge = Callable[[str], object]

SECONDS_ALONE = 60.0
CLIENTS = 6  # that connect by the shared name: whichever node dies has some
REFUSED_S = 60.0
STANDS_S = 20.0  # that the controller is off and clients stand, at the least
_REFUSED = ("AUTH_FAILED", "process exiting", "Exiting due to fatal error")


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("MN-24")
def test_clients_of_a_node_that_dies_go_to_another_by_themselves(
    multi_node: Lab, site: Deployment, clients: Clients, history: History, judge: Judge
) -> None:
    profiles = clients.profiles[:CLIENTS]
    wanted = addressed(site, {f"client-{n}": one for n, one in enumerate(profiles)})
    names = [one.name for one in wanted]
    tunnels = clients.connect_in_turn(wanted, seconds_each=SECONDS_ALONE)
    clients.record(wanted, tunnels)
    at = {name: site.node_of(one.remote or "") for name, one in tunnels.items() if one.up}
    lost = Counter(node for node in at.values() if node).most_common(1)
    if not lost:
        raise ScenarioError("no client is connected to a node", hint="see MN-15, MN-23")
    (node, _), others = lost[0], set(site.nodes) - {lost[0][0]}

    def arrived() -> bool:
        now = clients.vpn.statuses(names)
        return all(one.up and site.node_of(one.remote or "") in others for one in now)

    machine = multi_node[site.client.name]
    targets = dict.fromkeys(names, far_ends(site, *TRANSPORTS))
    with quiet(multi_node.directory), asking(clients.vpn, machine, targets):
        pause(2.0)
        switch(history, multi_node[node], multi_node[node].kill, on=False)
        with contextlib.suppress(DeadlinePassed):
            until(arrived, arrival(site).maximum_s + 20, "clients at another node", every=2.0)
        pause(3.0)
        clients.record(wanted, clients.tunnels(wanted))
    judge("MN-24")


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("MN-30")
def test_a_controller_that_is_off_keeps_new_clients_out_and_leaves_the_others(
    multi_node: Lab, site: Deployment, clients: Clients, history: History, judge: Judge
) -> None:
    known = ways(site, "udp", "tcp")
    wanted = clients.by_ways(known)
    chosen = {"udp4": "standing", "udp6": "newcomer", "tcp4": "later"}
    by_part = {
        part: [one for one in wanted if one.name.endswith(way)] for way, part in chosen.items()
    }
    controller = multi_node[site.controller.name]

    def look(part: str) -> None:
        clients.record(by_part[part], clients.tunnels(by_part[part]), known)

    def send(part: str, seconds: float) -> None:
        clients.connect(by_part[part], seconds=seconds)

    def refused() -> bool:
        found = clients.tunnels(by_part["newcomer"]).values()
        return all(any(word in one.log for word in _REFUSED) for one in found)

    send("standing", SECONDS_EACH * len(site.nodes))
    look("standing")  # who is in has to be seen before: the node may have sent it nothing yet
    targets = {one.name: far_ends(site, "udp") for one in by_part["standing"]}
    with asking(clients.vpn, multi_node[site.client.name], targets):
        switch(history, controller, controller.kill, on=False)
        send("newcomer", 1.0)
        with contextlib.suppress(DeadlinePassed):
            until(refused, REFUSED_S, "newcomers to be refused", every=1.0)
        look("newcomer")
        pause(STANDS_S)
        switch(history, controller, lambda: _bring_back(multi_node, controller), on=True)
        send("later", SECONDS_EACH * len(site.nodes))
        look("later")
        look("standing")
    judge("MN-30")


def _bring_back(lab: Lab, controller: Machine) -> None:
    with busy(lab.directory):
        controller.power_on()
        controller.wait_until_up()
    wait_until_ready(lab)


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("MN-14")
def test_apply_changes_twice_changes_nothing_and_fails_without_the_controller(
    multi_node: Lab, site: Deployment, history: History, judge: Judge
) -> None:
    nodes = [multi_node[node] for node in site.nodes]
    hosts = {node.name: node for node in Site.of(multi_node.topology).nodes}

    def apply(node: Machine) -> None:
        typed = apply_changes(hosts[node.name], once="")[0].text
        run_script(history, node, APPLY, typed)

    for _ in range(2):
        side_by_side(nodes, apply)
        side_by_side(nodes, lambda node: observe.server_state(history, node))
    controller = multi_node[site.controller.name]
    switch(history, controller, controller.kill, on=False)
    side_by_side(nodes, apply)
    judge("MN-14")
