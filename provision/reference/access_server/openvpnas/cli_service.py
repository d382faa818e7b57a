"""The programs that systemd and the partner start: the service, accept-snapshot, node-state."""

from __future__ import annotations

import json
import sys

from openvpnas import node_role, snapshot, status
from openvpnas.errors import REFUSALS, AccessServerError, SnapshotRefused
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


def accept(paths: Paths) -> tuple[int, str]:
    """Accept what the partner has sent; gives 0 and its id, or 1 and a complaint.

    Refused while this node is active itself: then both are, and what the other one made of its
    older data must not replace this node's at its next restart.
    """
    try:
        if status.service_state(paths).get("state") == MASTER:
            raise SnapshotRefused("this node is active itself: nothing is staged here")
        return 0, f"{snapshot.accept(paths).id}\n"
    except REFUSALS as error:
        return 1, f"accept-snapshot: {error}\n"


def accept_snapshot() -> int:
    """Accept what the partner has sent; prints its id."""
    code, text = accept(Paths.here())
    print(text, end="", file=sys.stderr if code else sys.stdout)
    return code


def node_state() -> int:
    """Print role and what the node holds, as JSON."""
    print(json.dumps(node_role.node_state(Paths.here())))
    return 0
