"""The guide's portal: "make sure there is no TLS error and you can login", "see your client(s)"."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import pytest

from checks.multi_node.deployment import Deployment
from evidence.history import History
from lab.errors import LabError, ScenarioError
from lab.lab import Lab
from lab.quiet import quiet
from provision.multi_node.site import Site
from provision.vpn_clients import Tunnel
from scenarios.multi_node import visits
from scenarios.multi_node.clients import Clients, Way, addressed, inside
from scenarios.multi_node.portal import Portal, listed_as

Judge = Callable[[str], object]

SECONDS = 90  # for two or three clients together


def portal_of(lab: Lab, site: Deployment) -> Portal:
    """Return the portal as a browser on the client machine has it."""
    return Portal.of(lab[site.client.name], site.controller.fqdn)


def admin_of(lab: Lab, site: Deployment, history: History, password: str) -> visits.Admin:
    """Return an administrator who has logged in."""
    portal = portal_of(lab, site)
    answer = portal.log_in("admin", password)
    if answer.status != 302:
        raise LabError(f"the administrator cannot log in: {answer.status}, see MN-03")
    return visits.Admin(history, portal, site.client.name)


@pytest.mark.on_site("observes")
@pytest.mark.requirement("MN-02")
def test_the_portal_shows_a_certificate_for_its_name(
    multi_node: Lab, site: Deployment, history: History, judge: Judge
) -> None:
    visits.greet(history, multi_node[site.client.name], site.controller.fqdn)
    judge("MN-02")


@pytest.mark.on_site("observes")
@pytest.mark.requirement("MN-03")
def test_the_printed_credentials_log_in_and_no_others(
    multi_node: Lab, site: Deployment, history: History, judge: Judge
) -> None:
    passwords = visits.printed_passwords(history, multi_node[site.controller.name])
    portal = portal_of(multi_node, site)
    visits.log_in_every_way(history, portal, site.client.name, passwords)
    judge("MN-03")


@pytest.mark.sign_off
@pytest.mark.on_site("observes")
@pytest.mark.requirement("MN-16", "MN-17")
def test_clients_are_listed_while_connected_and_seen_under_their_nodes_address(
    multi_node: Lab, site: Deployment, clients: Clients, history: History, judge: Judge
) -> None:
    """By TCP: of a UDP client that says goodbye OpenVPN takes leave five seconds later.

    One after the other, so that the page is read right after each has come up.
    """
    passwords = visits.printed_passwords(history, multi_node[site.controller.name])
    admin = admin_of(multi_node, site, history, passwords["admin"])
    each = {way.name: way for way in (Way(n, "tcp", site.address(n, 4)) for n in site.nodes)}
    wanted = clients.by_ways(each)
    tunnels: dict[str, Tunnel] = {}
    up: dict[str, tuple[str, tuple[str, ...]]] = {}
    for one in wanted:
        with quiet(multi_node.directory):
            came = visits.come_up(clients, [one], seconds=SECONDS)[one.name]
            tunnels[one.name] = came
            if came.up:
                up[one.name] = each[one.name].node, (inside(came, 4), inside(came, 6))
                admin.look_until({one.name: up[one.name]}, there=True)
    clients.record(wanted, tunnels, each)
    web = Site.of(multi_node.topology).web_fqdn
    services = multi_node[site.services.name]
    visits.ask_web(clients, [*up], services, web)
    with quiet(multi_node.directory):
        visits.leave(clients, [*up])
        admin.look_until(up, there=False)
    judge("MN-17")
    judge("MN-16")


@pytest.mark.sign_off
@pytest.mark.destructive  # who cannot be enabled again is missed by whoever comes next
@pytest.mark.requirement("MN-18", "MN-19")
def test_who_is_disabled_or_deleted_is_disconnected_and_stays_out(
    multi_node: Lab, site: Deployment, clients: Clients, history: History, judge: Judge
) -> None:
    machine, client = multi_node[site.client.name], site.client.name
    passwords = visits.printed_passwords(history, multi_node[site.controller.name])
    admin = admin_of(multi_node, site, history, passwords["admin"])
    demo = portal_of(multi_node, site)
    demo.log_in("demo", passwords["demo"])
    downloaded = demo.download(site.nodes[0], "laptop").text
    each = {
        "deleted": Way(site.nodes[0], "tcp", site.address(site.nodes[0], 4)),
        "disabled": Way(site.nodes[-1], "tcp", site.address(site.nodes[-1], 4)),
    }
    configs = {"deleted": downloaded, "disabled": clients.profiles[0]}
    wanted = addressed(site, {name: way.only(configs[name]) for name, way in each.items()})
    tunnels = clients.connect(wanted, seconds=SECONDS)
    clients.record(wanted, tunnels, each)
    page = admin.look()
    found = [*listed_as(page, (inside(tunnels["disabled"], 4), inside(tunnels["disabled"], 6)))]
    if len(found) != 1:
        raise LabError(f"the page Connections lists {len(found)} users at the address of one")
    try:
        since_ns = time.time_ns()
        answers = [admin.portal.act_on(found[0], "disableUser")]
        visits.acted(history, client, "admin", "disable", "disabled", answers, since_ns)
        since_ns = time.time_ns()
        answers = demo.delete_certificates()
        visits.acted(history, client, "demo", "delete", "deleted", answers, since_ns)
        visits.watch_end(clients, tunnels, seconds=SECONDS)
        admin.look()
        since = {way.node: visits.node_time(multi_node[way.node]) for way in each.values()}
        tried = visits.try_again(clients, wanted, machine, seconds=SECONDS)
        clients.record(wanted, tried, each)
        for name, way in each.items():
            visits.hook_says(history, multi_node[way.node], name, since[way.node])
    finally:
        with contextlib.suppress(ScenarioError):  # who was not disabled cannot be enabled
            since_ns = time.time_ns()
            answers = [admin.portal.act_on(found[0], "enableUser")]
            visits.acted(history, client, "admin", "enable", "disabled", answers, since_ns)
    judge("MN-18")
    judge("MN-19")
