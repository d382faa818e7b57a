"""The controller's files, and what one request or command works with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpn_lib_common import php_config
from vpn_lib_common.profile import Profile, profile, profiles
from vpn_server_api.storage import Storage


@dataclass(frozen=True)
class Controller:
    """The controller installed under ``root`` (``/`` on a machine)."""

    root: Path

    @property
    def config_file(self) -> Path:
        """The PHP file with profiles and API consumers."""
        return self.root / "etc/vpn-server-api/config.php"

    @property
    def daemon_directory(self) -> Path:
        """The client certificate for vpn-daemon, its key, and the CA's certificate."""
        return self.root / "etc/vpn-server-api/vpn-daemon"

    @property
    def data_directory(self) -> Path:
        """What the API itself writes; the web server's user owns it.

        Below /var/lib; named by the link to it, as in the genuine one's messages.
        """
        return self.root / "usr/share/vpn-server-api/data"

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.data_directory / "db.sqlite"

    @property
    def ca_directory(self) -> Path:
        """The directory vpn-ca works in."""
        return self.data_directory / "ca"

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration as it stands now."""
        return php_config.read(self.config_file)

    @property
    def ca_program(self) -> str:
        """The vpn-ca to run."""
        return str(self.config.get("vpnCaPath", self.root / "usr/bin/vpn-ca"))

    def profiles(self) -> dict[str, Profile]:
        """Return all profiles by id."""
        return profiles(self.config)

    def profile(self, profile_id: str) -> Profile:
        """Return one profile; ProfileError when there is none of that id."""
        return profile(self.config, profile_id)

    @contextmanager
    def storage(self) -> Iterator[Storage]:
        """Open the database; everything done with it is one transaction."""
        with Storage.open(self.database) as storage:
            yield storage
