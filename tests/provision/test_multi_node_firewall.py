"""The guide's own firewall for each node, and vpn-daemon before it."""

import pytest

from lab.topology import read_topology
from provision import multi_node
from provision.cli import main
from provision.multi_node import errata, firewall
from provision.multi_node.nodes import CONFIG
from provision.multi_node.site import Site
from provision.plan import Plan
from provision.platform import CENTOS_7, DEBIAN_12
from tests.provision.test_multi_node import SITE, TOPOLOGY

NODE_A, NODE_B = SITE.nodes

PRINTED = """\
*nat
-P PREROUTING ACCEPT
-P INPUT ACCEPT
-P OUTPUT ACCEPT
-P POSTROUTING ACCEPT
-A POSTROUTING -s fd00:1:1:1::/64 -j SNAT --to-source 2001:610:188:418:145:0:6:72
*filter
-P INPUT ACCEPT
-P FORWARD ACCEPT
-P OUTPUT ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -i lo -j ACCEPT
-A INPUT -p ipv6-icmp -j ACCEPT
-A INPUT -p tcp -m tcp --dport 22 -m conntrack --ctstate NEW,UNTRACKED -j ACCEPT
-A INPUT -s 2001:610:188:418:145:0:6:71/128 -p tcp -m tcp --dport 41194 -m conntrack --ctstate NEW,UNTRACKED -j ACCEPT
-A INPUT -p udp -m udp --dport 1194 -m conntrack --ctstate NEW,UNTRACKED -j ACCEPT
-A INPUT -p tcp -m tcp --dport 1194 -m conntrack --ctstate NEW,UNTRACKED -j ACCEPT
-A INPUT -m conntrack --ctstate INVALID -j DROP
-A INPUT -j REJECT --reject-with icmp6-adm-prohibited
-A FORWARD -i tun+ -o wire0 -j ACCEPT
-A FORWARD -i wire0 -o tun+ -j ACCEPT
-A FORWARD -j REJECT --reject-with icmp6-adm-prohibited
COMMIT
"""  # noqa: E501 - as the guide prints it, but for the interface's name


def test_as_printed_is_the_guides_own_text() -> None:
    assert firewall.rules(NODE_A, SITE, 6, as_printed=True) == PRINTED


@pytest.mark.parametrize("family", [4, 6])
def test_each_table_is_committed_and_only_answers_come_from_outside(family: int) -> None:
    text = firewall.rules(NODE_A, SITE, family)
    assert text.count("COMMIT") == text.count("*") == 2
    assert f"-i {firewall.EXTERNAL} -o tun+ -m conntrack --ctstate RELATED,ESTABLISHED -j" in text


def test_a_node_has_its_own_range_and_address() -> None:
    text = firewall.rules(NODE_B, SITE, 4)
    assert "-A POSTROUTING -s 10.2.0.0/25 -j SNAT --to-source 145.0.6.73" in text
    assert "145.0.6.72" not in text


def test_the_section_is_followed_on_every_node_of_three() -> None:
    site = Site.of(read_topology("multi_node_3"))
    steps = firewall.steps(site, DEBIAN_12)
    assert {step.machine for step in steps} == {node.name for node in site.nodes}


def test_the_rules_lie_where_each_system_loads_them_from() -> None:
    for platform, file, service in (
        (DEBIAN_12, "/etc/iptables/rules.v6", "netfilter-persistent"),
        (CENTOS_7, "/etc/sysconfig/ip6tables", "ip6tables"),
    ):
        text = Plan(firewall.steps(SITE, platform)).dry_run()
        assert f"> {file} (0600 root:root)" in text
        assert f"systemctl restart {service}" in text
        assert f"{CONFIG}.new" in text
        assert "'manageFirewall' => false" in text


def test_what_the_guide_lacks_is_an_erratum() -> None:
    steps = firewall.steps(SITE, DEBIAN_12)
    names = {erratum.name for step in steps for erratum in step.errata}
    assert {errata.MISSING_COMMIT.name, errata.FORWARD_IN.name} <= names


def test_vpn_daemon_runs_on_each_node_before_its_configuration_says_so() -> None:
    names = [step.name for step in multi_node.plan(TOPOLOGY, DEBIAN_12).steps]
    for node in SITE.nodes:
        deployed, daemon = (
            names.index(f"deploy {node.name}"),
            names.index(f"vpn-daemon on {node.name}"),
        )
        assert deployed < daemon < names.index(f"configuration of {node.name}")


def test_the_drop_in_daemon_comes_from_the_archive_and_says_so() -> None:
    plan = multi_node.plan(TOPOLOGY, DEBIAN_12)
    (step,) = [one for one in plan.steps if one.name == "vpn-daemon on node-a"]
    text = step.describe()
    assert "documentation-2/packages/install vpn-daemon" in text
    assert "| LISTEN=:41194" in text
    assert errata.DAEMON_PACKAGE in step.errata


def test_a_dry_run_shows_the_section(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dry-run", "--image", "debian-12", "--software", "drop-in"]) == 0
    assert "## Firewall\n" in capsys.readouterr().out
