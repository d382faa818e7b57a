"""The failover guide as a plan: what it prints, and what it does to machines that remember."""

# ruff: noqa: ARG002 - these have the signature of what they stand for

import json
import subprocess

import pytest

from lab.topology import Topology, read_topology
from provision import failover
from provision.errors import PlanError
from provision.failover import errata, gateway, pair, ssh_access, users
from provision.failover.access_server import ARCHIVE_FILE
from provision.failover.site import Site
from provision.files import WriteFile
from provision.notes import Notes
from provision.platform import DEBIAN_12, PLATFORMS
from provision.transcript import Session, Transcript
from tests.provision.machines import RememberingMachine, Said

TOPOLOGY = read_topology("failover")
SITE = Site.of(TOPOLOGY)
SECTIONS = (
    "First steps in setting up the primary node",
    "Preparing the failover node for use",
    "Set up bi-directional SSH access",
    "Configure the failover function",
    "Activate license on LAN model failover pair",
    "Troubleshooting",
)


def changed(**machines):
    """Return the topology with other values: machine=dict of what is different."""
    content = TOPOLOGY.model_dump(mode="json")
    for machine in content["machines"]:
        machine.update(machines.get(machine["name"], {}))
    return Topology.model_validate(content)


@pytest.fixture(scope="module")
def plan():
    return failover.plan(TOPOLOGY, DEBIAN_12)


@pytest.fixture(scope="module")
def provisioned(plan, tmp_path_factory):
    """Return machines after a run; a test that changes them would change the next one's."""
    machines = {name: RememberingMachine(name) for name in plan.machines}
    for step in plan.steps:
        machines[step.machine].know(step.actions)
    plan.run(machines, transcripts=tmp_path_factory.mktemp("transcripts"))
    return machines


@pytest.mark.parametrize("platform", PLATFORMS.values(), ids=PLATFORMS)
@pytest.mark.parametrize("heartbeat", ["ucarp", "keepalived"])
def test_a_dry_run_shows_every_section_and_every_file(platform, heartbeat):
    plan = failover.plan(TOPOLOGY, platform, heartbeat=heartbeat)
    text = plan.dry_run()
    for section in SECTIONS:
        assert f"## {section}\n" in text
    for step in plan.steps:
        for action in step.actions:
            if isinstance(action, WriteFile):
                assert f"> {action.path} (" in text
    assert f" {heartbeat}" in text


@pytest.mark.parametrize(
    "words",
    [
        "ovpn-init --secondary",
        "< DELETE",
        'ssh-keygen -t rsa -f id_rsa -P ""',
        "cat id_rsa.pub >> authorized_keys",
        "/usr/bin/ssh-copy-id -i ~/.ssh/id_rsa.pub sshuser@192.168.70.2",
        "/usr/bin/ssh-copy-id -i ~/.ssh/id_rsa.pub sshuser@192.168.70.1",
        "cat /home/sshuser/.ssh/authorized_keys >> /root/.ssh/authorized_keys",
        "service openvpnas restart",
        "LoadSubscription",
    ],
)
def test_the_guides_own_words_are_typed(plan, words):
    assert words in plan.dry_run()


def test_a_platform_without_ucarp_says_what_to_choose_instead(plan):
    assert "choose the other engine, --heartbeat=keepalived" in plan.dry_run()
    other = failover.plan(TOPOLOGY, DEBIAN_12, heartbeat="keepalived").dry_run()
    assert "choose the other engine" not in other


def test_both_nodes_get_the_software_and_each_other(provisioned):
    for name in ("primary", "secondary"):
        assert ARCHIVE_FILE in provisioned[name].files
        assert any("ssh-copy-id" in command for command in provisioned[name].changes)


def test_a_second_run_changes_nothing(plan, provisioned, tmp_path):
    before = {name: list(machine.changes) for name, machine in provisioned.items()}
    outcomes = plan.run(provisioned, transcripts=tmp_path)
    assert {outcome.result for outcome in outcomes} == {"skipped"}
    for name, machine in provisioned.items():
        fresh = machine.changes[len(before[name]) :]
        assert all(command.startswith("cat ") for command in fresh), fresh  # notes, read again


def test_no_secret_reaches_a_transcript(plan, tmp_path):
    machines = {name: RememberingMachine(name) for name in plan.machines}
    for step in plan.steps:
        machines[step.machine].know(step.actions)
    machines["primary"].answers["cat /root/openvpn-password"] = "very-secret-one\n"
    machines["secondary"].answers["cat /root/sshuser-password"] = "very-secret-two\n"
    plan.run(machines, transcripts=tmp_path)
    for log in tmp_path.glob("*.log"):
        assert "very-secret" not in log.read_text()
        assert "-once-0" not in log.read_text()
    assert "{note:one-time password 20 of dave}" in (tmp_path / "primary.log").read_text()


@pytest.mark.parametrize("role", ["primary", "secondary", "gateway", "client"])
def test_a_topology_without_a_role_is_refused(role):
    content = TOPOLOGY.model_dump(mode="json")
    content["machines"] = [one for one in content["machines"] if role not in one["roles"]]
    with pytest.raises(PlanError, match=f"'{role}'"):
        failover.plan(Topology.model_validate(content), DEBIAN_12)


@pytest.mark.parametrize(
    ("virtual_ip", "complaint"),
    [
        ("192.168.71.222", "must be a host's address in the nodes' network 192.168.70.0/24"),
        ("192.168.70.255", "must be a host's address"),
        ("192.168.70.0", "must be a host's address"),
        ("192.168.70.2", "the address of secondary"),
        ("192.168.70.254", "the address of gateway"),
        ("vip", "not an IPv4 address"),
    ],
)
def test_a_virtual_ip_that_cannot_be_shared_is_refused(virtual_ip, complaint):
    with pytest.raises(PlanError, match=complaint):
        failover.plan(TOPOLOGY, DEBIAN_12, virtual_ip=virtual_ip)


def test_nodes_in_two_networks_are_refused():
    apart = changed(secondary={"nics": [{"network": "outside", "ipv4": "198.51.100.2"}]})
    with pytest.raises(PlanError, match="must be in the same one") as refused:
        failover.plan(apart, DEBIAN_12)
    assert "'lan'" in str(refused.value)
    assert "'outside'" in str(refused.value)


def test_a_gateway_that_the_client_cannot_reach_is_refused():
    lonely = changed(gateway={"nics": [{"network": "lan", "ipv4": "192.168.70.254"}]})
    with pytest.raises(PlanError, match="no NIC on the client's network"):
        failover.plan(lonely, DEBIAN_12)


def test_ports_lead_to_the_virtual_ip_or_for_initial_testing_to_the_primary():
    assert "--to-destination 192.168.70.222" in failover.plan(TOPOLOGY, DEBIAN_12).dry_run()
    early = failover.plan(TOPOLOGY, DEBIAN_12, forward_to="primary").dry_run()
    assert "--to-destination 192.168.70.1\n" in early
    assert "--to-destination 192.168.70.222" not in early


def test_the_gateway_forwards_the_three_ports_and_no_more():
    rules = gateway.rules(SITE, "192.168.70.222").splitlines()
    forwarded = [rule.split() for rule in rules if "DNAT" in rule]
    assert [
        (rule[rule.index("-p") + 1], rule[rule.index("--dport") + 1]) for rule in forwarded
    ] == [
        ("tcp", "443"),
        ("tcp", "943"),
        ("udp", "1194"),
    ]
    assert all("198.51.100.1/32" in rule for rule in forwarded)


def test_the_page_is_filled_in_with_what_the_pair_needs(provisioned):
    assert json.loads(provisioned["primary"].files[pair.PAIR_FILE]) == {
        "mode": "ucarp",
        "engine": "ucarp",
        "virtual_ip": "192.168.70.222",
        "primary": {"host": "192.168.70.1"},
        "secondary": {"host": "192.168.70.2"},
    }


def test_the_two_questions_of_ssh_copy_id_are_answered(tmp_path):
    (tmp_path / "ssh-copy-id").write_text(
        '#!/bin/sh\n"$SSH_ASKPASS" "Are you sure (yes/no/[fingerprint])?"\n'
        '"$SSH_ASKPASS" "sshuser@192.168.70.2\'s password: "\n'
    )
    (tmp_path / "ssh-copy-id").chmod(0o755)
    script = ssh_access._COPY_KEY.replace("/usr/bin/ssh-copy-id", str(tmp_path / "ssh-copy-id"))
    done = subprocess.run(
        ["sh", "-ec", script], input="se cret%s\n", capture_output=True, text=True, check=True
    )
    assert done.stdout == "yes\nse cret%s\n"


def test_every_erratum_is_told_in_the_plan(plan):
    known = {value for value in vars(errata).values() if isinstance(value, errata.Erratum)}
    assert set(plan.errata) == known


class Issuing:
    """A node that issues one profile."""

    name = "primary"

    def run(self, command, *, stdin=None, timeout=60, check=True):
        return Said(0, "client\nremote a 1194 udp\nremote a 443 tcp\nauth-user-pass\n<ca>\n</ca>\n")


def test_a_profile_is_as_it_was_issued_or_has_one_way_to_go():
    profile = users.user_profile(Issuing(), "alice")
    assert profile == Issuing().run("").stdout
    assert "remote a 1194" not in users.only_by(profile, "tcp")
    assert users.only_by(profile, "udp").count("remote ") == 1


def test_one_time_passwords_are_typed_in_and_noted_as_secrets(plan, tmp_path):
    (step,) = (one for one in plan.steps if one.name == "users of the pair")
    typed = []

    class Asked(RememberingMachine):
        def run(self, command, *, stdin=None, **more):
            typed.append(stdin)
            return super().run(command, stdin=stdin, **more)

    machine, notes = Asked("primary"), Notes()
    machine.know(step.actions)
    step.apply(Session(machine, notes, Transcript(tmp_path / "primary.log")))
    (lines,) = (one.splitlines() for one in typed if one)
    assert lines[0].startswith("alice alice-once-001 alice-once-002 ")
    assert [len(line.split()) for line in lines] == [21] * 4
    assert len(notes.secrets()) == 80
    assert "-once-0" not in plan.dry_run()


def test_no_one_time_password_is_given_twice():
    given = [
        users.one_time_password(user, number)
        for user in users.USERS
        for number in range(1, users.ONE_TIME_PASSWORDS + 1)
    ]
    assert len(set(given)) == len(given)
