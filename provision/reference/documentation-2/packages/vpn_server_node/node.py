"""The node's files, wherever its distribution puts them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Node:
    """The node installed under ``root`` (``/`` on a machine)."""

    root: Path

    @property
    def config_file(self) -> Path:
        """The PHP file that names the controller and the profiles to deploy."""
        return self.root / "etc/vpn-server-node/config.php"

    @property
    def firewall_file(self) -> Path:
        """The PHP file that says what may reach the node, and whose clients it speaks for."""
        return self.root / "etc/vpn-server-node/firewall.php"

    @property
    def kept(self) -> Path:
        """What the hooks need of that file, as curl reads it."""
        return self.root / "etc/vpn-server-node/hooks"

    @property
    def openvpn_directory(self) -> Path:
        """Where openvpn-server@ looks for its configurations."""
        return self.root / "etc/openvpn/server"

    @property
    def hooks(self) -> Path:
        """Where client-connect and client-disconnect are: Debian has no libexec."""
        debian = self.root / "usr/lib/vpn-server-node"
        return debian if debian.is_dir() else self.root / "usr/libexec/vpn-server-node"
