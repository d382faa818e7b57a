"""The text of a client profile (.ovpn), as the portal 2.2.5 hands it out.

No check of the server's name: any server certificate of the CA will do, which is what lets one
name stand for several nodes.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence

from vpn_lib_common.profile import Profile, inline

_SPECIAL = {"udp": (53, 443), "tcp": (80, 443)}


def client_profile(profile: Profile, server: Mapping[str, str], client: Mapping[str, str]) -> str:
    """Return the file's text: CRLF lines, no final newline."""
    return "\r\n".join(
        line for part in _parts(profile, server, client) for line in part.split("\n")
    )


def remotes(profile: Profile) -> list[tuple[str, int]]:
    """Return protocol and port of each remote: at most one of each kind, drawn at random.

    The kinds: ordinary UDP, ordinary TCP, UDP 53 or 443, TCP 80 or 443.
    """
    listed = profile["exposedVpnProtoPorts"] or profile["vpnProtoPorts"]
    offered = [(protocol, int(port)) for protocol, port in (item.split("/") for item in listed)]
    chosen = []
    for special in (False, True):
        for protocol in ("udp", "tcp"):
            chosen += _draw(
                [
                    offer
                    for offer in offered
                    if offer[0] == protocol and (offer[1] in _SPECIAL[protocol]) == special
                ]
            )
    return chosen


def _draw(offers: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    return [secrets.choice(offers)] if offers else []


def _parts(profile: Profile, server: Mapping[str, str], client: Mapping[str, str]) -> Iterator[str]:
    yield "# OpenVPN Client Configuration"
    yield "dev tun"
    yield "client"
    yield "nobind"
    yield "remote-cert-tls server"
    yield "verb 3"
    yield "server-poll-timeout 10"
    yield "ncp-ciphers AES-256-GCM"
    yield "cipher AES-256-GCM"
    yield "reneg-sec 0"
    yield inline("ca", server["ca"])
    if profile.get("tlsOneThree", False):
        yield "tls-version-min 1.3"
    else:
        yield "tls-version-min 1.2"
        yield "tls-cipher TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384"
    yield inline("cert", client["certificate"])
    yield inline("key", client["private_key"])
    if profile["tlsProtection"] == "tls-crypt":
        yield inline("tls-crypt", server["tls_crypt"])
    for protocol, port in remotes(profile):
        yield f"remote {profile.word('hostName')} {port} {protocol}"
