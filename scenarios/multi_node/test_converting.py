"""convert_to_controller.sh, on an installation that is all in one: what goes, and what stays."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.multi_node.converted import CONVERT
from checks.multi_node.deployment import Deployment
from evidence.history import History
from lab.lab import Lab
from lab.machine import Machine
from provision.multi_node import all_in_one
from provision.multi_node.requirements import ARCHIVE, HOME
from provision.multi_node.site import Site
from provision.plan import Plan
from provision.platform import platform_of
from scenarios.multi_node import installed, visits
from scenarios.multi_node.maintenance import run_script
from scenarios.multi_node.portal import Portal

Judge = Callable[[str], object]

SCRIPT = f"{HOME}/{ARCHIVE}/{CONVERT}"


def is_published(controller: Machine) -> bool:
    """Whether the script is the published one, which knows CentOS alone."""
    return controller.run(f"grep -q debian_version {SCRIPT}", check=False).status != 0


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("MN-31")
def test_an_installation_that_is_all_in_one_becomes_a_controller(
    multi_node: Lab, site: Deployment, history: History, judge: Judge
) -> None:
    controller, client = multi_node[site.controller.name], site.client.name
    platform = platform_of(multi_node.image.name)
    passwords = visits.printed_passwords(history, controller)
    portal = Portal.of(multi_node[client], site.controller.fqdn)

    def look() -> None:
        installed.installation(history, controller, platform)
        # demo last: whose configurations are looked at
        visits.log_in_as_printed(history, portal, client, dict(reversed(passwords.items())))
        visits.configurations(history, portal, client, "demo")

    portal.log_in("demo", passwords["demo"])
    portal.download(site.nodes[0], "laptop")
    genuine = is_published(controller)
    plan = Plan(all_in_one.steps(Site.of(multi_node.topology), platform, genuine=genuine))
    plan.run(multi_node.machines, transcripts=multi_node.directory / "transcripts")
    look()
    run_script(history, controller, CONVERT, f"cd {HOME}/{ARCHIVE}\n./{CONVERT}")
    look()
    judge("MN-31")
