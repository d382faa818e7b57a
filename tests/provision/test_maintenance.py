"""The section "Maintenance" as steps, and what makes the published scripts fit for Debian."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from lab.topology import read_topology
from provision import multi_node
from provision.action import Check, Command
from provision.genuine.build import Built
from provision.multi_node import maintenance
from provision.multi_node.site import Site
from provision.platform import CENTOS_7, DEBIAN_12, Platform

TOPOLOGY = read_topology("multi_node")
THREE = read_topology("multi_node_3")
SITE = Site.of(TOPOLOGY)

#: Of the same form as the published ones: which programs, and in which order.
UPDATE_CONTROLLER = """\
#!/bin/sh
sudo systemctl stop httpd
sudo systemctl stop php-fpm
sudo yum clean expire-cache && sudo yum -y update
sudo systemctl start php-fpm
sudo systemctl start httpd
"""
UPDATE_NODE = """\
#!/bin/sh
sudo yum clean expire-cache && sudo yum -y update
sudo vpn-server-node-server-config
sudo systemctl restart iptables
sudo systemctl restart ip6tables
"""


def test_each_script_is_typed_as_one_command_on_its_machines() -> None:
    plan = multi_node.maintenance_plan(TOPOLOGY)
    assert [(step.machine, step.name) for step in plan.steps] == [
        ("node-a", "stop node-a"),
        ("node-b", "stop node-b"),
        ("controller", "update the controller"),
        ("node-a", "update node-a"),
        ("node-b", "update node-b"),
        ("node-a", "start node-a"),
        ("node-b", "start node-b"),
    ]
    typed = [action.text for step in plan.steps for action in step.actions]  # type: ignore[attr-defined]
    assert typed[0] == "cd /root\ndocumentation-2/multi_node/stop_node.sh"
    assert {step.section for step in plan.steps} == {"Maintenance"}


def test_all_nodes_are_done_before_the_next_script() -> None:
    needs = {step.name: step.needs for step in multi_node.maintenance_plan(THREE).steps}
    assert needs["update the controller"] == ("stop node-a", "stop node-b", "stop node-c")
    assert needs["start node-a"] == ("update node-a", "update node-b", "update node-c")


def prepared(platform: Platform, *, genuine: bool) -> dict[str, list[str]]:
    steps = maintenance.ready(SITE, platform, genuine=genuine)
    return {step.machine: [action.describe() for action in step.actions] for step in steps}


@pytest.mark.parametrize(("platform", "genuine"), [(DEBIAN_12, False), (CENTOS_7, True)])
def test_scripts_that_fit_are_only_looked_for(platform: Platform, genuine: bool) -> None:
    told = prepared(platform, genuine=genuine)
    assert set(told) == {"controller", "node-a", "node-b"}
    assert all(len(actions) == 1 and "[ -x " in actions[0] for actions in told.values())


def test_a_deployment_says_where_updates_come_from(tmp_path: Path) -> None:
    for name in ("repository", "documentation-2"):
        (tmp_path / name).mkdir()
    drop_in = multi_node.plan(TOPOLOGY, DEBIAN_12)
    genuine = multi_node.plan(TOPOLOGY, DEBIAN_12, genuine=Built(tmp_path))
    named = [{erratum.name for erratum in plan.errata} for plan in (drop_in, genuine)]
    assert all("nothing-to-update-from" in names for names in named)
    assert ["maintenance-on-debian" in names for names in named] == [False, True]


@pytest.fixture
def amended(tmp_path: Path) -> Path:
    """Amend scripts in a directory of their own, as a machine would."""
    scripts = tmp_path / "documentation-2" / "multi_node"
    scripts.mkdir(parents=True)
    for name, text in (
        ("update_controller.sh", UPDATE_CONTROLLER),
        ("update_node.sh", UPDATE_NODE),
    ):
        (scripts / name).write_text(text)
        (scripts / name).chmod(0o755)
    for action in maintenance._amended(DEBIAN_12):
        assert isinstance(action, Command | Check)
        script = action.text.replace("/root", str(tmp_path))
        subprocess.run(["sh", "-ec", script], check=True)
    return scripts


def test_a_published_update_reads_centos_names_as_debians(amended: Path) -> None:
    controller = (amended / "update_controller.sh").read_text().splitlines()
    assert controller[1:] == [
        "sudo systemctl stop apache2",
        "sudo systemctl stop php8.2-fpm",
        "sudo apt-get update && sudo DEBIAN_FRONTEND=noninteractive apt-get -y upgrade",
        "sudo systemctl start php8.2-fpm",
        "sudo systemctl start apache2",
    ]
    node = (amended / "update_node.sh").read_text().splitlines()
    assert node[2:] == [
        "sudo vpn-server-node-server-config",
        "sudo systemctl restart netfilter-persistent",
    ]


def test_the_published_script_stays_beside_the_amended_one(amended: Path) -> None:
    assert (amended / "update_node.sh.published").read_text() == UPDATE_NODE
    assert os.access(amended / "update_node.sh", os.X_OK)
