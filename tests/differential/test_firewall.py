"""vpn-server-node-generate-firewall beside the genuine one: rule by rule, and what is refused."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.differential.unpacked import genuine_place, unpacked
from tests.reference.conftest import api_uri
from tests.reference.drop_in import Machine, guide_profile
from tests.reference.test_drop_in_firewall import BROKEN, GUIDE, INSTALLED, families, generated

__all__ = ["api_uri", "genuine_place"]

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
