"""vpn-server-node-server-config: the same profiles, and the files that both make of them."""

from __future__ import annotations

import re
import stat
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest

from tests.differential.listed import Permitted, compare
from tests.differential.stub import Stub, answering, granting
from tests.reference.drop_in import Machine, guide_profile

COMMAND = "/usr/bin/vpn-server-node-server-config"
KEYS = {
    name: f"-----BEGIN {name}-----\n{name}==\n-----END {name}-----"
    for name in ("ca", "certificate", "private_key", "tls_crypt")
}
_DEFAULTS = {
    "aclPermissionList": [],
    "blockLan": False,
    "clientToClient": False,
    "defaultGateway": False,
    "dns": [],
    "dnsSuffix": [],
    "enableAcl": False,
    "enableLog": False,
    "exposedVpnProtoPorts": [],
    "hideProfile": False,
    "listen": "::",
    "managementIp": "127.0.0.1",
    "routes": [],
    "tlsProtection": "tls-crypt",
    "vpnProtoPorts": ["udp/1194", "tcp/1194"],
}
_PORTS = [f"udp/{1194 + number}" for number in range(64)]

#: Options of a profile; those of the node begin with "node:". "-": the option is not there.
CASES: dict[str, Mapping[str, Any]] = {
    "the guide's": {},
    "the guide's, daemon": {"node:useVpnDaemon": True},
    "profile 2": {"profileNumber": 2},
    "profile 64": {"profileNumber": 64},
    "one process": {"vpnProtoPorts": ["udp/1194"]},
    "one process, tcp": {"vpnProtoPorts": ["tcp/443"]},
    "four processes": {"vpnProtoPorts": ["udp/1194", "tcp/1194", "udp/53", "tcp/443"]},
    "64 processes": {"vpnProtoPorts": _PORTS, "range": "10.1.0.0/20", "range6": "fd00::/104"},
    "eight processes, small ranges": {
        "vpnProtoPorts": _PORTS[:8], "range": "10.1.0.0/27", "range6": "fd00::/108",
    },
    "/29 for two": {"range": "10.1.0.0/29"},
    "/30 for one": {"range": "10.1.0.0/30", "vpnProtoPorts": ["udp/1194"]},
    "/8": {"range": "10.0.0.0/8"},
    "range6 /112 for one": {"range6": "fd00:1::/112", "vpnProtoPorts": ["udp/1194"]},
    "range6 /48": {"range6": "fd00:1:2::/48"},
    "host bits in range": {"range": "10.1.0.77/25"},
    "host bits in range6": {"range6": "fd00:1:1:1::77/64"},
    "host bits, client to client": {
        "range": "10.1.0.77/25", "range6": "fd00:1::77/64", "clientToClient": True,
    },
    "range6 in capitals": {"range6": "FD00:0001:1:1:0::/64"},
    "IPv4 listener": {"listen": "0.0.0.0"},  # noqa: S104 - what a node listens on
    "one address": {"listen": "145.0.6.72"},
    "IPv6 address": {"listen": "2001:610:188:418::72"},
    "no gateway": {"defaultGateway": False},
    "no block": {"blockLan": False},
    "routes": {"defaultGateway": False, "routes": ["192.0.2.0/24", "2001:db8::/32"]},
    "routes beside a gateway": {"routes": ["198.51.100.0/25"]},
    "route without prefix": {"routes": ["192.0.2.7", "2001:db8::7"]},
    "host bits in routes": {"routes": ["192.0.2.7/24", "2001:DB8::7/32"]},
    "default route": {"routes": ["0.0.0.0/0", "::/0"]},
    "no dns": {"dns": []},
    "own dns": {"dns": ["@GW4@", "@GW6@"]},
    "own dns, four processes": {
        "dns": ["@GW4@", "@GW6@"], "vpnProtoPorts": ["udp/1", "udp/2", "tcp/3", "tcp/4"],
    },
    "suffixes": {"dnsSuffix": ["example.org", "example.com"]},
    "client to client": {"clientToClient": True},
    "log": {"enableLog": True},
    "TLS 1.3": {"tlsOneThree": True},
    "TLS 1.3 not": {"tlsOneThree": False},
    "no tls-crypt": {"tlsProtection": False},
    "exposed ports": {"exposedVpnProtoPorts": ["tcp/443"]},
    "hidden": {"hideProfile": True},
    "access list": {"enableAcl": True, "aclPermissionList": ["staff"]},
    "another management address": {"managementIp": "145.0.6.73"},
    "port with zero": {"vpnProtoPorts": ["udp/01194", "tcp/1194"]},
    "user and group": {"node:vpnUser": "somebody", "node:vpnGroup": "somegroup"},
    "no user": {"node:vpnUser": "-"},
    "no group": {"node:vpnGroup": "-"},
    "this profile alone": {"node:profileList": ["node-a"]},
    "another profile alone": {"node:profileList": ["node-z"]},
    "empty profile list": {"node:profileList": []},
    "three processes": {"vpnProtoPorts": _PORTS[:3]},
    "no process": {"vpnProtoPorts": []},
    "128 processes": {"vpnProtoPorts": [*_PORTS, *_PORTS], "range": "10.0.0.0/8"},
    "profile 0": {"profileNumber": 0},
    "profile 65": {"profileNumber": 65},
    "/30 for two": {"range": "10.1.0.0/30"},
    "range6 too small": {"range6": "fd00:1::/112"},
    "range6 /65": {"range6": "fd00:1::/65"},
    "range is a word": {"range": "here"},
    "range6 is a word": {"range6": "here"},
    "range prefix 33": {"range": "10.1.0.0/33"},
    "route is a word": {"routes": ["here"]},
    "no range": {"range": "-"},
    "no number": {"profileNumber": "-"},
    "other protocol": {"vpnProtoPorts": ["sctp/1194"]},
    "port is a word": {"vpnProtoPorts": ["udp/abc", "tcp/1194"]},
    "listener is two words": {"listen": "0.0.0.0 up"},
    "dns is two words": {"dns": ["9.9.9.9 up"]},
    "wrong secret": {"node:apiPass": "guessed"},
    "no API user": {"node:apiUser": "-"},
    "no API address": {"node:apiUri": "-"},
}  # fmt: skip


def _words(text: str) -> tuple[int, str]:
    return 1, f"ERROR: {text}\n"


def _count() -> tuple[int, str]:
    return _words("number of vpnProtoPorts MUST be one of 1, 2, 4, 8, 16, 32, 64")


def _no_word(option: str, value: str) -> tuple[int, str]:
    return _words(f"{option}: {value!r} is not a single word")


PERMITTED: Permitted = {
    "server-config-words": {
        "three processes": _count(),
        "no process": _count(),
        "128 processes": _count(),
        "/30 for two": _words("the ranges are too small for 2 processes"),
        "range6 too small": _words("the ranges are too small for 2 processes"),
        "range6 /65": _words("range6 MUST have a prefix of at most 112, divisible by 4"),
        "range is a word": _words("node-a: range: Expected 4 octets in 'here'"),
        "range6 is a word": _words("node-a: range6: At least 3 parts expected in 'here'"),
        "range prefix 33": _words("node-a: range: '33' is not a valid netmask"),
        "route is a word": _words(
            "node-a: routes: 'here' does not appear to be an IPv4 or IPv6 interface"
        ),
        "other protocol": _words('"sctp/1194" is not a protocol and a port'),
    },
    "server-config-port": {"port is a word": _words('"udp/abc" is not a protocol and a port')},
    "one-word": {
        "listener is two words": _no_word("listen", "0.0.0.0 up"),
        "dns is two words": _no_word("dns", "9.9.9.9 up"),
    },
}
ENDS: Permitted = {
    "stderr": {"where errors are said": ("", 'ERROR: item "apiUri" not available\n')},
    "arguments": {"an unknown argument": 2},
    "php-error": {"a configuration that is not PHP": 1},
    "whole-files": {"files when the second profile is wrong": []},
    "error-words": {"no controller": "[Errno 111] Connection refused"},
}


def configured(machine: Machine, uri: str, options: Mapping[str, Any]) -> Machine:
    """Write a node's configuration, changed by the options for it."""
    config: dict[str, Any] = {
        "vpnUser": "nobody",
        "vpnGroup": "nogroup",
        "apiUser": "vpn-server-node",
        "apiPass": "node-secret",
        "apiUri": uri,
    }
    machine.write_config("vpn-server-node", changed(config, options, "node:"))
    return machine


def changed(values: dict[str, Any], options: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Return values with the options of that prefix in their place."""
    named = {
        name.removeprefix("node:"): value
        for name, value in options.items()
        if name.startswith("node:") == bool(prefix)
    }
    return {name: value for name, value in {**values, **named}.items() if value != "-"}


def made(machine: Machine, stub: Stub, options: Mapping[str, Any]) -> object:
    """Run the command; return how it ended, what it wrote, and what it asked the API for."""
    directory = machine.root / "etc/openvpn/server"
    for old in directory.iterdir():
        old.unlink()
    configured(machine, stub.uri, options)
    stub.asked.clear()
    done = machine.run(COMMAND)
    files = {
        path.name: (
            stat.S_IMODE(path.stat().st_mode),
            path.read_text().replace(f"{machine.root}/usr/", "/usr/"),
        )
        for path in sorted(directory.iterdir())
    }
    if done.returncode != 0:
        return done.returncode, said(done.stdout + done.stderr, stub)
    return files, [_without_date(asked) for asked in stub.asked]


def said(text: str, stub: Stub) -> str:
    """Return what a command said, wherever the API is."""
    return text.replace(stub.uri, "API")


def _without_date(asked: object) -> str:
    return re.sub(r"\b\d{14}\.", "<now>.", repr(asked))


def profile(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the guide's profile with options changed, as the API lists it."""
    values = {**_DEFAULTS, **guide_profile(1, "a")}
    return dict(sorted(changed(values, options, "").items()))


@pytest.fixture(scope="module")
def api() -> Any:
    """Give an API that knows one secret, and lists what is put into its list."""
    listed: dict[str, Any] = {}
    grant = granting({"profile_list": listed, "add_server_certificate": KEYS})

    def reply(asked: Any) -> Any:
        if asked.consumer != "vpn-server-node:node-secret":
            return 401, {"error": "invalid authentication information"}
        return grant(asked)

    with answering(reply) as stub:
        yield stub, listed


def test_server_configurations_are_the_same_line_by_line(
    genuine_machine: Machine, machine: Machine, api: tuple[Stub, dict[str, Any]]
) -> None:
    stub, listed = api
    found: dict[str, dict[str, object]] = {"genuine": {}, "here": {}}
    for case, options in CASES.items():
        listed.clear()
        listed["node-a"] = profile(options)
        found["genuine"][case] = made(genuine_machine, stub, options)
        found["here"][case] = made(machine, stub, options)
    compare(found["genuine"], found["here"], PERMITTED)


def test_how_the_command_ends_differs_as_listed(
    genuine_machine: Machine, machine: Machine, api: tuple[Stub, dict[str, Any]]
) -> None:
    stub, listed = api
    found = [_ends(one, stub, listed) for one in (genuine_machine, machine)]
    compare(found[0], found[1], ENDS)


def _ends(machine: Machine, stub: Stub, listed: dict[str, Any]) -> dict[str, object]:
    def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        given = {f"node:{name}": value for name, value in options.items()}
        return configured(machine, stub.uri, given).run(COMMAND, *arguments)

    listed.clear()
    listed["node-a"] = profile({})
    without_address = run(apiUri="-")
    nowhere = run(apiUri="http://127.0.0.1:1/api.php")
    found: dict[str, object] = {
        "where errors are said": (without_address.stdout, without_address.stderr),
        "an unknown argument": run("--unknown").returncode,
        "no controller, exit": nowhere.returncode,
        "no controller": (nowhere.stdout + nowhere.stderr).split('"')[1],
    }
    listed["node-b"] = profile({"profileNumber": 65})
    directory = machine.root / "etc/openvpn/server"
    for old in directory.iterdir():
        old.unlink()
    found["a wrong second profile, exit"] = run().returncode
    found["files when the second profile is wrong"] = sorted(
        path.name for path in directory.iterdir()
    )
    (machine.root / "etc/vpn-server-node/config.php").write_text("<?php return [;\n")
    found["a configuration that is not PHP"] = machine.run(COMMAND).returncode
    return found
