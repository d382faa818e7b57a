"""vpn-server-node-generate-firewall: what is let in, whose clients are hidden, what is refused."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.reference.drop_in import Machine, guide_config, guide_profile, php, serving
from tests.reference.genuine_source import genuine_place, unpacked
from tests.reference.test_drop_in_node import node_config

__all__ = ["genuine_place"]

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


# Beside the genuine one

GENUINE = """<?php
if (!function_exists('mb_strpos')) { function mb_strpos($in, $what) { return strpos($in, $what); } }
require_once $argv[1].'/Exception/FirewallRuleException.php';
require_once $argv[1].'/Exception/IPException.php';
foreach (['FirewallRule', 'Firewall', 'IP'] as $name) { require_once "$argv[1]/$name.php"; }
foreach (glob($argv[2].'/Exception/*.php') as $file) { require_once $file; }
foreach (['FileIO', 'Config', 'ProfileConfig'] as $name) { require_once "$argv[2]/$name.php"; }
$rules = new LC\\Common\\Config(json_decode($argv[3], true));
$profiles = array_map(function ($one) { return new LC\\Common\\ProfileConfig($one); },
    json_decode($argv[4], true));
try {
    $text = (new LC\\Node\\Firewall(4))->get($rules, $profiles);
    echo $text."# IPv6\\n".(new LC\\Node\\Firewall(6))->get($rules, $profiles);
} catch (Exception $error) { ob_end_clean(); echo 'ERROR: '.$error->getMessage(); exit(1); }
"""
ALIKE: dict[str, Any] = {
    "the guide's": GUIDE,
    "as installed": {"inputRules": INSTALLED, "natRules": {"internet": {"enableNat": ["IPv4"]}}},
    "without nat": {"inputRules": INSTALLED},
    "many sources": {
        "inputRules": [
            {"dst_port": [53, 853], "proto": ["tcp", "udp"], "src_net": ["10.0.0.0/8", "fd00::/8"]},
            {"proto": ["udp"], "dst_port": [123], "src_net": ["192.0.2.7", "2001:DB8::0:1"]},
        ]
    },
    "nothing let in": {"inputRules": []},
}


def genuine(rules: Any, genuine_place: Path) -> tuple[int, str]:
    sources = [unpacked(name, genuine_place) for name in ("vpn-server-node", "vpn-lib-common")]
    program = genuine_place / "firewall.php"
    program.write_text(GENUINE)
    profiles = {"node-a": guide_profile(1, "a")}
    done = subprocess.run(
        [
            "php", "-d", "error_reporting=0", str(program), *(f"{one}/src" for one in sources),
            json.dumps(rules), json.dumps(profiles),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.mark.parametrize("rules", ALIKE)
def test_the_rules_are_the_genuine_ones(
    machine: Machine, genuine_place: Path, api_uri: str, rules: str
) -> None:
    theirs = genuine(ALIKE[rules], genuine_place)
    status, out, _ = generated(machine, api_uri, ALIKE[rules])
    assert status == theirs[0] == 0
    assert families(out) == families(theirs[1])


@pytest.mark.parametrize("wrong", BROKEN)
def test_what_the_genuine_one_refuses_is_refused(
    machine: Machine, genuine_place: Path, api_uri: str, wrong: str
) -> None:
    rules, _ = BROKEN[wrong]
    assert genuine(rules, genuine_place)[0] == 1
    assert generated(machine, api_uri, rules)[0] == 1


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
