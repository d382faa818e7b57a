"""Client profiles: user-locked (password asked) and auto-login (certificate alone)."""

from __future__ import annotations

from openvpnas import certificates
from openvpnas.certificate_store import CertificateStore
from openvpnas.config import Config
from openvpnas.errors import AccessServerError
from openvpnas.users import AUTOLOGIN_SUFFIX, Users, check_name


def user_login(user: str, config: Config, users: Users, store: CertificateStore) -> str:
    """Give the user-locked profile of a user."""
    _known(user, users)
    return _profile(user, config, store, ["auth-user-pass"])


def auto_login(user: str, config: Config, users: Users, store: CertificateStore) -> str:
    """Give the auto-login profile; AccessServerError unless `prop_autologin` allows it."""
    _known(user, users)
    if not users.has(user, "prop_autologin"):
        raise AccessServerError(f"user {user!r} has no prop_autologin=true")
    return _profile(user + AUTOLOGIN_SUFFIX, config, store, [])


def _known(user: str, users: Users) -> None:
    if not users.properties(check_name(user)):
        raise AccessServerError(f"there is no user {user!r}: set a property or a password first")


def _profile(common_name: str, config: Config, store: CertificateStore, extra: list[str]) -> str:
    values = config.all()
    host = values.get("host.name", "")
    if not host:
        raise AccessServerError("host.name is not set: clients would not know where to connect")
    issued = store.valid(common_name) or certificates.issue(store, common_name)
    lines = [
        f"# OVPN_ACCESS_SERVER_PROFILE={common_name}@{host}",
        "client",
        "dev tun",
        "nobind",
        "persist-tun",
        "persist-key",
        f"remote {host} {values['vpn.server.daemon.udp.port']} udp",
        f"remote {host} {values['vpn.server.daemon.tcp.port']} tcp",
        "server-poll-timeout 4",
        "remote-cert-tls server",
        "data-ciphers AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305",
        "auth SHA256",
        "verb 3",
        *extra,
        *values["vpn.client.config_text"].splitlines(),
    ]
    blocks = {
        "ca": store.secret("ca.crt"),
        "cert": issued.certificate,
        "key": issued.private_key,
        "tls-crypt": store.secret("tls-crypt.key"),
    }
    inline = [f"<{tag}>\n{text.strip()}\n</{tag}>" for tag, text in blocks.items()]
    return "\n".join([*lines, *inline]) + "\n"
