"""A role that moves because a busy host kept the nodes from hearing each other: no verdict.

A standby acts when it has heard nothing for its dead time. So it does where the host kept the
active node from advertising for so long, or itself from hearing. Likewise after `kill-ucarp`: the
service starts ucarp again, which may not hear in time that its peer is active, and as the lower
address it wins.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from checks.engine.lateness import explain
from checks.failover.recorded import Recorded
from checks.failover.takeover import Takeover, measure
from checks.protocols.budgets import PCAP_READ_TIMEOUT_S
from checks.protocols.heartbeat import Advertised, Heartbeat, RoleChange
from evidence.errors import Imprecise, Missing
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


def regained_late(recorded: Recorded, takeover: Takeover) -> str | None:
    """Say that the old holder took the role back, and what kept it from hearing the new one.

    None where it did not, or gave way as in any election, or where nothing kept it from hearing.
    """
    own = _after(recorded, takeover)
    heard = recorded.heard_of_pair().before(takeover.until_ns)
    gave_way = heard is not None and heard.sender == takeover.peer.name
    if not own or (gave_way and own[-1].at_ns - own[0].at_ns <= recorded.pair.healing_s * NS):
        return None
    return _back_late(recorded, takeover, own[0])


def _after(recorded: Recorded, takeover: Takeover) -> Sequence[Advertised]:
    """Return what the old holder advertised after the new one had begun."""
    if takeover.first is None:
        return ()
    since_ns = takeover.first.at_ns + 1
    own = recorded.heard_of_pair().of(takeover.victim.name)
    return own.between(since_ns, takeover.until_ns).adverts


def _back_late(recorded: Recorded, takeover: Takeover, back: Advertised) -> str | None:
    first, victim = takeover.first, takeover.victim.name
    if first is None:
        return None
    after_s = (back.at_ns - first.at_ns) / NS
    whose = {victim, takeover.peer.name, "wire"}
    # ucarp hears so late on any host.
    hears_s = PCAP_READ_TIMEOUT_S if recorded.pair.engine == "ucarp" else 0
    excess_s = max(after_s - hears_s, 1 / NS)
    excuse = explain(excess_s, (first.at_ns, back.at_ns), whose, recorded.lateness)
    excuse = excuse or unheard(recorded, back.at_ns, {takeover.peer.name, "wire"})
    if excuse is None:
        return None
    return (
        f"{takeover}: {victim} took the role back {after_s:.3f} s after {takeover.peer.name} had "
        f"taken it, but {excuse}"
    )


def change_was_late(recorded: Recorded, change: RoleChange) -> str | None:
    """Say of a change of role what kept the nodes from hearing each other before it, or None."""
    for fault in recorded.faults():
        within = fault.at.earliest_ns <= change.at_ns <= fault.until_ns
        if within and fault.event.expects_takeover and fault.victim.name == change.after:
            try:
                takeover = measure(recorded, fault)
            except (Missing, Imprecise):
                continue
            if takeover.peer.name == change.before and (own := _after(recorded, takeover)):
                return _back_late(recorded, takeover, own[0])
    excuse = unheard(recorded, change.at_ns)
    return excuse and f"the role moved from {change.before} to {change.after}, but {excuse}"
