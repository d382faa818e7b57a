"""What a topology means to deploy: as the guide prints it, and continued for a third node."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from checks.multi_node.deployment import Deployment
from checks.protocols.round_robin import least_clients
from evidence.events.deployment import DeploymentPlanned
from evidence.history import FILE_NAME, History, read_history
from lab.errors import ScenarioError
from lab.topology import TOPOLOGIES, read_topology
from provision.multi_node import download
from provision.multi_node.site import Site
from scenarios.multi_node.clients import addressed, ways
from scenarios.multi_node.planned import planned, record_planned
from tests.checks.sites import GUIDE, GUIDE_DATA, THREE, THREE_DATA, Data, told

PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("topology", "data"), [("multi_node", GUIDE_DATA), ("multi_node_3", THREE_DATA)]
)
def test_a_topology_is_planned_as_the_guides_tables_say(topology: str, data: Data) -> None:
    assert told(Deployment(planned(read_topology(topology)))) == data


@pytest.mark.parametrize("topology", ["multi_node", "multi_node_3"])
def test_as_many_configurations_are_downloaded_as_show_a_fair_spread(topology: str) -> None:
    site = Site.of(read_topology(topology))
    assert download.count(site) == least_clients(len(site.nodes))


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Return a topology of another site: other names, a network of 64 addresses."""
    text = (TOPOLOGIES / "multi_node.toml").read_text()
    for old, new in {
        "145.0.6.0/24": "10.20.3.64/26",
        "145.0.6.": "10.20.3.",
        "tuxed.net": "example.org",
        '.10"': '.80"',
        '.20"': '.81"',
        "10.1.0.0/25": "172.16.4.0/22",
        'name = "node-a"': 'name = "east"',
    }.items():
        text = text.replace(old, new)
    path = tmp_path / "elsewhere.toml"
    path.write_text(text)
    return path


def test_another_site_is_planned_by_its_own_names_and_networks(elsewhere: Path) -> None:
    site = Deployment(planned(read_topology(elsewhere)))
    assert site.nodes == ("east", "node-b")
    assert (site.address("east", 4), site.hosts["east"].bits[4]) == ("10.20.3.72", 26)
    assert site.shared_name == "nodes.frkovpn.example.org"
    assert site.profiles(merged=True)["east"]["range"] == "172.16.4.0/22"
    assert site.profiles(merged=False)["east"]["displayName"] == "East"


def test_clients_have_addresses_of_their_own_inside_the_network(elsewhere: Path) -> None:
    site = Deployment(planned(read_topology(elsewhere)))
    made = addressed(site, {f"client-{number}": "dev tun" for number in range(16)})
    for family, addresses in ((4, [one.ipv4 for one in made]), (6, [one.ipv6 for one in made])):
        inside = {str(one) for one in site.client.network(4).hosts()} if family == 4 else None
        machines = {host.address(family) for host in site.hosts.values()}
        assert len(set(addresses)) == 16
        assert not machines & set(addresses)
        assert inside is None or set(addresses) <= inside


def test_a_network_that_is_too_small_for_the_clients_is_said_to_be(elsewhere: Path) -> None:
    site = Deployment(planned(read_topology(elsewhere)))
    with pytest.raises(ScenarioError, match=r"10.20.3.64/26 has no room for 40 clients"):
        addressed(site, {f"client-{number}": "" for number in range(40)})


@pytest.mark.parametrize(("site", "count"), [(GUIDE, 8), (THREE, 12)])
def test_each_node_is_gone_into_four_ways(site: Deployment, count: int) -> None:
    found = ways(site, "udp", "tcp")
    assert len(found) == count
    assert {site.node_of(one.remote) for one in found.values()} == set(site.nodes)
    assert {one.family for one in found.values()} == {4, 6}


def test_what_was_planned_is_recorded_and_read_as_it_was(tmp_path: Path) -> None:
    with History(tmp_path / FILE_NAME, "it") as history:
        site = record_planned(history, read_topology("multi_node_3"))
    (event,) = read_history(tmp_path / FILE_NAME).of(DeploymentPlanned)
    assert told(Deployment(event)) == told(site) == THREE_DATA


def test_every_scenario_records_what_was_planned_before_it_does_anything() -> None:
    command = [sys.executable, "-m", "pytest", "--setup-plan", "-q", "-p", "no:cacheprovider"]
    said = subprocess.run(
        [*command, "scenarios/multi_node"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout
    scenarios = [line for line in said.splitlines() if "::" in line and "(fixtures used:" in line]
    assert len(scenarios) > 9
    assert all(line.endswith(", site)") or ", site, " in line for line in scenarios)
