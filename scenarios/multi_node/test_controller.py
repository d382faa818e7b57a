"""The guide's section "Controller": a profile a node, and an API that only nodes reach."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from checks.multi_node.deployment import Deployment
from evidence.history import History
from lab.lab import Lab
from lab.threads import side_by_side
from provision.multi_node.site import Site
from provision.platform import platform_of
from scenarios.multi_node import installed, observe

Judge = Callable[[str], object]


@pytest.mark.on_site("observes")
@pytest.mark.requirement("MN-04")
def test_each_profile_has_every_value_of_the_guides_table(
    multi_node: Lab, site: Deployment, history: History, judge: Judge
) -> None:
    observe.controller_config(history, multi_node[site.controller.name])
    judge("MN-04")


@pytest.mark.on_site("observes")
@pytest.mark.requirement("MN-05")
def test_profiles_share_neither_number_nor_range(
    multi_node: Lab, site: Deployment, history: History, judge: Judge
) -> None:
    observe.controller_config(history, multi_node[site.controller.name])
    judge("MN-05")


def ask_api_side_by_side(multi_node: Lab, history: History, machines: Iterable[str]) -> None:
    """Let machines ask the API at once, with no secret and with a wrong one."""
    url = Site.of(multi_node.topology).api
    side_by_side(
        (multi_node[name] for name in machines),
        lambda machine: observe.ask_api(history, machine, url),
    )


@pytest.mark.on_site("observes")
@pytest.mark.requirement("MN-07")
def test_a_node_without_secret_is_told_so_by_the_api(
    multi_node: Lab, site: Deployment, history: History, judge: Judge
) -> None:
    ask_api_side_by_side(multi_node, history, site.nodes)
    judge("MN-07")


@pytest.mark.on_site("observes")
@pytest.mark.requirement("MN-08")
def test_strangers_and_wrong_secrets_are_refused_by_the_api(
    multi_node: Lab, site: Deployment, history: History, judge: Judge
) -> None:
    ask_api_side_by_side(multi_node, history, (*site.strangers, *site.nodes))
    judge("MN-08")


@pytest.mark.requirement("MN-09")
def test_certificates_are_made_by_vpn_ca_and_keys_are_nobody_elses(
    multi_node: Lab, site: Deployment, history: History, judge: Judge
) -> None:
    of_node = installed.credentials_of_node(platform_of(multi_node.image.name))
    paths = dict.fromkeys(site.nodes, of_node)
    paths[site.controller.name] = installed.credentials_of_controller()
    side_by_side(
        (multi_node[name] for name in paths),
        lambda machine: installed.credentials(history, machine, paths[machine.name]),
    )
    judge("MN-09")
