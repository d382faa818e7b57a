"""A node that repairs itself, and takes the role back from a peer that it did not hear.

After `kill-ucarp` the service starts ucarp again. It listens, and hears that its peer is active; so
it stays the standby. On a host that keeps one of them from running it may not hear in time: it
advertises, and as the lower address it wins. That is the host's doing, and no verdict.
"""

from __future__ import annotations

from collections.abc import Sequence

from checks.engine.lateness import explain
from checks.failover.hearing import unheard
from checks.failover.recorded import Recorded
from checks.failover.takeover import Takeover, measure
from checks.protocols.budgets import PCAP_READ_TIMEOUT_S
from checks.protocols.heartbeat import Advertised, RoleChange
from evidence.errors import Imprecise, Missing
from evidence.moment import NS


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
