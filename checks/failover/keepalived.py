"""FO-47: keepalived in ucarp's place keeps the same promises, within its own timers."""

from __future__ import annotations

from collections import Counter

from checks.engine.obligations import Obligations
from checks.engine.registry import check
from checks.failover import whole_run
from checks.failover.advertising import owe_period, owe_silence
from checks.failover.clean_stops import owe_clean_stops
from checks.failover.recorded import Recorded
from checks.failover.returning import owe_return
from checks.failover.takeovers import owe_takeovers
from checks.protocols import vrrp
from checks.protocols.heartbeat import Advertised
from evidence.events.pair import PairConfigured
from evidence.scenario import Evidence


@check("FO-47")
def keepalived_keeps_the_same_promises(evidence: Evidence, owed: Obligations) -> None:
    """Judge FO-16, 17, 24, 27 and 28 again: a crash, a clean stop and a return, each of them."""
    recorded = Recorded(evidence)
    if recorded.pair.engine != "keepalived":
        owed.open(f"the pair runs {recorded.pair.engine}, not keepalived")
        return
    _owe_version(owed, recorded)
    owe_period(owed, recorded)
    owe_silence(owed, recorded)
    owe_takeovers(owed, recorded, guide=False)
    owe_clean_stops(owed, recorded, guide=False)
    owe_return(owed, recorded)
    whole_run.owe_no_unexplained_role_change(owed, recorded)
    whole_run.owe_one_master(owed, recorded)


def _owe_version(owed: Obligations, recorded: Recorded) -> None:
    """Owe that each node, once configured, advertises by VRRP of that version and nothing else."""
    since_ns = recorded.evidence.last(PairConfigured).at_ns
    expected = f"VRRPv{recorded.pair.version}"
    group = recorded.sent.in_group(recorded.pair.vhid)
    spoken = Counter((one.sender, _spoken(one)) for one in group if one.at_ns >= since_ns)
    for node in recorded.pair.nodes:
        one = owed.owe(f"{node} advertises by {expected}, and nothing else")
        for (sender, name), count in sorted(spoken.items()):
            why = f"{count} advertisement(s) of {sender} are {name}, configured is {expected}"
            if sender == node:
                one.settle(name == expected, why, recorded.wire)


def _spoken(one: Advertised) -> str:
    return f"VRRPv{one.advert.version}" if isinstance(one.advert, vrrp.Advertisement) else "CARP"
