"""The text of an OpenVPN server configuration: one process of one profile.

Directives are sorted by their bytes, after a banner and before the inline files. Where the text
is written to, and where the keys come from, is `server_config`'s part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from pathlib import Path

from vpn_lib_common.profile import Profile, inline, one_word
from vpn_server_node.addresses import Share, interface

_BANNER = """#
# OpenVPN Server Configuration
#
# ******************************************
# * THIS FILE IS GENERATED, DO NOT MODIFY! *
# ******************************************
#
"""
_FIXED = (
    "cipher AES-256-GCM",
    "dev-type tun",
    "dh none",
    "ncp-ciphers AES-256-GCM",
    "persist-key",
    "persist-tun",
    "remote-cert-tls client",
    "reneg-sec 36000",
    "script-security 2",
    "topology subnet",
    "verb 3",
)


@dataclass(frozen=True)
class Process:
    """One OpenVPN process: its profile, its number in it, and what it listens on."""

    profile: Profile
    number: int
    protocol: str
    port: int
    share: Share


@dataclass(frozen=True)
class Surroundings:
    """What all processes of a node have in common."""

    user: str
    group: str
    hooks: Path
    use_daemon: bool


def configuration(process: Process, node: Surroundings, keys: Mapping[str, str]) -> str:
    """Return the whole file, without final newline; ``keys`` is the API's answer."""
    lines = sorted(_directives(process, node), key=str.encode)
    blocks = [("ca", "ca"), ("cert", "certificate"), ("key", "private_key")]
    if process.profile["tlsProtection"] == "tls-crypt":
        blocks.append(("tls-crypt", "tls_crypt"))
    return _BANNER + "\n".join([*lines, *(inline(tag, keys[name]) for tag, name in blocks)])


def _directives(process: Process, node: Surroundings) -> Iterator[str]:
    profile, share = process.profile, process.share
    listener = "127.0.0.1" if node.use_daemon else profile.word("managementIp")
    yield from _FIXED
    yield f"client-connect {node.hooks / 'client-connect'}"
    yield f"client-disconnect {node.hooks / 'client-disconnect'}"
    yield f"dev tun{profile.offset(process.number)}"
    yield f"group {one_word('vpnGroup', node.group)}"
    yield f"local {profile.word('listen')}"
    yield f"management {listener} {profile.management_port(process.number)}"
    yield f"max-clients {share.clients}"
    yield f"port {process.port}"
    yield f"server {share.range4.network_address} {share.range4.netmask}"
    yield f"server-ipv6 {share.range6}"
    yield f"setenv PROFILE_ID {profile.profile_id}"
    yield f"user {one_word('vpnUser', node.user)}"
    if not profile["enableLog"]:
        yield "log /dev/null"
    yield from _transport(process)
    yield from _tls(profile)
    yield from (f'push "{push}"' for push in _pushes(profile, share))
    if profile["clientToClient"]:
        yield "client-to-client"


def _transport(process: Process) -> Iterator[str]:
    family = "6" if ":" in process.profile["listen"] else ""
    if process.protocol == "tcp":
        yield f"proto tcp{family}-server"
        yield "tcp-nodelay"
        return
    yield f"proto udp{family}"
    yield "keepalive 10 60"
    yield "explicit-exit-notify 1"
    yield 'push "explicit-exit-notify 1"'


def _tls(profile: Profile) -> Iterator[str]:
    if profile.get("tlsOneThree", False):
        yield "tls-version-min 1.3"
        return
    yield "tls-version-min 1.2"
    yield "tls-cipher TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384"


def _pushes(profile: Profile, share: Share) -> Iterator[str]:
    if profile["defaultGateway"]:
        yield "redirect-gateway def1 ipv6" + (" block-local" if profile["blockLan"] else "")
        yield "block-outside-dns"
    networks = [interface(profile, "routes", route, ip_interface) for route in profile["routes"]]
    if networks:
        yield "route remote_host 255.255.255.255 net_gateway"
    if profile["clientToClient"]:
        networks += [ip_interface(profile["range"]), ip_interface(profile["range6"])]
    yield from map(_route, networks)
    gateways = {"@GW4@": share.gateway4, "@GW6@": share.gateway6}
    yield from (
        f"dhcp-option DNS {gateways.get(server, server)}" for server in profile.words("dns")
    )
    yield from (f"dhcp-option DOMAIN {domain}" for domain in profile.words("dnsSuffix"))


def _route(network: IPv4Interface | IPv6Interface) -> str:
    """Return a route to the network, by the address that it was written with."""
    if network.version == 4:
        return f"route {network.ip} {network.netmask}"
    return f"route-ipv6 {network}"
