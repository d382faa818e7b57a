"""What ovpn-init does: wipe a node, and set it up as a primary or as an empty standby."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass

from openvpnas.certificate_store import CertificateStore
from openvpnas.config import Config
from openvpnas.pair import PRIMARY, SECONDARY
from openvpnas.paths import Paths
from openvpnas.users import Users
from openvpnas.whole_file import write_whole

ADMINISTRATOR = "openvpn"


@dataclass(frozen=True)
class Administrator:
    """The first user of a primary node, shown once."""

    name: str
    password: str


def wipe(paths: Paths) -> None:
    """Remove configuration, users, certificates, staged data and the node's role.

    Copies first: cut in the middle, nothing old must be taken for a load to be finished.
    """
    paths.role_file.unlink(missing_ok=True)
    for directory in (
        *sorted(paths.etc.glob("db.*")),
        paths.staging,
        paths.outgoing,
        paths.rendered,
        paths.databases,
    ):
        shutil.rmtree(directory, ignore_errors=True)


def make_primary(paths: Paths, host: str) -> Administrator:
    """Set up an empty node as a primary, known to clients as `host`."""
    from openvpnas import certificates  # here: a standby needs none, and it loads slowly

    config, users, store = Config.at(paths), Users.at(paths), CertificateStore.at(paths)
    for database in (config.database, users.database, store.database):
        database.create()
    certificates.make_authority(store)
    certificates.ensure_web_certificate(store, (host,))
    config.put({"host.name": host})
    administrator = Administrator(ADMINISTRATOR, secrets.token_urlsafe(9))
    users.set_password(administrator.name, administrator.password)
    users.put(administrator.name, "prop_superuser", "true")
    write_whole(paths.role_file, PRIMARY + "\n", 0o644)
    return administrator


def make_secondary(paths: Paths) -> None:
    """Set up an empty node as a standby: it has nothing of its own until it takes over."""
    paths.etc.mkdir(parents=True, exist_ok=True)
    write_whole(paths.role_file, SECONDARY + "\n", 0o644)
