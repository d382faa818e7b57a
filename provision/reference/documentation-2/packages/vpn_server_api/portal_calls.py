"""What the portal calls for its users: certificates, connections, accounts.

Messages, statistics and one-time passwords are not here (see the README).
"""

from __future__ import annotations

import json
import secrets

from vpn_server_api.answers import PORTAL, Answer, Call, Done, Refused
from vpn_server_api.certificates import ca_certificate, client_credential, tls_crypt_key
from vpn_server_api.connections import connections, kill
from vpn_server_api.controller import Controller
from vpn_server_api.parameters import Parameters
from vpn_server_api.storage import atom


def _server_info(controller: Controller, parameters: Parameters) -> Answer:
    profile_id = parameters.profile_id()
    key = tls_crypt_key(controller, profile_id, create=False)
    return Done({"tls_crypt": key, "ca": ca_certificate(controller)})


def _add_client_certificate(controller: Controller, parameters: Parameters) -> Answer:
    user_id = parameters.user_id()
    display_name = parameters.display_name()
    client_id = parameters.client_id()
    expires_at = parameters.moment("expires_at")
    name = secrets.token_hex(16)
    credential = client_credential(controller, name, expires_at)
    valid = (credential.valid_from, credential.valid_to)
    with controller.storage() as storage:
        storage.add_certificate(name, user_id, display_name, valid, client_id)
    return Done(credential.complete(), status=201)


def _delete_client_certificate(controller: Controller, parameters: Parameters) -> Answer:
    name = parameters.common_name()
    with controller.storage() as storage:
        if storage.certificate(name) is None:
            return Refused("certificate does not exist")
        storage.delete_certificate(name)
    return Done()


_LISTED = ("common_name", "display_name", "valid_from", "valid_to", "client_id")
_SHOWN = ("user_id", "user_is_disabled", "display_name", "valid_from", "valid_to", "client_id")


def _client_certificate_list(controller: Controller, parameters: Parameters) -> Answer:
    with controller.storage() as storage:
        rows = storage.certificates_of(parameters.user_id())
    return Done([{key: row[key] for key in _LISTED} for row in rows])


def _client_certificate_info(controller: Controller, parameters: Parameters) -> Answer:
    with controller.storage() as storage:
        row = storage.certificate(parameters.common_name())
    return Done({key: row[key] for key in _SHOWN} if row else False)


def _client_connections(controller: Controller, parameters: Parameters) -> Answer:
    wanted = {"user_id": parameters.user_id()} if "user_id" in parameters else {}
    if (client_id := parameters.client_id()) is not None:
        wanted["client_id"] = client_id
    found = connections(controller)
    return Done(
        {
            profile_id: [
                client
                for client in clients
                if all(client[name] == value for name, value in wanted.items())
            ]
            for profile_id, clients in found.items()
        }
    )


def _kill_client(controller: Controller, parameters: Parameters) -> Answer:
    kill(controller, parameters.common_name())
    return Done()


def _log(controller: Controller, parameters: Parameters) -> Answer:
    at = atom(parameters.moment("date_time", "%Y-%m-%d %H:%M:%S"))
    address = parameters.ip("ip_address")
    with controller.storage() as storage:
        row = storage.log_entry(at, address)
    return Done(dict(row) if row else False)


def _user_list(controller: Controller, _: Parameters) -> Answer:
    with controller.storage() as storage:
        rows = storage.users()
    return Done(
        [
            {
                "user_id": row["user_id"],
                "is_disabled": bool(row["is_disabled"]),
                "has_totp_secret": False,
                "session_expires_at": row["session_expires_at"],
                "permission_list": json.loads(row["permission_list"]),
            }
            for row in rows
        ]
    )


def _is_disabled_user(controller: Controller, parameters: Parameters) -> Answer:
    with controller.storage() as storage:
        return Done(bool(storage.user(parameters.user_id())["is_disabled"]))


def _user_session_expires_at(controller: Controller, parameters: Parameters) -> Answer:
    with controller.storage() as storage:
        return Done(storage.user(parameters.user_id())["session_expires_at"])


def _user_permission_list(controller: Controller, parameters: Parameters) -> Answer:
    with controller.storage() as storage:
        return Done(json.loads(storage.user(parameters.user_id())["permission_list"]))


def _disable_user(controller: Controller, parameters: Parameters) -> Answer:
    with controller.storage() as storage:
        storage.set_disabled(parameters.user_id(), True)
    return Done()


def _enable_user(controller: Controller, parameters: Parameters) -> Answer:
    with controller.storage() as storage:
        storage.set_disabled(parameters.user_id(), False)
    return Done()


def _user_update_session_info(controller: Controller, parameters: Parameters) -> Answer:
    user_id = parameters.user_id()
    permissions = parameters.permissions()
    # With the zone it came with, as the genuine one keeps it.
    expires_at = parameters.moment("session_expires_at").isoformat()
    with controller.storage() as storage:
        storage.set_session(user_id, expires_at, permissions)
    return Done()


CALLS = {
    "server_info": Call("GET", (PORTAL,), _server_info),
    "add_client_certificate": Call("POST", (PORTAL,), _add_client_certificate),
    "delete_client_certificate": Call("POST", (PORTAL,), _delete_client_certificate),
    "client_certificate_list": Call("GET", (PORTAL,), _client_certificate_list),
    "client_certificate_info": Call("GET", (PORTAL,), _client_certificate_info),
    "client_connections": Call("GET", (PORTAL,), _client_connections),
    "kill_client": Call("POST", (PORTAL,), _kill_client),
    "log": Call("GET", (PORTAL,), _log),
    "user_list": Call("GET", (PORTAL,), _user_list),
    "is_disabled_user": Call("GET", (PORTAL,), _is_disabled_user),
    "user_session_expires_at": Call("GET", (PORTAL,), _user_session_expires_at),
    "user_permission_list": Call("GET", (PORTAL,), _user_permission_list),
    "disable_user": Call("POST", (PORTAL,), _disable_user),
    "enable_user": Call("POST", (PORTAL,), _enable_user),
    "user_update_session_info": Call("POST", (PORTAL,), _user_update_session_info),
}
