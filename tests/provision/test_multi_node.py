"""The multi-node guide as a plan: what it prints, and what it does to machines that remember."""

import json
from pathlib import Path

import pytest

import provision
from lab.topology import TOPOLOGIES, Topology, read_topology
from provision import multi_node
from provision.apache import ApacheSection
from provision.cli import main
from provision.errors import PlanError
from provision.files import WriteFile
from provision.multi_node import download, load_balancing, services
from provision.multi_node.controller import CONFIG, NODE_NOTE
from provision.multi_node.nodes import CONFIG as NODE_CONFIG
from provision.multi_node.nodes import FIREWALL
from provision.multi_node.site import Site
from provision.platform import CENTOS_7, DEBIAN_12, PLATFORMS, platform_of
from tests.provision.machines import RememberingMachine, ShellMachine

TOPOLOGY = read_topology("multi_node")
THREE = read_topology("multi_node_3")
MACHINES = TOPOLOGY.machines
PACKAGES = Path(provision.__file__).parent / "reference" / "documentation-2" / "packages"
SITE = Site.of(TOPOLOGY)
SECRET = "0123456789abcdef" * 2


def dropped_in(path):
    """Return a file as the drop-in software installs it, with a secret where one will be."""
    text = (PACKAGES / path).read_text()
    return text.replace("XXX-vpn-server-node/vpn-server-api-XXX", SECRET).encode()


def remembering(plan, platform=DEBIAN_12):
    """Return machines as they are after the deploy scripts, which they only believe to run."""
    machines = {name: RememberingMachine(name) for name in plan.machines}
    for step in plan.steps:
        machines[step.machine].know(step.actions)
    controller = machines["controller"]
    controller.files[CONFIG] = dropped_in("etc/vpn-server-api/config.php")
    controller.files[f"{platform.apache_conf}/vpn-server-api.conf"] = dropped_in(
        "apache/vpn-server-api.conf"
    )
    for command in [command for command in controller.answers if NODE_NOTE.split()[0] in command]:
        controller.answers[command] = SECRET
    for node in [name for name in machines if name.startswith("node-")]:
        machines[node].files[NODE_CONFIG] = dropped_in("etc/vpn-server-node/config.php")
        machines[node].files[FIREWALL] = dropped_in("etc/vpn-server-node/firewall.php")
    return machines


def config_of(machine, path, tmp_path):
    file = tmp_path / "config.php"
    file.write_bytes(machine.files[path])
    return json.loads(ShellMachine().run(f"php -r 'echo json_encode(require \"{file}\");'").stdout)


@pytest.fixture(scope="module")
def plan():
    return multi_node.plan(TOPOLOGY, DEBIAN_12)


@pytest.fixture(scope="module")
def transcripts(tmp_path_factory):
    return tmp_path_factory.mktemp("transcripts")


@pytest.fixture(scope="module")
def provisioned(plan, php, transcripts):
    """Return machines after a run; a test that changes them would change the next one's."""
    machines = remembering(plan)
    plan.run(machines, transcripts=transcripts)
    return machines


@pytest.mark.parametrize("platform", PLATFORMS.values(), ids=PLATFORMS)
def test_a_dry_run_shows_every_section_and_every_file_in_full(platform):
    plan = multi_node.plan(TOPOLOGY, platform)
    text = plan.dry_run()
    for section in ("Requirements", "Controller", "Nodes", "Load Balancing"):
        assert f"## {section}\n" in text
    for step in plan.steps:
        for action in step.actions:
            if isinstance(action, WriteFile):
                assert f"> {action.path} (" in text
                assert all(f"| {line}" in text for line in action.content.splitlines())


def test_a_dry_run_names_placeholders_where_secrets_will_be(plan):
    assert "{note:vpn-server-node secret}" in plan.dry_run()


def test_the_guide_can_stop_before_load_balancing():
    early = multi_node.plan(TOPOLOGY, DEBIAN_12, load_balanced=False)
    assert "## Load Balancing" not in early.dry_run()
    whole = multi_node.plan(TOPOLOGY, DEBIAN_12)
    assert early.source_keys() == whole.source_keys()[: len(early.steps)]


def test_centos_is_set_up_in_the_guides_own_words():
    text = multi_node.plan(TOPOLOGY, CENTOS_7).dry_run()
    for words in (
        "./deploy_centos_controller.sh",
        "/etc/httpd/conf.d/vpn-server-api.conf",
        "systemctl restart httpd",
        "yum -y install vpn-ca",
        "chgrp -R apache /etc/vpn-server-api/vpn-daemon",
    ):
        assert words in text


def test_centos_own_firewall_is_out_of_the_way_everywhere():
    plan = multi_node.plan(TOPOLOGY, CENTOS_7)
    text = "systemctl mask firewalld"
    assert {step.machine for step in plan.steps if text in step.describe()} == set(plan.machines)
    assert text not in multi_node.plan(TOPOLOGY, DEBIAN_12).dry_run()


def test_the_controller_gets_the_guides_table(provisioned, tmp_path):
    profiles = config_of(provisioned["controller"], CONFIG, tmp_path)["vpnProfiles"]
    assert list(profiles) == ["node-a", "node-b"]
    assert profiles["node-b"]["managementIp"] == "145.0.6.73"
    assert profiles["node-b"]["profileNumber"] == 2
    assert profiles["node-a"]["range"] == "10.1.0.0/25"
    assert profiles["node-b"]["range6"] == "fd00:2:2:2::/64"


def test_load_balancing_merges_the_profiles(provisioned, tmp_path):
    config = config_of(provisioned["controller"], CONFIG, tmp_path)
    assert config["useVpnDaemon"] is True
    profiles = config["vpnProfiles"]
    assert {profile["hostName"] for profile in profiles.values()} == {"nodes.frkovpn.tuxed.net"}
    assert profiles["node-a"]["displayName"] == "Secure Internet"
    assert profiles["node-b"]["displayName"] == "Node B"
    assert "hideProfile" not in profiles["node-a"]
    assert profiles["node-b"]["hideProfile"] is True


def test_before_load_balancing_each_node_has_its_own_name(php, tmp_path):
    early = multi_node.plan(TOPOLOGY, DEBIAN_12, load_balanced=False)
    machines = remembering(early)
    early.run(machines, transcripts=tmp_path)
    profiles = config_of(machines["controller"], CONFIG, tmp_path)["vpnProfiles"]
    assert profiles["node-a"]["hostName"] == "node-a.frkovpn.tuxed.net"
    assert profiles["node-a"]["displayName"] == "Node A"


def test_a_node_gets_its_profile_and_its_firewall(provisioned, tmp_path):
    assert config_of(provisioned["node-b"], NODE_CONFIG, tmp_path)["profileList"] == ["node-b"]
    firewall = config_of(provisioned["node-b"], FIREWALL, tmp_path)
    assert [rule["dst_port"] for rule in firewall["inputRules"]][-1] == [41194]
    assert firewall["natRules"] == {"node-b": {"enableNat": ["IPv4", "IPv6"]}}


def test_the_nodes_addresses_may_ask_the_api(provisioned):
    text = provisioned["controller"].files["/etc/apache2/conf-available/vpn-server-api.conf"]
    assert b"        Require local\n        Require ip 145.0.6.72\n" in text
    assert b"Require ip 2001:610:188:418:145:0:6:73\n" in text


def test_a_second_run_changes_nothing(plan, provisioned, tmp_path):
    before = {name: list(machine.changes) for name, machine in provisioned.items()}
    files = {name: dict(machine.files) for name, machine in provisioned.items()}
    outcomes = plan.run(provisioned, transcripts=tmp_path / "again")
    assert {outcome.name for outcome in outcomes if outcome.result == "applied"} == set()
    assert {name: machine.changes for name, machine in provisioned.items()} == before
    assert {name: machine.files for name, machine in provisioned.items()} == files


def test_a_run_that_broke_off_is_taken_up_where_it_ended(plan, php, tmp_path):
    machines = remembering(plan)
    machines["node-a"].refuses = "documentation-2/apply_changes.sh"
    with pytest.raises(Exception, match=r"node-a: step 'apply the changes on node-a'"):
        plan.run(machines, transcripts=tmp_path)
    machines["node-a"].refuses = ""
    outcomes = {
        outcome.name: outcome.result for outcome in plan.run(machines, transcripts=tmp_path)
    }
    assert outcomes["deploy the controller"] == "skipped"
    assert outcomes["deploy node-a"] == "skipped"
    assert outcomes["apply the changes on node-a"] == "applied"
    assert outcomes["round-robin name"] == "applied"


def test_no_transcript_shows_the_secret(provisioned, transcripts):
    logs = list(transcripts.glob("*.log"))
    assert {log.stem for log in logs} == set(provisioned)
    assert not [log for log in logs if SECRET in log.read_text()]


def test_the_zone_has_both_families_for_every_machine():
    zone = services.zone(SITE, DEBIAN_12)
    for machine in MACHINES:
        assert f"IN  A       {machine.ipv4}\n" in zone
        assert f"IN  AAAA    {machine.ipv6}\n" in zone


def test_the_round_robin_records_are_those_of_the_guide():
    assert load_balancing.nodes_records(SITE) == (
        "nodes.frkovpn   IN  A       145.0.6.72\n"
        "                IN  A       145.0.6.73\n"
        "                IN  AAAA    2001:610:188:418:145:0:6:72\n"
        "                IN  AAAA    2001:610:188:418:145:0:6:73\n"
    )


def test_each_departure_from_the_guide_is_listed(plan):
    names = {erratum.name for erratum in plan.errata}
    assert {
        "ta-key-owner",
        "daemon-certificate-name",
        "working-directory",
        "debian-paths",
        "lab-certificate-authority",
    } <= names


def test_every_platform_has_its_own_require_any_file():
    paths = {
        action.path
        for platform in PLATFORMS.values()
        for step in multi_node.plan(TOPOLOGY, platform).steps
        for action in step.actions
        if isinstance(action, ApacheSection)
    }
    assert len(paths) == 2


@pytest.mark.parametrize("role", ["controller", "node", "services", "client"])
def test_a_topology_without_a_role_is_refused(role):
    kept = tuple(machine for machine in MACHINES if role not in machine.roles)
    lacking = TOPOLOGY.model_copy(update={"machines": kept})
    with pytest.raises(PlanError, match=f"'{role}'"):
        multi_node.plan(lacking, DEBIAN_12)


def changed(name: str, **fields: object) -> Topology:
    """Return the guide's topology with something else of one machine."""
    content = TOPOLOGY.model_dump(mode="json")
    for machine in content["machines"]:
        if machine["name"] == name:
            machine |= fields
    return Topology.model_validate(content)


@pytest.mark.parametrize(
    ("name", "fields", "words"),
    [
        ("node-b", {"range": None}, "node-b has no range"),
        ("node-b", {"range6": None}, "node-b has no range6"),
        ("node-b", {"range": "10.1.0.64/26"}, "node-b.range: 10.1.0.64/26 overlaps 10.1.0.0/25"),
        ("node-b", {"range6": "fd00:1:1:1::/64"}, "node-b.range6: fd00:1:1:1::/64 overlaps"),
        ("node-a", {"range": "10.1.0.0/29"}, r"node-a.range: 10.1.0.0/29 is too small for two"),
        ("node-a", {"range6": "fd00:1::/112"}, "node-a.range6: fd00:1::/112 is too small"),
        ("node-a", {"range6": "fd00:1::/63"}, "fd00:1::/63, expected a prefix divisible by 4"),
        ("node-a", {"fqdn": "node-a.example.org"}, "node-a.example.org is not in the zone"),
        ("client", {"nics": [{"network": "lan", "ipv4": "145.0.6.20"}]}, "client has no IPv6"),
    ],
)  # fmt: skip
def test_a_topology_that_cannot_be_deployed_is_refused(name, fields, words):
    with pytest.raises(PlanError, match=words):
        multi_node.plan(changed(name, **fields), DEBIAN_12)


def test_more_nodes_than_profile_numbers_are_refused():
    node = TOPOLOGY.machine("node-a")
    many = tuple(node.model_copy(update={"name": f"node-{n}"}) for n in range(65))
    crowded = TOPOLOGY.model_copy(update={"machines": (*MACHINES, *many)})
    with pytest.raises(PlanError, match="67 nodes, 64 are possible"):
        multi_node.plan(crowded, DEBIAN_12)


@pytest.fixture(scope="module")
def three_provisioned(php, tmp_path_factory):
    """Return machines after a run of the guide with three nodes."""
    plan = multi_node.plan(THREE, DEBIAN_12)
    machines = remembering(plan)
    plan.run(machines, transcripts=tmp_path_factory.mktemp("three"))
    return machines


def test_a_third_node_continues_the_guides_table(three_provisioned, tmp_path):
    profiles = config_of(three_provisioned["controller"], CONFIG, tmp_path)["vpnProfiles"]
    assert list(profiles) == ["node-a", "node-b", "node-c"]
    wanted = {
        "managementIp": "145.0.6.74",
        "profileNumber": 3,
        "displayName": "Node C",
        "range": "10.3.0.0/25",
        "range6": "fd00:3:3:3::/64",
        "hostName": "nodes.frkovpn.tuxed.net",
        "hideProfile": True,
    }
    assert {option: profiles["node-c"][option] for option in wanted} == wanted
    assert [one.get("hideProfile", False) for one in profiles.values()] == [False, True, True]
    assert profiles["node-a"]["displayName"] == "Secure Internet"


def test_a_third_node_serves_its_own_profile_and_may_ask_the_api(three_provisioned, tmp_path):
    config = config_of(three_provisioned["node-c"], NODE_CONFIG, tmp_path)
    assert config["profileList"] == ["node-c"]
    text = three_provisioned["controller"].files["/etc/apache2/conf-available/vpn-server-api.conf"]
    assert b"Require ip 145.0.6.74\n" in text
    assert b"Require ip 2001:610:188:418:145:0:6:74\n" in text


def test_a_second_run_with_three_nodes_changes_nothing(three_provisioned, tmp_path):
    outcomes = multi_node.plan(THREE, DEBIAN_12).run(three_provisioned, transcripts=tmp_path)
    assert {outcome.name for outcome in outcomes if outcome.result == "applied"} == set()


def test_the_round_robin_name_leads_to_all_three_nodes():
    assert load_balancing.nodes_records(Site.of(THREE)) == (
        "nodes.frkovpn   IN  A       145.0.6.72\n"
        "                IN  A       145.0.6.73\n"
        "                IN  A       145.0.6.74\n"
        "                IN  AAAA    2001:610:188:418:145:0:6:72\n"
        "                IN  AAAA    2001:610:188:418:145:0:6:73\n"
        "                IN  AAAA    2001:610:188:418:145:0:6:74\n"
    )


def test_more_nodes_have_more_configurations_downloaded():
    assert download.count(SITE) == 16
    assert "seq 16 |" in multi_node.plan(TOPOLOGY, DEBIAN_12).dry_run()
    assert "seq 31 |" in multi_node.plan(THREE, DEBIAN_12).dry_run()


def test_a_name_of_any_length_is_apart_from_its_record():
    fqdn = "a-node-with-a-long-name.frkovpn.tuxed.net"
    zone = services.zone(Site.of(changed("node-b", fqdn=fqdn)), DEBIAN_12)
    assert "\na-node-with-a-long-name.frkovpn IN  A       145.0.6.73\n" in zone


def test_the_command_line_prints_the_plan_of_another_topology(capsys):
    assert main(["dry-run", "--topology", "multi_node_3"]) == 0
    said = capsys.readouterr().out
    for words in ("deploy node-c", "10.3.0.0/25", "fd00:3:3:3::/64", "Require ip 145.0.6.74"):
        assert words in said
    assert "node-c" not in (main(["dry-run"]), capsys.readouterr().out)[1]


def test_the_command_line_takes_the_guide_that_a_topology_is_for(capsys):
    assert main(["dry-run", "--topology", "failover"]) == 0
    assert "ucarp" in capsys.readouterr().out


def test_a_topology_of_another_guide_is_refused(capsys):
    assert main(["dry-run", "multi_node", "--topology", "failover"]) == 1
    said = capsys.readouterr().err
    assert "the topology failover is one of the guide failover, not of multi_node" in said


def test_a_topology_that_names_no_guide_is_refused(tmp_path, capsys):
    path = tmp_path / "bare.toml"
    text = (TOPOLOGIES / "multi_node.toml").read_text()
    path.write_text(text.replace('guide = "multi-node"\n', ""))
    assert main(["dry-run", "--topology", str(path)]) == 1
    assert "does not say which guide it is for" in capsys.readouterr().err


def test_an_unknown_image_is_refused_with_the_known_ones():
    with pytest.raises(PlanError, match="debian-12, centos-stream-9, centos-7"):
        platform_of("plan9")


@pytest.mark.parametrize("platform", PLATFORMS.values())
def test_the_certificate_of_mod_ssl_is_made_before_its_configuration_is_read(platform):
    # An httpd of EL that never ran has none: its first start makes it.
    steps = multi_node.plan(TOPOLOGY, platform).steps
    text = next(step for step in steps if step.name == "web server").describe()
    make = "$ /usr/libexec/httpd-ssl-gencerts\n"
    assert (make in text) == (platform.os_id == "centos")
    assert make not in text.partition(platform.apache_test)[2]


def test_the_command_line_prints_the_plan(capsys):
    assert main(["dry-run", "--image", "centos-7"]) == 0
    assert "./deploy_centos_node.sh" in capsys.readouterr().out


def test_software_that_does_not_fit_the_image_is_refused_before_that_is_fetched(
    capsys, monkeypatch
):
    for name in ("collect_garbage", "check_memory", "choose"):
        monkeypatch.setitem(main.__globals__, name, lambda *_: None)
    monkeypatch.setitem(main.__globals__, "prepare", lambda *_, **__: pytest.fail("began"))
    assert main(["up", "--image", "centos-7", "--software", "drop-in"]) == 1
    assert "have Python 3.6" in capsys.readouterr().err


def test_a_lab_that_its_image_makes_too_large_is_refused_before_that_is_fetched(
    capsys, monkeypatch
):
    free = TOPOLOGY.memory_mib
    monkeypatch.setattr("lab.topology.free_memory_mib", lambda: free)
    monkeypatch.setitem(main.__globals__, "collect_garbage", lambda: None)
    monkeypatch.setitem(main.__globals__, "prepare", lambda *_, **__: pytest.fail("began"))
    assert main(["up", "--image", "centos-stream-9", "--software", "drop-in"]) == 1
    assert f"this host has {free} MiB free" in capsys.readouterr().err


def test_the_command_line_says_what_is_wrong(capsys):
    assert main(["dry-run", "--image", "plan9"]) == 1
    assert "known: debian-12" in capsys.readouterr().err
