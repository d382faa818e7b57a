"""Who is connected, asked of the nodes' vpn-daemon, and how a client is disconnected.

Without ``useVpnDaemon`` nobody is asked and every profile is empty: management ports of other
machines are not this drop-in's part. A daemon that cannot be asked is a warning in the system's
log, and its profile is empty.
"""

from __future__ import annotations

import syslog
from typing import Any

from vpn_lib_common.profile import Profile
from vpn_server_api.controller import Controller
from vpn_server_api.daemon import Client, DaemonError, DaemonSession


def connections(controller: Controller) -> dict[str, list[dict[str, Any]]]:
    """Return every profile's clients, with whose they are; unknown names are left out."""
    found: dict[str, list[dict[str, Any]]] = {}
    for profile_id, profile in controller.profiles().items():
        clients = _clients(controller, profile) if controller.config.get("useVpnDaemon") else []
        found[profile_id] = [entry for client in clients for entry in _known(controller, client)]
    return found


def kill(controller: Controller, common_name: str) -> None:
    """End the client's connections, wherever they are."""
    if not controller.config.get("useVpnDaemon"):
        return
    ports: dict[str, list[int]] = {}
    for profile in controller.profiles().values():
        ports.setdefault(profile["managementIp"], []).extend(profile.management_ports())
    for address, numbers in ports.items():
        try:
            with DaemonSession.open(address, controller.daemon_directory) as session:
                session.set_ports(numbers)
                session.disconnect(common_name)
        except DaemonError as error:
            _warn(address, numbers, error)


def _clients(controller: Controller, profile: Profile) -> list[Client]:
    address, ports = profile["managementIp"], profile.management_ports()
    try:
        with DaemonSession.open(address, controller.daemon_directory) as session:
            session.set_ports(ports)
            return session.clients()
    except DaemonError as error:
        _warn(address, ports, error)
        return []


def _known(controller: Controller, client: Client) -> list[dict[str, Any]]:
    with controller.storage() as storage:
        row = storage.certificate(client.common_name)
    if row is None:
        syslog.syslog(syslog.LOG_WARNING, f'"common_name "{client.common_name}" not found')
        return []
    keys = ("user_id", "user_is_disabled", "display_name", "valid_from", "valid_to", "client_id")
    return [
        {
            "common_name": client.common_name,
            "virtual_address": [client.ip4, client.ip6],
            **{key: row[key] for key in keys},
        }
    ]


def _warn(address: str, ports: list[int], error: DaemonError) -> None:
    numbers = ",".join(map(str, ports))
    syslog.syslog(syslog.LOG_WARNING, f"DAEMON {address} [{numbers}]: {error}")
