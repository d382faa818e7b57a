"""The guide's section "Firewall": the nodes' own rules, what they let in, and what through."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

import pytest

from checks.multi_node.deployment import Deployment
from checks.multi_node.forwarding import LETS_IN
from checks.multi_node.guide import DAEMON_PORT, FAMILIES, PORT, TRANSPORTS
from checks.multi_node.rules import SSH
from checks.multi_node.server_processes import Process
from checks.multi_node.tightened import NO_COMMIT
from evidence.events.access import GuideTextTried, Phase
from evidence.events.access import Way as Forwarded
from evidence.events.multi_node import Transport
from evidence.history import History
from lab.lab import Lab
from lab.machine import Machine
from lab.quiet import busy
from lab.threads import side_by_side
from provision import multi_node as guide
from provision.multi_node import firewall
from provision.multi_node.site import Site
from provision.platform import platform_of
from provision.vpn_clients import Client, Tunnel
from scenarios.multi_node import access
from scenarios.multi_node.access import Ports
from scenarios.multi_node.clients import SECONDS_EACH, Clients, inside, ways
from scenarios.multi_node.tunnel_clients import DEVICE

Judge = Callable[[str], object]

NOBODY_IN: Ports = {
    # where services usually are, and neighbours of what is let in
    "tcp": (
        21, 23, 25, 53, 80, 110, 111, 123, 135, 139, 143, 179, 389, 443, 445, 465, 514, 587, 631,
        636, 873, 993, 995, 1080, 1193, 1195, 1433, 1723, 2049, 3128, 3306, 3389, 5000, 5201, 5432,
        5900, 6379, 8000, 8080, 8443, 9090, 11211, 41193, 41195, 65535,
    ),
    "udp": (53, 123, 161, 500, 1193, 1195, 4500, 5353, 41194, 51820),
}  # fmt: skip
LET_IN: Ports = {"tcp": (SSH, PORT, DAEMON_PORT), "udp": (PORT,)}


def every_port(site: Deployment) -> Ports:
    """Return what is knocked at: all of these, and each OpenVPN process' management port."""
    each = itertools.product(site.nodes, range(len(TRANSPORTS)))
    management = [Process(site, node, index).management[1] for node, index in each]
    more: Ports = {"tcp": management, "udp": ()}
    return {one: (*LET_IN[one], *NOBODY_IN[one], *more[one]) for one in TRANSPORTS}


def tighten(lab: Lab) -> None:
    """Follow the section on a lab that is deployed."""
    plan = guide.firewall_plan(lab.topology, platform_of(lab.image.name))
    plan.run(lab.machines, transcripts=lab.directory / "transcripts")


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("MN-28")
def test_the_tightened_firewall_lets_in_what_the_guide_says_and_stays(
    multi_node: Lab, site: Deployment, clients: Clients, history: History, judge: Judge
) -> None:
    nodes = [multi_node[node] for node in site.nodes]
    try_ipv6_as_printed(history, multi_node, nodes[0])
    tighten(multi_node)
    show(history, site, nodes, "loaded")
    side_by_side(nodes, reboot)
    show(history, site, nodes, "rebooted")
    side_by_side(nodes, lambda node: access.apply_changes(history, node))
    with access.echoing(nodes, NOBODY_IN["udp"]):
        show(history, site, nodes, "applied")
        wanted, _ = connected(clients, "udp")
        side_by_side(
            (multi_node[name] for name in (site.controller.name, site.client.name)),
            lambda machine: access.knock(history, site, machine, site.nodes, every_port(site)),
        )
        for node in site.nodes:
            go_out(clients, node, wanted)
        show(history, site, nodes, "applied")
    judge("MN-28")


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("MN-29")
def test_nothing_but_clients_packets_and_answers_goes_through_a_node(
    multi_node: Lab, site: Deployment, clients: Clients, history: History, judge: Judge
) -> None:
    nodes = [multi_node[node] for node in site.nodes]
    tighten(multi_node)
    wanted, tunnels = connected(clients, *TRANSPORTS)
    show(history, site, nodes, "loaded")
    for node in site.nodes:
        go_out(clients, node, wanted)
        for family in FAMILIES:
            between_clients(clients, node, tunnels, family)
            from_outside(history, multi_node, site, node, tunnels, family)
    show(history, site, nodes, "loaded")
    let_in_as_printed(history, multi_node, site, tunnels)
    judge("MN-29")


def connected(
    clients: Clients, *transports: Transport
) -> tuple[list[Client], Mapping[str, Tunnel]]:
    """Connect a client by each way to each node, and record what became of them."""
    each = ways(clients.site, *transports)
    return clients.try_ways(each, seconds=SECONDS_EACH * len(each))


def show(history: History, site: Deployment, nodes: list[Machine], phase: Phase) -> None:
    """Record each node's firewall as it stands."""
    side_by_side(nodes, lambda node: access.show_firewall(history, site, node, phase))


def reboot(node: Machine) -> None:
    """Shut a node down and start it, as its own `reboot` does."""
    node.shut_down()
    with busy(node.access.lab):
        node.power_on()
        node.wait_until_up(240)
    node.run("systemctl is-system-running --wait", timeout=240, check=False)


def go_out(clients: Clients, node: str, wanted: list[Client]) -> None:
    """Let a client of a node reach the services machine through it."""
    name = next(one.name for one in wanted if one.name.startswith(f"{node}-"))
    for family in FAMILIES:
        target = clients.site.services.address(family)
        forward(clients, name, node, "out", target, sent=2)


def between_clients(
    clients: Clients, node: str, tunnels: Mapping[str, Tunnel], family: int
) -> None:
    """Let a client of a node look for another of its process, and for one of the other process."""
    name = f"{node}-udp4"
    same, other = (inside(tunnels[f"{node}-{one}"], family) for one in ("udp6", "tcp4"))
    if same:
        forward(clients, name, node, "to a client of the same process", same)
    if other:
        forward(clients, name, node, "to a client of another", other)


def from_outside(
    history: History,
    lab: Lab,
    site: Deployment,
    node: str,
    tunnels: Mapping[str, Tunnel],
    family: int,
) -> None:
    """Let the services machine send by a node: to its client, and to the client machine."""
    services, gateway = lab[site.services.name], site.address(node, family)
    if client := inside(tunnels[f"{node}-udp4"], family):
        with access.routed(services, client, gateway) as sends:
            access.forward(history, services.name, sends, node, "in", client)
    through = site.client.address(family)
    with access.routed(services, through, gateway) as sends:
        access.forward(history, services.name, sends, node, "through", through)


def forward(
    clients: Clients, name: str, node: str, way: Forwarded, target: str, *, sent: int = 1
) -> None:
    """Let a client send by its tunnel, and by nothing else."""

    def sends(command: str) -> int:
        return clients.vpn.run(name, command, check=False).status

    access.forward(clients.history, name, sends, node, way, target, sent=sent, device=DEVICE)


def try_ipv6_as_printed(history: History, lab: Lab, node: Machine) -> None:
    """Record what ip6tables-restore says of the guide's own text; it changes nothing."""
    site = Site.of(lab.topology)
    (own,) = [one for one in site.nodes if one.name == node.name]
    text = firewall.rules(own, site, 6, as_printed=True)
    done = node.run("ip6tables-restore --test", stdin=text, check=False)
    history.record(
        GuideTextTried(
            source=node.name, erratum=NO_COMMIT, status=done.status, output=done.output.strip()
        )
    )


def let_in_as_printed(
    history: History, lab: Lab, site: Deployment, tunnels: Mapping[str, Tunnel]
) -> None:
    """Record whether the outside reaches a client by the guide's own rules for IPv4.

    Where the client has no tunnel there is nobody to be reached.
    """
    plan, node = Site.of(lab.topology), lab[site.nodes[0]]
    services, client = lab[site.services.name], inside(tunnels[f"{node.name}-udp4"], 4)
    if not client:
        return
    text = firewall.rules(plan.nodes[0], plan, 4, as_printed=True)
    node.run("iptables-restore", stdin=text)
    with access.routed(services, client, site.address(node.name, 4)) as sends:
        status = sends(f"ping -4 -n -q -c 2 -W 3 {client}")
    node.run("iptables-restore", stdin=firewall.rules(plan.nodes[0], plan, 4))
    history.record(
        GuideTextTried(source=node.name, erratum=LETS_IN, status=status, output="ping from outside")
    )
