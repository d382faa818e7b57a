"""A node that repairs itself, and takes the role back from a peer that it did not hear.

After `kill-ucarp` the service starts ucarp again. It listens, and hears that its peer is active; so
it stays the standby. On a host that keeps one of them from running it may not hear in time: it
advertises, and as the lower address it wins. That is the host's doing, and no verdict.
"""

from __future__ import annotations

from checks.engine.lateness import explain
from checks.failover.recorded import Recorded
from checks.failover.takeover import Takeover, measure
from checks.protocols.budgets import PCAP_READ_TIMEOUT_S
from checks.protocols.heartbeat import RoleChange
from evidence.errors import Imprecise, Missing
from evidence.moment import NS


def regained_late(recorded: Recorded, takeover: Takeover) -> str | None:
    """Say that the old holder took the role back, and what kept it from hearing the new one.

    None where it did not, or where nothing kept it from that for as long as it had time to hear.
    """
    first, victim = takeover.first, takeover.victim.name
    if first is None:
        return None
    own = recorded.heard_of_pair().of(victim).between(first.at_ns + 1, takeover.until_ns)
    if (back := own.first()) is None:
        return None
    after_s = (back.at_ns - first.at_ns) / NS
    whose = {victim, takeover.peer.name, "wire"}
    # ucarp hears so late on any host.
    hears_s = PCAP_READ_TIMEOUT_S if recorded.pair.engine == "ucarp" else 0
    excess_s = max(after_s - hears_s, 1 / NS)
    excuse = explain(excess_s, (first.at_ns, back.at_ns), whose, recorded.lateness)
    if excuse is None:
        return None
    return (
        f"{takeover}: {victim} took the role back {after_s:.3f} s after {takeover.peer.name} had "
        f"taken it, but {excuse}"
    )


def change_was_late(recorded: Recorded, change: RoleChange) -> str | None:
    """Say the same of a change of role, where it is such a return."""
    for fault in recorded.faults():
        within = fault.at.earliest_ns <= change.at_ns <= fault.until_ns
        if within and fault.event.expects_takeover and fault.victim.name == change.after:
            try:
                takeover = measure(recorded, fault)
            except (Missing, Imprecise):
                continue
            if takeover.peer.name == change.before and takeover.happened:
                return regained_late(recorded, takeover)
    return None
