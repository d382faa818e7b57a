"""Where everything lies on a node; the only module that knows.

OPENVPN_AS_ROOT moves the whole tree below another directory, so that the programs can be tried
without touching the machine. Nothing here creates or reads a file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ROOT_VARIABLE = "OPENVPN_AS_ROOT"


@dataclass(frozen=True)
class Paths:
    """The paths of one node below `root` ("/" on a real machine)."""

    root: Path = Path("/")

    @classmethod
    def here(cls) -> Paths:
        """Give the paths of this machine, or of the tree that OPENVPN_AS_ROOT names."""
        return cls(Path(os.environ.get(ROOT_VARIABLE) or "/"))

    @property
    def is_machine(self) -> bool:
        """Whether this is the machine itself: only then is systemd asked for anything."""
        return self.root == Path("/")

    @property
    def home(self) -> Path:
        """The installation directory."""
        return self.root / "usr/local/openvpn_as"

    @property
    def libexec(self) -> Path:
        """Programs that OpenVPN, the heartbeat and the partner start."""
        return self.home / "libexec"

    @property
    def etc(self) -> Path:
        """All that a node keeps over a reboot."""
        return self.home / "etc"

    @property
    def databases(self) -> Path:
        """The live configuration: databases and the session log."""
        return self.etc / "db"

    @property
    def config_db(self) -> Path:
        """Configuration keys."""
        return self.databases / "config.db"

    @property
    def users_db(self) -> Path:
        """User properties and one-time passwords."""
        return self.databases / "userprop.db"

    @property
    def certificates_db(self) -> Path:
        """The authority, issued certificates and the secrets that a pair shares."""
        return self.databases / "certs.db"

    @property
    def sessions(self) -> Path:
        """Connects and disconnects, a line each."""
        return self.databases / "sessions.log"

    @property
    def staging(self) -> Path:
        """A shelf: what the active node sent; loaded at takeover only."""
        return self.etc / "staging"

    @property
    def outgoing(self) -> Path:
        """A shelf: the last snapshot that this node made for its partner."""
        return self.etc / "outgoing"

    @property
    def role_file(self) -> Path:
        """Says "primary" or "secondary"; belongs to the node and is never sent."""
        return self.etc / "node-role"

    @property
    def runtime(self) -> Path:
        """State of the running service (tmpfs)."""
        return self.root / "run/openvpnas"

    @property
    def rendered(self) -> Path:
        """Configuration files and keys as OpenVPN and the heartbeat read them."""
        return self.runtime / "config"

    @property
    def state_file(self) -> Path:
        """Role and services of the running node, as JSON."""
        return self.runtime / "state.json"

    @property
    def sync_file(self) -> Path:
        """Result of the last sync to the partner, as JSON."""
        return self.runtime / "sync.json"

    @property
    def control_socket(self) -> Path:
        """Where this node's own programs ask the running service; see `control`."""
        return self.runtime / "control/socket"

    @property
    def virtual_ip_file(self) -> Path:
        """`INTERFACE ADDRESS`, for the programs that add and remove the virtual IP."""
        return self.runtime / "virtual-ip"

    @property
    def notify_fifo(self) -> Path:
        """Where keepalived reports its state."""
        return self.runtime / "notify"

    @property
    def failover_log(self) -> Path:
        """`openvpnas.log`: in failover mode failover events only."""
        return self.root / "var/log/openvpnas.log"

    @property
    def node_log(self) -> Path:
        """`openvpnas-node.log`: in failover mode everything else."""
        return self.root / "var/log/openvpnas-node.log"
