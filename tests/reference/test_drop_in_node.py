"""A node: OpenVPN's configuration from a live API, the hooks, and a client's profile."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.reference.drop_in import Machine, guide_config, guide_profile, serving

HOOKS = (
    "/usr/lib/vpn-server-node"
    if Path("/etc/debian_version").exists()
    else ("/usr/libexec/vpn-server-node")
)
NODE_A_UDP = """\
cipher AES-256-GCM
client-connect {hooks}/client-connect
client-disconnect {hooks}/client-disconnect
dev tun0
dev-type tun
dh none
explicit-exit-notify 1
group nogroup
keepalive 10 60
local ::
log /dev/null
management 127.0.0.1 11940
max-clients 61
ncp-ciphers AES-256-GCM
persist-key
persist-tun
port 1194
proto udp6
push "block-outside-dns"
push "dhcp-option DNS 2620:fe::fe"
push "dhcp-option DNS 9.9.9.9"
push "explicit-exit-notify 1"
push "redirect-gateway def1 ipv6 block-local"
remote-cert-tls client
reneg-sec 36000
script-security 2
server 10.1.0.0 255.255.255.192
server-ipv6 fd00:1:1:1::/112
setenv PROFILE_ID node-a
tls-cipher TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384
tls-version-min 1.2
topology subnet
user nobody
verb 3"""


# Two copies in place of a new RSA key, which would be most of these tests' time.
QUICK_CA = """#!/bin/sh
cp "$2/ca.crt" "$2/$4.crt" && cp "$2/ca.key" "$2/$4.key"
"""


@pytest.fixture(autouse=True)
def quick_ca(machine: Machine) -> None:
    """Put a vpn-ca in place that takes no time: keys are not what is looked at here."""
    (machine.root / "usr/bin/vpn-ca").write_text(QUICK_CA)


def node_config(uri: str, **options: Any) -> dict[str, Any]:
    return {
        "vpnUser": "nobody",
        "vpnGroup": "nogroup",
        "apiUser": "vpn-server-node",
        "apiPass": "node-secret",
        "apiUri": uri,
        "useVpnDaemon": True,
        **options,
    }


def portal_config(uri: str) -> dict[str, Any]:
    return {"apiUser": "vpn-user-portal", "apiPass": "portal-secret", "apiUri": uri}


def server_config(machine: Machine, uri: str, **options: Any) -> tuple[int, str, str]:
    machine.write_config("vpn-server-node", node_config(uri, **options))
    done = machine.run("/usr/bin/vpn-server-node-server-config")
    return done.returncode, done.stdout, done.stderr


def written(machine: Machine) -> dict[str, Path]:
    return {path.name: path for path in (machine.root / "etc/openvpn/server").iterdir()}


def directives(path: Path) -> list[str]:
    outside = re.sub(r"(?ms)^<(\S+)>$.*?^</\1>$", "", path.read_text())
    return [line for line in outside.splitlines() if line and not line.startswith("#")]


# server-config


def test_a_node_writes_the_files_of_its_profiles_alone(machine: Machine, api_uri: str) -> None:
    assert server_config(machine, api_uri, profileList=["node-a"]) == (0, "", "")
    files = written(machine)
    assert sorted(files) == ["node-a-0.conf", "node-a-1.conf"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files.values()} == {0o600}


def test_the_directives_are_the_genuine_ones_in_the_genuine_order(
    machine: Machine, api_uri: str
) -> None:
    server_config(machine, api_uri, profileList=["node-a"])
    expected = NODE_A_UDP.format(hooks=machine.root / HOOKS.lstrip("/"))
    assert directives(written(machine)["node-a-0.conf"]) == expected.splitlines()


def test_the_second_process_has_tcp_and_the_second_half(machine: Machine, api_uri: str) -> None:
    server_config(machine, api_uri, profileList=["node-a"])
    files = written(machine)
    first = set(directives(files["node-a-0.conf"]))
    second = set(directives(files["node-a-1.conf"]))
    assert second - first == {
        "dev tun1",
        "management 127.0.0.1 11941",
        "proto tcp6-server",
        "server 10.1.0.64 255.255.255.192",
        "server-ipv6 fd00:1:1:1::1:0/112",
        "tcp-nodelay",
    }


def test_a_file_ends_with_its_keys_and_no_newline(machine: Machine, api_uri: str) -> None:
    server_config(machine, api_uri, profileList=["node-a"])
    text = written(machine)["node-a-0.conf"].read_text()
    assert re.findall(r"(?m)^<([^/>]+)>$", text) == ["ca", "cert", "key", "tls-crypt"]
    assert text.endswith("-----END OpenVPN Static key V1-----\n</tls-crypt>")


def test_without_a_daemon_management_is_on_the_profiles_address(
    machine: Machine, api_uri: str
) -> None:
    server_config(machine, api_uri, profileList=["node-b"], useVpnDaemon=False)
    lines = directives(written(machine)["node-b-0.conf"])
    assert "management 145.0.6.73 12004" in lines
    assert "dev tun64" in lines


def test_no_profile_list_means_all_and_makes_both_keys(machine: Machine, api_uri: str) -> None:
    assert server_config(machine, api_uri)[0] == 0
    assert len(written(machine)) == 4
    data = machine.root / "var/lib/vpn-server-api"
    assert len(list(data.glob("tls-crypt-*.key"))) == 2


def test_unknown_names_in_the_profile_list_write_nothing(machine: Machine, api_uri: str) -> None:
    assert server_config(machine, api_uri, profileList=["node-z"]) == (0, "", "")
    assert written(machine) == {}


def test_a_wrong_secret_is_an_error_with_the_url(machine: Machine, api_uri: str) -> None:
    code, out, error = server_config(machine, api_uri, apiPass="guessed")
    text = f'ERROR: [401] GET "{api_uri}/profile_list": invalid authentication information\n'
    assert (code, out, error) == (1, "", text)


def test_a_controller_that_is_down_is_an_error(machine: Machine) -> None:
    code, _, error = server_config(machine, "http://127.0.0.1:1/api.php")
    assert code == 1
    assert error.startswith('ERROR: failure performing the HTTP request: "')


def test_a_failure_leaves_the_files_that_were_there(machine: Machine, api_uri: str) -> None:
    server_config(machine, api_uri, profileList=["node-a"])
    before = {name: path.read_text() for name, path in written(machine).items()}
    bad = guide_profile(2, "b", vpnProtoPorts=["udp/1194", "udp/1195", "tcp/1194"])
    good = guide_profile(1, "a")
    machine.write_config(
        "vpn-server-api", guide_config(vpnProfiles={"node-a": good, "node-b": bad})
    )
    code, _, error = server_config(machine, api_uri)
    assert code == 1
    assert "1, 2, 4, 8, 16, 32, 64" in error
    assert {name: path.read_text() for name, path in written(machine).items()} == before


def test_gateway_words_become_the_process_own_addresses(machine: Machine, api_uri: str) -> None:
    profile = guide_profile(1, "a", dns=["@GW4@", "@GW6@"], routes=["192.0.2.0/24"])
    machine.write_config("vpn-server-api", guide_config(vpnProfiles={"node-a": profile}))
    server_config(machine, api_uri)
    lines = directives(written(machine)["node-a-1.conf"])
    assert 'push "dhcp-option DNS 10.1.0.65"' in lines
    assert 'push "dhcp-option DNS fd00:1:1:1::1:1"' in lines
    assert 'push "route 192.0.2.0 255.255.255.0"' in lines


def test_api_access_keeps_the_rest_of_the_configuration(machine: Machine) -> None:
    machine.write_config("vpn-server-node", node_config("http://old.example/"))
    subprocess.run(
        [sys.executable, "-m", "vpn_server_node.api_access"],
        cwd=machine.root / "usr/share/vpn-drop-in",
        input="https://new.example/api.php\nnew secret's\n",
        text=True,
        check=True,
    )
    from vpn_lib_common import php_config

    found = php_config.read(machine.root / "etc/vpn-server-node/config.php")
    wanted = node_config("https://new.example/api.php", apiPass="new secret's")
    assert found == wanted


# A client's profile


USER = ("--user", "alice", "--name", "pc")


def issue(machine: Machine, uri: str, profile: str) -> tuple[int, str, str]:
    machine.write_config("vpn-user-portal", portal_config(uri))
    done = machine.run("/usr/bin/vpn-user-portal-issue", *USER, "--profile", profile)
    return done.returncode, done.stdout, done.stderr


def test_a_client_profile_has_the_portals_lines_in_order(machine: Machine, api_uri: str) -> None:
    (machine.root / "var/lib/vpn-server-api/ta.key").write_text("shared key")
    machine.write_config("vpn-user-portal", portal_config(api_uri))
    raw = subprocess.run(
        [machine.root / "usr/bin/vpn-user-portal-issue", *USER, "--profile", "node-a"],
        capture_output=True,
        check=True,
    ).stdout
    assert raw.count(b"\n") == raw.count(b"\r\n")
    assert not raw.endswith(b"\n")
    text = re.sub(r"(?ms)^<(\S+)>$.*?^</\1>$", r"<\1>", raw.decode().replace("\r\n", "\n"))
    assert text.splitlines()[1:] == [
        "dev tun",
        "client",
        "nobind",
        "remote-cert-tls server",
        "verb 3",
        "server-poll-timeout 10",
        "ncp-ciphers AES-256-GCM",
        "cipher AES-256-GCM",
        "reneg-sec 0",
        "<ca>",
        "tls-version-min 1.2",
        "tls-cipher TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384",
        "<cert>",
        "<key>",
        "<tls-crypt>",
        "remote node-a.frkovpn.tuxed.net 1194 udp",
        "remote node-a.frkovpn.tuxed.net 1194 tcp",
    ]


def test_a_hidden_profile_is_not_handed_out(machine: Machine, api_uri: str) -> None:
    profiles = {"node-b": guide_profile(2, "b", hideProfile=True)}
    machine.write_config("vpn-server-api", guide_config(vpnProfiles=profiles))
    code, out, error = issue(machine, api_uri, "node-b")
    assert (code, out) == (1, "")
    assert error == "ERROR: no permission to download a configuration for this profile\n"


def test_special_ports_are_offered_beside_ordinary_ones() -> None:
    from vpn_lib_common.profile import Profile
    from vpn_user_portal.client_profile import remotes

    ports = ["udp/1194", "tcp/1194", "udp/53", "tcp/443"]
    offered = remotes(Profile("p", {"exposedVpnProtoPorts": ports}))
    assert offered == [("udp", 1194), ("tcp", 1194), ("udp", 53), ("tcp", 443)]


def test_two_machines_do_not_share_their_configuration(machine: Machine) -> None:
    with serving(machine.root) as uri:
        assert server_config(machine, uri, profileList=["node-a"])[0] == 0
    assert server_config(machine, uri, profileList=["node-a"])[0] == 1


# Profiles that are in each other's way


@pytest.mark.parametrize(
    ("option", "value", "taken"),
    [
        ("profileNumber", 1, "profileNumber: 1"),
        ("range", "10.1.0.64/26", "range: 10.1.0.64/26"),
        ("range6", "fd00:1::/32", "range6: fd00:1::/32"),
    ],
)
def test_profiles_that_share_a_number_or_a_range_are_refused_and_named(
    machine: Machine, api_uri: str, option: str, value: object, taken: str
) -> None:
    other = {**guide_profile(2, "b"), option: value}
    machine.write_config(
        "vpn-server-api",
        guide_config(vpnProfiles={"node-a": guide_profile(1, "a"), "node-b": other}),
    )
    code, _, error = server_config(machine, api_uri, profileList=["node-a"])
    assert code == 1
    assert f"vpnProfiles, node-b, {taken} is node-a's as well" in error
    assert written(machine) == {}
