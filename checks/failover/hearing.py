"""A role that moves because a busy host kept the nodes from hearing each other: no verdict.

A standby acts when it has heard nothing for its dead time. So it does where the host kept the
active node from advertising for so long, or itself from hearing.
"""

from __future__ import annotations

from collections.abc import Collection

from checks.engine.lateness import explain
from checks.failover.recorded import Recorded
from checks.protocols.heartbeat import Heartbeat
from evidence.moment import NS


def unheard(recorded: Recorded, at_ns: int, whose: Collection[str] = ()) -> str | None:
    """Say what kept a node from hearing the other for so long that it acted at a moment, or None.

    whose: who may have been kept from running; both nodes, and the wire, unless it is said.
    """
    nodes = recorded.pair.nodes
    quiet_s = min(node.engine.fault_to_takeover().minimum_s for node in nodes.values())
    span = at_ns - int(recorded.pair.dead_s * NS), at_ns
    return explain(max(quiet_s, 1 / NS), span, whose or {*nodes, "wire"}, recorded.lateness)


def moved_late(recorded: Recorded, sent: Heartbeat) -> str | None:
    """Say what kept a node from hearing the other until it advertised first, or None.

    sent: its advertisements of the pair; those of another group are no matter of hearing.
    """
    first = sent.first()
    if first is None or sent.groups() != {recorded.pair.vhid}:
        return None
    return unheard(recorded, first.at_ns)
