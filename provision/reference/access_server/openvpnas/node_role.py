"""What a node is and holds: asked by its own programs, and by its partner's Validate."""

from __future__ import annotations

from openvpnas.certificate_store import CertificateStore
from openvpnas.paths import Paths


def role(paths: Paths) -> str:
    """Give the role ovpn-init gave this node: "primary", "secondary" or ""."""
    return paths.role_file.read_text().strip() if paths.role_file.exists() else ""


def holds_data(paths: Paths) -> bool:
    """Whether a wipe would lose anything."""
    return paths.databases.exists() or paths.staging.exists()


def node_state(paths: Paths) -> dict[str, object]:
    """Give what the partner asks for: role, whether there is a live configuration, and whose."""
    store = CertificateStore.at(paths)
    holds = store.database.exists
    return {
        "role": role(paths),
        "holds_data": holds,
        "pair_id": store.pair_id() if holds else "",
    }
