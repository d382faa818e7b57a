"""The commands of the controller: init, status, housekeeping, update-ip, update-api-secrets."""

from __future__ import annotations

import argparse
import ipaddress
import json
import secrets
import sqlite3
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from vpn_lib_common import php_config
from vpn_lib_common.command import CommandError, finish
from vpn_lib_common.installation import ROOT
from vpn_lib_common.profile import Profile, profile
from vpn_server_api.controller import Controller
from vpn_server_api.storage import Storage, atom

_LOG_KEPT = timedelta(days=32)
_CERTIFICATES_KEPT = timedelta(days=7)
_DAEMONLESS_ALERT = 90
_QUAD9 = ["9.9.9.9", "2620:fe::fe"]


def init() -> int:
    """``vpn-server-api-init``: make the CA and the database; run it as the web server's user."""
    argparse.ArgumentParser(prog="vpn-server-api-init").parse_args()
    return finish(lambda: _init(Controller(ROOT)))


def housekeeping() -> int:
    """``vpn-server-api-housekeeping``: drop old log rows and expired certificates."""
    argparse.ArgumentParser(prog="vpn-server-api-housekeeping").parse_args()
    return finish(lambda: _housekeeping(Controller(ROOT)))


def update_ip() -> int:
    """``vpn-server-api-update-ip``: give a profile a host name, random ranges and resolvers."""
    parser = argparse.ArgumentParser(prog="vpn-server-api-update-ip")
    parser.add_argument("--profile", required=True)
    parser.add_argument("--host", required=True)
    arguments = parser.parse_args()
    return finish(lambda: _update_ip(Controller(ROOT), arguments.profile, arguments.host))


def update_api_secrets() -> int:
    """``vpn-server-api-update-api-secrets``: new secrets for the API and who calls it."""
    parser = argparse.ArgumentParser(prog="vpn-server-api-update-api-secrets")
    parser.add_argument("--prefix", type=Path, default=ROOT / "usr/share")
    arguments = parser.parse_args()
    return finish(lambda: _update_api_secrets(arguments.prefix))


def status() -> int:
    """``vpn-server-api-status``: how many clients each profile has."""
    parser = argparse.ArgumentParser(prog="vpn-server-api-status")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--connections", action="store_true")
    parser.add_argument("--alert", nargs="?", type=int, const=90, metavar="PCT")
    arguments = parser.parse_args()
    return finish(lambda: _status(Controller(ROOT), arguments))


def _init(controller: Controller) -> None:
    from vpn_server_api.certificates import CertificateError, initialise_ca

    try:
        initialise_ca(controller)
        with Storage.open(controller.database, create=True) as storage:
            storage.create_schema()
        controller.database.chmod(0o600)
    except sqlite3.OperationalError as error:
        raise CommandError(f"SQLSTATE[HY000]: General error: 1 {error}") from None
    except CertificateError as error:
        raise CommandError(str(error)) from None


def _housekeeping(controller: Controller) -> None:
    now = datetime.now(timezone.utc)
    with controller.storage() as storage:
        storage.clean(
            log_before=atom(now - _LOG_KEPT), certificates_before=atom(now - _CERTIFICATES_KEPT)
        )


def _update_ip(controller: Controller, profile_id: str, host: str) -> None:
    config = php_config.read(controller.config_file)
    options = dict(profile(config, profile_id).options)
    range4 = f"10.{secrets.randbelow(256)}.{secrets.randbelow(256)}.0/25"
    words = [secrets.randbits(16) for _ in range(3)]
    range6 = f"{ipaddress.IPv6Address(_unique_local(words))}/64"
    resolvers = _resolvers(controller.root) or _QUAD9
    options.update(hostName=host, range=range4, range6=range6, dns=resolvers)
    changed = {**config, "vpnProfiles": {**config["vpnProfiles"], profile_id: options}}
    php_config.write(controller.config_file, changed)
    sys.stdout.write(f"IPv4 CIDR  : {range4}\n")
    sys.stdout.write(f"IPv6 prefix: {range6}\n")
    sys.stdout.write(f"DNS        : {', '.join(resolvers)}\n")


def _unique_local(words: list[int]) -> int:
    first = 0xFD00 | words[0] & 0xFF
    return first << 112 | words[1] << 96 | words[2] << 80 | secrets.randbits(16) << 64


def _resolvers(root: Path) -> list[str]:
    try:
        lines = (root / "etc/resolv.conf").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    found = [line.strip()[11:].strip() for line in lines if line.strip().startswith("nameserver ")]
    return [address for address in found if not address.startswith(("127.", "::1"))]


def _update_api_secrets(prefix: Path) -> None:
    new = {name: secrets.token_hex(16) for name in ("vpn-user-portal", "vpn-server-node")}
    api = prefix / "vpn-server-api/config/config.php"
    config = php_config.read(api)
    consumers = {**dict(config.get("apiConsumers", {})), **new}
    php_config.write(api, {**config, "apiConsumers": consumers})
    for name, secret in new.items():
        path = prefix / name / "config/config.php"
        if path.exists():
            php_config.write(path, {**php_config.read(path), "apiPass": secret})


def _status(controller: Controller, arguments: argparse.Namespace) -> None:
    from vpn_server_api.connections import connections

    clients = connections(controller)
    listed = arguments.connections and arguments.json and controller.config.get("useVpnDaemon")
    rows = []
    for profile_id, section in controller.profiles().items():
        row = _usage(section, len(clients[profile_id]))
        if listed:
            row["connection_list"] = [
                {key: client[key] for key in ("user_id", "virtual_address")}
                for client in clients[profile_id]
            ]
        rows.append(row)
    if arguments.alert is not None:
        daemon = controller.config.get("useVpnDaemon")
        limit = arguments.alert if daemon else _DAEMONLESS_ALERT
        rows = [row for row in rows if row["percentage_in_use"] >= limit]
    sys.stdout.write(json.dumps(rows, indent=4) if arguments.json else _table(rows))


def _usage(profile: Profile, active: int) -> dict[str, Any]:
    # Of each process' part of the range three addresses are no client's.
    addresses = ipaddress.IPv4Network(profile["range"], strict=False).num_addresses
    most = addresses - 3 * len(profile["vpnProtoPorts"])
    return {
        "profile_id": profile.profile_id,
        "active_connection_count": active,
        "max_connection_count": most,
        "percentage_in_use": active * 100 // most,
    }


def _table(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return ""
    lines = [",".join(rows[0])] + [",".join(map(str, row.values())) for row in rows]
    return "\n".join(lines) + "\n"
