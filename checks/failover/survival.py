"""FO-47, 49: what outlives a crash with another engine, and seen from outside."""

from __future__ import annotations

from collections import Counter

from checks.engine.registry import check
from checks.engine.verdict import Findings, Verdict, combine, unknown
from checks.failover import whole_run
from checks.failover.aftermath import judge_tunnels
from checks.failover.beating import judge_period, judge_silence
from checks.failover.pair import Recorded
from checks.failover.returning import judge_return
from checks.failover.takeovers import CLEAN_STOP, judge_clean_stop, judge_takeovers
from checks.protocols import vrrp
from checks.protocols.heartbeat import Beat
from evidence.scenario import Evidence

OUTSIDE = "outside"
"""The name of the client beyond the gateway, in `tunnel.back`."""


@check("FO-47")
def keepalived_keeps_the_same_promises(evidence: Evidence) -> Verdict:
    """Judge FO-16, 17, 24, 27 and 28 again, within keepalived's own timers."""
    recorded = Recorded(evidence)
    if recorded.pair.engine != "keepalived":
        return unknown(f"the pair runs {recorded.pair.engine}, not keepalived")
    stopped = any(event["fault"] == CLEAN_STOP for event in evidence.need("fault.begin"))
    parts = [
        judge_version(recorded),
        judge_period(recorded),
        judge_silence(recorded),
        judge_takeovers(recorded, guide=False),
        judge_clean_stop(recorded, guide=False),
        judge_return(recorded),
        whole_run.no_unexplained_role_change(recorded),
        whole_run.no_two_holders(recorded),
    ]
    if not stopped:
        parts.append(unknown("no clean stop was recorded"))
    return combine(parts)


def judge_version(recorded: Recorded) -> Verdict:
    """Judge that the pair, once configured, advertises by VRRP of that version and nothing else."""
    found = Findings()
    recorded.heard_of_pair()
    since_ns = recorded.evidence.last("pair.configured").at_ns
    expected = f"VRRPv{recorded.pair.version}"
    spoken = Counter(
        (beat.sender, _spoken(beat))
        for beat in recorded.sent.in_group(recorded.pair.vhid)
        if beat.at_ns >= since_ns
    )
    found.saw(recorded.evidence.capture_place)
    if not spoken:
        found.gap("nothing was advertised after the pair was configured")
    for (sender, name), count in sorted(spoken.items()):
        found.require(
            name == expected,
            f"{count} advertisement(s) of {sender} are {name}, configured is {expected}",
        )
    return found.verdict(f"{spoken.total()} advertisements, all {expected}")


def _spoken(beat: Beat) -> str:
    return f"VRRPv{beat.advert.version}" if isinstance(beat.advert, vrrp.Advertisement) else "CARP"


@check("FO-49")
def outside_clients_follow_the_virtual_ip(evidence: Evidence) -> Verdict:
    """Judge that clients beyond the gateway are back after each takeover, as those inside."""
    return judge_tunnels(Recorded(evidence), client=OUTSIDE)
