"""vpn-server-node-generate-firewall: what is let in, whose clients are hidden, what is refused."""

from __future__ import annotations

import stat
from typing import Any

import pytest

from tests.reference.drop_in import Machine, guide_config, guide_profile, php, serving
from tests.reference.test_drop_in_node import node_config

PROGRAM = "/usr/bin/vpn-server-node-generate-firewall"
FROM_CONTROLLER = {
    "proto": ["tcp"],
    "src_net": ["145.0.6.71/32", "2001:610:188:418:145:0:6:71/128"],
    "dst_port": [41194],
}
INSTALLED: list[Any] = [
    {"proto": ["tcp"], "dst_port": [22, 80, 443]},
    {"proto": ["udp", "tcp"], "dst_port": [1194]},
]
GUIDE: dict[str, Any] = {
    "inputRules": [*INSTALLED, FROM_CONTROLLER],
    "natRules": {"node-a": {"enableNat": ["IPv4", "IPv6"]}},
}
BROKEN: dict[str, tuple[Any, str]] = {
    "no rules at all": ({}, 'item "inputRules" not available'),
    "no protocol": ({"inputRules": [{"dst_port": [22]}]}, 'inputRules[0]: missing "proto"'),
    "no port": ({"inputRules": [*INSTALLED, {"proto": ["tcp"]}]}, 'inputRules[2]: missing "dst_'),
    "an odd protocol": (
        {"inputRules": [{"proto": ["icmp"], "dst_port": [22]}]},
        '"proto" must be either "tcp" or "udp"',
    ),
    "a port in words": (
        {"inputRules": [{"proto": ["tcp"], "dst_port": ["22"]}]},
        '"dst_port" must be an integer',
    ),
    "a port too high": ({"inputRules": [{"proto": ["tcp"], "dst_port": [65536]}]}, "65536"),
    "no address": (
        {"inputRules": [{**FROM_CONTROLLER, "src_net": ["controller"]}]},
        "invalid IP address",
    ),
    "a prefix too long": (
        {"inputRules": [{**FROM_CONTROLLER, "src_net": ["145.0.6.71/33"]}]},
        "IP prefix must be a number between 0 and 32",
    ),
}
NO_WORDS_OF_THE_GENUINE: dict[str, tuple[Any, str]] = {
    "rules that are none": ({"inputRules": "all"}, "inputRules: expected a list"),
    "no list of ports": ({"inputRules": [{"proto": ["tcp"], "dst_port": 22}]}, '"dst_port" must'),
    "a rule within an address": (
        {"inputRules": [{**FROM_CONTROLLER, "src_net": ["fe80::1%x -j ACCEPT\n-A INPUT"]}]},
        "invalid IP address",
    ),
    "an unknown family": (
        {**GUIDE, "natRules": {"node-a": {"enableNat": ["IPv5"]}}},
        "natRules[node-a]",
    ),
}
Said = tuple[int, str, str]


def generated(machine: Machine, uri: str, rules: Any, *words: str, **options: Any) -> Said:
    machine.write_config("vpn-server-node", node_config(uri, profileList=["node-a"], **options))
    (machine.root / "etc/vpn-server-node/firewall.php").write_text(f"<?php return {php(rules)};\n")
    done = machine.run(PROGRAM, *words)
    return done.returncode, done.stdout, done.stderr


def families(text: str) -> tuple[list[str], list[str]]:
    """Return the lines of both families, without comments."""
    first, _, second = text.partition("# IPv6\n")
    one, other = (
        [line for line in part.splitlines() if line[:1] != "#"] for part in (first, second)
    )
    return one, other


def debian(machine: Machine) -> Machine:
    (machine.root / "etc/debian_version").write_text("12.0\n")
    (machine.root / "etc/iptables").mkdir()
    return machine


def test_the_controller_alone_reaches_the_daemon_in_each_family(
    machine: Machine, api_uri: str
) -> None:
    status, out, error = generated(machine, api_uri, GUIDE)
    assert (status, error) == (0, "")
    for lines, source in zip(families(out), FROM_CONTROLLER["src_net"], strict=True):
        (only,) = [line for line in lines if "--dport 41194" in line]
        assert f"--source {source} " in only


def test_a_rule_without_a_source_is_in_both_families(machine: Machine, api_uri: str) -> None:
    _, out, _ = generated(machine, api_uri, GUIDE)
    for lines in families(out):
        ports = [line.split("--dport ")[1].split()[0] for line in lines if "--dport" in line]
        assert ports == ["22", "80", "443", "1194", "1194", "41194"]
        assert lines.count("COMMIT") == 2


@pytest.mark.parametrize(
    ("nat", "hidden"),
    [
        (["IPv4", "IPv6"], (["10.1.0.0/25"], ["fd00:1:1:1::/64"])),
        (["IPv4"], (["10.1.0.0/25"], [])),
        (["IPv6"], ([], ["fd00:1:1:1::/64"])),
        ([], ([], [])),
    ],
)
def test_clients_are_hidden_where_it_is_asked_for(
    machine: Machine, api_uri: str, nat: list[str], hidden: tuple[list[str], list[str]]
) -> None:
    _, out, _ = generated(machine, api_uri, {**GUIDE, "natRules": {"node-a": {"enableNat": nat}}})
    found = tuple(
        [line.split()[3] for line in lines if "MASQUERADE" in line] for lines in families(out)
    )
    assert found == hidden


def test_another_nodes_profile_is_not_hidden_here(machine: Machine, api_uri: str) -> None:
    rules = {**GUIDE, "natRules": {"node-b": {"enableNat": ["IPv4"]}, "internet": {}}}
    _, out, _ = generated(machine, api_uri, rules)
    assert "MASQUERADE" not in out


def test_installed_files_are_roots_alone(machine: Machine, api_uri: str) -> None:
    status, out, _ = generated(debian(machine), api_uri, GUIDE, "--install")
    assert (status, out) == (0, "OS Detected: Debian/Ubuntu...\n")
    _, printed, _ = generated(machine, api_uri, GUIDE)
    for name, lines in zip(("rules.v4", "rules.v6"), families(printed), strict=True):
        file = machine.root / "etc/iptables" / name
        assert [line for line in file.read_text().splitlines() if line[:1] != "#"] == lines
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(("managed", "written"), [(False, False), (None, True), (0, True)])
def test_only_false_itself_leaves_the_firewall_alone(
    machine: Machine, api_uri: str, managed: object, written: bool
) -> None:
    options = {} if managed is None else {"manageFirewall": managed}
    status, out, _ = generated(debian(machine), api_uri, GUIDE, "--install", **options)
    assert status == 0
    assert (machine.root / "etc/iptables/rules.v4").exists() is written
    assert ("FIREWALL NOT MANAGED" in out) is not written


@pytest.mark.parametrize("wrong", [*BROKEN, *NO_WORDS_OF_THE_GENUINE])
def test_what_is_wrong_is_named_and_nothing_is_written(
    machine: Machine, api_uri: str, wrong: str
) -> None:
    rules, words = {**BROKEN, **NO_WORDS_OF_THE_GENUINE}[wrong]
    status, _, error = generated(debian(machine), api_uri, rules, "--install")
    assert status == 1
    assert error.startswith(f"ERROR: {machine.root}/etc/vpn-server-node/firewall.php: ")
    assert words in error
    assert not list((machine.root / "etc/iptables").iterdir())


def test_a_syntax_error_names_the_file(machine: Machine, api_uri: str) -> None:
    generated(debian(machine), api_uri, GUIDE)
    file = machine.root / "etc/vpn-server-node/firewall.php"
    file.write_text("<?php return ['inputRules' => [;\n")
    done = machine.run(PROGRAM, "--install")
    assert done.returncode == 1
    assert str(file) in done.stderr
    assert not list((machine.root / "etc/iptables").iterdir())


def test_a_controller_out_of_reach_leaves_the_files_alone(machine: Machine) -> None:
    rules = debian(machine).root / "etc/iptables/rules.v4"
    rules.write_text("as it was")
    status, _, error = generated(machine, "http://127.0.0.1:1", GUIDE, "--install")
    assert status == 1
    assert "failure performing the HTTP request" in error
    assert rules.read_text() == "as it was"


def test_the_whole_of_both_profiles_is_generated_without_a_list(machine: Machine) -> None:
    profiles = {"node-a": guide_profile(1, "a"), "node-b": guide_profile(2, "b")}
    machine.write_config("vpn-server-api", guide_config(vpnProfiles=profiles))
    nat = {name: {"enableNat": ["IPv4"]} for name in profiles}
    with serving(machine.root) as uri:
        machine.write_config("vpn-server-node", node_config(uri))
        rules = php({**GUIDE, "natRules": nat})
        (machine.root / "etc/vpn-server-node/firewall.php").write_text(f"<?php return {rules};\n")
        out = machine.run(PROGRAM).stdout
    assert out.count("MASQUERADE") == 2
