"""FO-46, 47, 49: what outlives a crash, with another engine too, and seen from outside."""

from __future__ import annotations

from checks.evidence import Evidence
from checks.failover import whole_run
from checks.failover.aftermath import judge_tunnels
from checks.failover.beating import judge_period, judge_silence
from checks.failover.pair import Recorded
from checks.failover.returning import judge_return
from checks.failover.takeovers import CLEAN_STOP, judge_clean_stop, judge_takeovers
from checks.registry import check
from checks.verdict import Findings, Verdict, combine, unknown

OUTSIDE = "outside"
"""The name of the client beyond the gateway, in `tunnel.back`."""


@check("FO-46")
def what_was_synced_survives(evidence: Evidence) -> Verdict:
    """Judge that every write up to the last completed sync is there, and count those since.

    The count is the loss window; it is reported, not limited.
    """
    found = Findings()
    survived = evidence.last("write.survived")
    before = [
        event for event in evidence.need("write.acknowledged") if event.at_ns <= survived.at_ns
    ]
    syncs = [event for event in evidence.need("sync.completed") if event.at_ns <= survived.at_ns]
    found.saw(survived.place, *(event.place for event in syncs[-1:]))
    if len(syncs) < 2:
        found.gap(f"{len(syncs)} completed sync(s): the window needs a crash after more than one")
    written = {int(event["serial"]) for event in before}
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
    # A sync that stopped long ago keeps its promise literally, and breaks it in spirit.
    synced_since = [event for event in before if syncs and event.at_ns > syncs[-1].at_ns]
    if len(syncs) >= 2 and synced_since:
        period_ns = syncs[-1].at_ns - syncs[-2].at_ns
        waited_ns = synced_since[-1].at_ns - syncs[-1].at_ns
        found.require(
            waited_ns <= 2 * period_ns,
            f"no sync for {waited_ns / 1e9:.0f} s, {waited_ns / period_ns:.1f} periods",
        )
    window_s = (synced_since[-1].at_ns - syncs[-1].at_ns) / 1e9 if synced_since else 0.0
    gone = len(set(since) - present)
    return found.verdict(
        f"{len(due)} synced write(s) survive; loss window: {gone} of {len(since)} write(s) "
        f"since the last sync, {window_s:.1f} s"
    )


@check("FO-47")
def keepalived_keeps_the_same_promises(evidence: Evidence) -> Verdict:
    """Judge FO-16, 17, 24, 27 and 28 again, within keepalived's own timers."""
    recorded = Recorded(evidence)
    if recorded.pair.engine != "keepalived":
        return unknown(f"the pair runs {recorded.pair.engine}, not keepalived")
    stopped = any(event["fault"] == CLEAN_STOP for event in evidence.need("fault.begin"))
    parts = [
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


@check("FO-49")
def outside_clients_follow_the_virtual_ip(evidence: Evidence) -> Verdict:
    """Judge that clients beyond the gateway are back after each takeover, as those inside."""
    return judge_tunnels(Recorded(evidence), client=OUTSIDE)
