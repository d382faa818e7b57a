"""The files that OpenVPN and the web service read, made from the databases.

They lie on a tmpfs and are made anew at every start and takeover, so that what runs is what the
databases say.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping

from openvpnas import keys
from openvpnas.certificate_store import SERVER_NAME, WEB_NAME, CertificateStore
from openvpnas.config import Config
from openvpnas.paths import Paths
from openvpnas.users import Users, check_name
from openvpnas.whole_file import write_whole

DAEMONS = ("udp", "tcp")


def render(paths: Paths, node_log: str) -> None:
    """Write every file; NotInitialised without an authority, InvalidValue of what cannot be."""
    store = CertificateStore.at(paths)
    values = Config.at(paths).all()
    keys.check_all(values)
    paths.rendered.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = {name: store.secret(name) for name in ("ca.crt", "tls-crypt.key", "auth-token.key")}
    for stem, name in (("server", SERVER_NAME), ("web", WEB_NAME)):
        issued = store.valid(name) or store.valid(SERVER_NAME)
        if issued is not None:
            files[f"{stem}.crt"] = issued.certificate
            files[f"{stem}.key"] = issued.private_key
    for daemon in DAEMONS:
        files[f"openvpn-{daemon}.conf"] = server_config(daemon, values, paths, node_log)
    for name, content in files.items():
        write_whole(paths.rendered / name, content)
    render_refusals(paths)


def render_refusals(paths: Paths) -> None:
    """Write who may not connect: OpenVPN reads both files anew at every connect."""
    if not paths.rendered.is_dir():
        return
    write_whole(paths.rendered / "crl.pem", CertificateStore.at(paths).secret("crl.pem"))
    denied = "".join(f"{check_name(name)}\n" for name in Users.at(paths).denied())
    write_whole(paths.rendered / "denied", denied)


def server_config(daemon: str, values: Mapping[str, str], paths: Paths, node_log: str) -> str:
    """Give the OpenVPN server configuration of one daemon, "udp" or "tcp"."""
    network = _tunnel_network(daemon, values)
    ping, restart = values["vpn.server.ping"], values["vpn.server.ping_restart"]
    lines = [
        f"dev as0t{DAEMONS.index(daemon)}",
        "dev-type tun",
        "topology subnet",
        f"server {network.network_address} {network.netmask}",
        *(_udp(values) if daemon == "udp" else _tcp(values)),
        f"cd {paths.rendered}",
        "ca ca.crt",
        "cert server.crt",
        "key server.key",
        "dh none",
        "tls-crypt tls-crypt.key",
        "tls-version-min 1.2",
        "crl-verify crl.pem",
        "data-ciphers AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305",
        "auth SHA256",
        "duplicate-cn",
        "auth-user-pass-optional",
        f'auth-user-pass-verify "{paths.libexec}/verify-user {paths.users_db} {node_log}" via-file',
        # no renewal time: OpenVPN 2.5 refuses one, and reneg-sec's is the default
        f"auth-gen-token {values['vpn.server.session_expire']}",
        "auth-gen-token-secret auth-token.key",
        f"reneg-sec {int(values['vpn.tls_refresh.interval']) * 60}",
        "script-security 2",
        f'client-connect "{paths.libexec}/session {paths.sessions} {paths.rendered}/denied"',
        f'client-disconnect "{paths.libexec}/session {paths.sessions} {paths.rendered}/denied"',
        f"ping {ping}",
        f"ping-restart {restart}",
        f'push "ping {ping}"',
        f'push "ping-restart {restart}"',
        'push "route-metric 101"',
        "persist-tun",
        "persist-key",
        "verb 3",
        "suppress-timestamps",
        *values["vpn.server.config_text"].splitlines(),
    ]
    return "\n".join(lines) + "\n"


def _udp(values: Mapping[str, str]) -> list[str]:
    lines = [
        f"port {values['vpn.server.daemon.udp.port']}",
        "proto udp4",
        # bound to every address: answers must leave from the one that was asked, the virtual IP
        "multihome",
        'push "explicit-exit-notify"',
    ]
    if values["vpn.server.udp_exit_notify"] == "true":
        lines.append("explicit-exit-notify 1")
    return lines


def _tcp(values: Mapping[str, str]) -> list[str]:
    lines = [f"port {values['vpn.server.daemon.tcp.port']}", "proto tcp4-server"]
    if values["vpn.server.port_share.enable"] == "true":
        address, port = (values[f"vpn.server.port_share.{part}"] for part in ("ip_address", "port"))
        lines.append(f"port-share {address} {port}")
    return lines


def _tunnel_network(daemon: str, values: Mapping[str, str]) -> ipaddress.IPv4Network:
    whole = ipaddress.IPv4Network(
        (
            values["vpn.daemon.0.client.network"],
            int(values["vpn.daemon.0.client.netmask_bits"]),
        ),
        strict=False,
    )
    return list(whole.subnets(prefixlen_diff=1))[DAEMONS.index(daemon)]


def openvpn_command(paths: Paths, daemon: str) -> list[str]:
    """Give the command line of one OpenVPN daemon; it stays in the foreground."""
    return ["openvpn", "--config", os.fspath(paths.rendered / f"openvpn-{daemon}.conf")]
