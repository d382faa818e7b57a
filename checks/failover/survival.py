"""FO-46, 47, 49: what outlives a crash, with another engine too, and seen from outside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from checks.engine.registry import check
from checks.engine.verdict import Findings, Verdict, combine, unknown
from checks.failover import whole_run
from checks.failover.aftermath import judge_tunnels
from checks.failover.beating import judge_period, judge_silence
from checks.failover.pair import Recorded
from checks.failover.returning import judge_return
from checks.failover.syncing import TRANSFERS_S, judge_running
from checks.failover.takeovers import CLEAN_STOP, judge_clean_stop, judge_takeovers
from checks.protocols import vrrp
from checks.protocols.heartbeat import NS, Beat
from evidence.history import Event
from evidence.scenario import Evidence

OUTSIDE = "outside"
"""The name of the client beyond the gateway, in `tunnel.back`."""
KEPT = frozenset({"licence", "session secret"})
"""What FO-46 wants compared besides the writes: the licence, and the secret by which the other
node accepts a session's token. The log of past sessions is not looked at."""


@check("FO-46")
def what_was_synced_survives(evidence: Evidence) -> Verdict:
    """Judge that every write up to the last completed sync is there, and count those since.

    The count is the loss window; it is reported, not limited. What is limited is the time without
    a sync: one that stopped long ago keeps its promise literally, and breaks it in spirit.
    """
    found = Findings()
    survived = evidence.last("write.survived")
    writes = [
        event for event in evidence.need("write.acknowledged") if event.at_ns <= survived.at_ns
    ]
    syncs = [event for event in evidence.need("sync.completed") if event.at_ns <= survived.at_ns]
    found.saw(survived.place, *(event.place for event in syncs[-1:]))
    if len(syncs) < 2:
        found.gap(f"{len(syncs)} completed sync(s): the window needs a crash after more than one")
    written = {int(event["serial"]) for event in writes}
    synced = max((int(event["serial"]) for event in syncs), default=0)
    present = {int(serial) for serial in survived["serials"]}
    due = {serial for serial in written if serial <= synced}
    lost = sorted(due - present)
    found.require(
        not lost, f"{len(lost)} write(s) lost that the last sync contained, first: {lost[:3]}"
    )
    since = sorted(written - due)
    if written and not since:
        found.gap("nothing was written after the last sync: there is no window to measure")
    if not due:
        found.gap("nothing was written before the last sync")
    window_s = _judge_pauses(found, writes, syncs)
    judge_running(found, evidence, KEPT)
    gone = len(set(since) - present)
    return found.verdict(
        f"{len(due)} synced write(s) of users survive, and {' and '.join(sorted(KEPT))} are those "
        f"staged; loss window: {gone} of {len(since)} write(s) that no sync contained, the last "
        f"acknowledged {window_s:.1f} s after the last sync was seen"
    )


def _judge_pauses(found: Findings, writes: Sequence[Event], syncs: Sequence[Event]) -> float:
    """Limit the time without a sync while there were writes; return the last one, in seconds."""
    if not writes or not syncs:
        return 0.0
    limit_s = float(syncs[-1]["period_s"]) + TRANSFERS_S
    unsynced = [write for write in writes[:1] if write.at_ns < syncs[0].at_ns]
    for earlier, later in pairwise((*unsynced, *syncs, writes[-1])):
        least_ns = later.at_ns - later.uncertainty_ns - earlier.at_ns - earlier.uncertainty_ns
        found.require(
            least_ns / NS <= limit_s,
            f"no sync for {least_ns / NS:.0f} s, its period is {syncs[-1]['period_s']} s "
            f"and {TRANSFERS_S:.0f} s are for its transfers",
        )
    return max(0.0, (writes[-1].at_ns - syncs[-1].at_ns) / NS)


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
