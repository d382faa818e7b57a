"""The client's profile: what the genuine portal's class and the drop-in's function make of one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest

from tests.differential.listed import Permitted, compare
from tests.differential.test_server_config import KEYS, profile
from tests.reference.drop_in import Machine

#: Runs the genuine class as the page does: ports drawn at random, lines ended as Windows has them.
_PROGRAM = """
require $argv[1].'/vendor/autoload.php';
$given = json_decode(stream_get_contents(STDIN), true);
$made = [];
foreach ($given['profiles'] as $case => $profile) {
    $text = LC\\Portal\\ClientConfig::get($profile, $given['keys'], $given['keys'], 1);
    $made[$case] = str_replace("\\n", "\\r\\n", $text);
}
echo json_encode($made);
"""
CASES: dict[str, Mapping[str, Any]] = {
    "the guide's": {},
    "TLS 1.3": {"tlsOneThree": True},
    "no tls-crypt": {"tlsProtection": False},
    "exposed": {"exposedVpnProtoPorts": ["udp/53", "tcp/443"]},
    "one of each kind": {"vpnProtoPorts": ["tcp/80", "udp/443", "tcp/1194", "udp/1195"]},
    "udp alone": {"vpnProtoPorts": ["udp/1194"]},
    "special alone": {"vpnProtoPorts": ["tcp/443"]},
    "tcp/53 is ordinary": {"vpnProtoPorts": ["tcp/53", "udp/80"]},
    "port with zero": {"vpnProtoPorts": ["udp/01194", "tcp/1194"]},
    "name of two words": {"hostName": "vpn.example.org 1194"},
    "port is a word": {"vpnProtoPorts": ["udp/abc", "tcp/1194"]},
}
PERMITTED: Permitted = {
    "one-word": {"name of two words": "hostName: 'vpn.example.org 1194' is not a single word"},
    "server-config-port": {
        "port is a word": "invalid literal for int() with base 10: 'abc'",
    },
}


def of_the_genuine(machine: Machine, profiles: Mapping[str, Any]) -> dict[str, str]:
    done = subprocess.run(
        ["php", "-r", _PROGRAM, machine.root / "usr/share/vpn-user-portal"],
        input=json.dumps({"profiles": profiles, "keys": KEYS}),
        capture_output=True,
        text=True,
        check=True,
    )
    return {case: str(text) for case, text in json.loads(done.stdout).items()}


def of_the_drop_in(options: Mapping[str, Any]) -> str:
    from vpn_lib_common.profile import Profile, ProfileError
    from vpn_user_portal.client_profile import client_profile

    try:
        return client_profile(Profile("node-a", options), KEYS, KEYS)
    except (ProfileError, ValueError) as error:
        return str(error)


def test_client_profiles_are_the_same_line_by_line(genuine_machine: Machine) -> None:
    profiles = {case: profile(options) for case, options in CASES.items()}
    here = {case: of_the_drop_in(options) for case, options in profiles.items()}
    compare(of_the_genuine(genuine_machine, profiles), here, PERMITTED)


@pytest.mark.parametrize("kind", ["udp", "tcp"])
def test_one_of_several_ports_is_drawn(genuine_machine: Machine, kind: str) -> None:
    ports = [f"{kind}/{number}" for number in (1194, 1195, 1196)]
    options = profile({"vpnProtoPorts": ports})
    drawn = of_the_genuine(genuine_machine, {f"draw {n}": options for n in range(60)}).values()
    assert set(drawn) == {of_the_drop_in(options) for _ in range(60)}
    assert len(set(drawn)) == 3
