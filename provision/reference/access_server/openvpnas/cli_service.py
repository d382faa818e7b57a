"""The programs that systemd and the partner start: the service, accept-snapshot, node-state."""

from __future__ import annotations

import json
import sys

from openvpnas import node_role, snapshot, status
from openvpnas.errors import AccessServerError, SnapshotRefused
from openvpnas.heartbeat import MASTER
from openvpnas.paths import Paths


def service() -> int:
    """Run the service until it is told to stop."""
    from openvpnas.shell import LocalShell
    from openvpnas.supervisor import Supervisor

    try:
        return Supervisor(Paths.here(), LocalShell()).run()
    except AccessServerError as error:
        print(f"openvpnas: {error}", file=sys.stderr)
        return 1


def accept_snapshot() -> int:
    """Accept what the partner has sent; prints its id.

    Refused while this node is active itself: then both are, and what the other one made of its
    older data must not replace this node's at its next restart.
    """
    paths = Paths.here()
    try:
        if status.service_state(paths).get("state") == MASTER:
            raise SnapshotRefused("this node is active itself: nothing is staged here")
        print(snapshot.accept(paths).id)
    except (AccessServerError, OSError) as error:
        print(f"accept-snapshot: {error}", file=sys.stderr)
        return 1
    return 0


def node_state() -> int:
    """Print role and what the node holds, as JSON."""
    print(json.dumps(node_role.node_state(Paths.here())))
    return 0
