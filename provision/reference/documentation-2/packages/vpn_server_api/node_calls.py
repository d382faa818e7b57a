"""What nodes call: the profiles, their server certificate, and who comes and goes."""

from __future__ import annotations

import json
import sqlite3

from vpn_lib_common.profile import Profile
from vpn_server_api.answers import NODE, PORTAL, Answer, Call, Done, Refused
from vpn_server_api.certificates import ca_certificate, server_credential, tls_crypt_key
from vpn_server_api.controller import Controller
from vpn_server_api.parameters import Parameters
from vpn_server_api.storage import Lease, atom_of_unix


def _profile_list(controller: Controller, _: Parameters) -> Answer:
    profiles = controller.profiles()
    return Done({name: profile.complete() for name, profile in profiles.items()})


def _add_server_certificate(controller: Controller, parameters: Parameters) -> Answer:
    profile_id = parameters.profile_id()
    name = parameters.server_common_name()
    # The keys first: when they cannot be read, no certificate is issued for nothing.
    key = tls_crypt_key(controller, profile_id, create=True)
    ca = ca_certificate(controller)
    credential = server_credential(controller, name)
    return Done({**credential.complete(), "tls_crypt": key, "ca": ca}, status=201)


def _connect(controller: Controller, parameters: Parameters) -> Answer:
    lease = _lease(parameters)
    with controller.storage() as storage:
        certificate = storage.certificate(lease.common_name)
        if certificate is None:
            return Refused("user or certificate does not exist")
        if certificate["user_is_disabled"]:
            return Refused("[VPN] unable to connect, account is disabled")
        if not _allowed(controller.profile(lease.profile_id), certificate):
            return Refused("[VPN] unable to connect, user does not have required permissions")
        storage.log_connect(certificate["user_id"], lease)
    return Done()


def _disconnect(controller: Controller, parameters: Parameters) -> Answer:
    lease = _lease(parameters)
    disconnected_at = atom_of_unix(parameters.unix_time("disconnected_at"))
    transferred = parameters.number("bytes_transferred")
    with controller.storage() as storage:
        storage.log_disconnect(lease, disconnected_at, transferred)
    return Done()


def _lease(parameters: Parameters) -> Lease:
    return Lease(
        parameters.profile_id(),
        parameters.common_name(),
        parameters.ip4(),
        parameters.ip6(),
        atom_of_unix(parameters.unix_time("connected_at")),
    )


def _allowed(profile: Profile, certificate: sqlite3.Row) -> bool:
    if not profile["enableAcl"]:
        return True
    wanted = set(profile["aclPermissionList"])
    return bool(wanted.intersection(json.loads(certificate["permission_list"])))


CALLS = {
    "profile_list": Call("GET", (PORTAL, NODE), _profile_list),
    "add_server_certificate": Call("POST", (NODE,), _add_server_certificate),
    "connect": Call("POST", (NODE,), _connect),
    "disconnect": Call("POST", (NODE,), _disconnect),
}
