"""FO-46: what outlives a crash, and how much was written that did not.

The count of what is lost is reported, not limited: no sync contained it. What is limited is the
time without a sync, and how old a sync's contents may be: one that stopped long ago, or sends the
same old state for ever, keeps its promise literally, and breaks it in spirit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from checks.engine.lateness import missed
from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.failover.after_takeover import of_new_holder
from checks.failover.claims import tenures
from checks.failover.recorded import Recorded
from checks.failover.syncing import TRANSFERS_S, owe_running, too_soon
from checks.failover.takeover import Takeover, takeovers
from checks.failover.whole_run import thaws
from evidence.events.sync import SyncCompleted, WriteAcknowledged, WritesFound
from evidence.moment import NS
from evidence.scenario import Evidence

KEPT = frozenset({"licence", "session secret"})
"""What is compared besides the writes: the licence, and the secret by which the other node accepts
a session's token. The log of past sessions is not looked at."""


@check("FO-46")
def what_was_synced_survives(evidence: Evidence, owed: Obligations) -> None:
    """Owe every write up to the last completed sync, and count those since.

    A look that came before the new holder had loaded them counts only where none came after it.
    """
    recorded = Recorded(evidence)
    found = takeovers(recorded, owed)
    owe_running(owed, recorded, found, KEPT, last_counts=True)
    for takeover in found:
        looks = of_new_holder(recorded, found, WritesFound, only=takeover)
        survivors = [one for one in looks if one is looks[-1] or not too_soon(takeover, one)]
        _owe_writes(recorded, owed, takeover, survivors)


def _owe_writes(
    recorded: Recorded, owed: Obligations, takeover: Takeover, survivors: Sequence[WritesFound]
) -> None:
    evidence, node = recorded.evidence, takeover.victim.name
    since_ns, crash_ns = _held_since(recorded, takeover), takeover.injected.latest_ns
    writes = [
        e for e in evidence.events(WriteAcknowledged, node) if since_ns <= e.at_ns <= crash_ns
    ]
    syncs = [e for e in evidence.events(SyncCompleted, node) if since_ns <= e.at_ns <= crash_ns]
    written = {event.serial: event.value for event in writes}
    synced = max((event.serial for event in syncs), default=0)
    due = {serial: value for serial, value in written.items() if serial <= synced}
    since = sorted(written.keys() - due.keys())
    owed.at_least(2, syncs, "completed syncs before the crash", *(e.place for e in syncs))
    owed.at_least(1, due, "writes before the last sync", *(e.place for e in syncs[-1:]))
    owed.at_least(1, since, "writes after the last sync", *(e.place for e in writes[-1:]))
    pauses = owed.owe("no longer without a sync than its period")
    _judge_pauses(pauses, writes, syncs, recorded)
    _judge_contents(owed.owe("each sync contains what was written before it"), writes, syncs)
    one = owed.owe(f"{len(due)} synced write(s) are on {takeover.peer.name}, as written")
    for survived in survivors:
        _judge_survivors(one, survived, due, evidence.events(WriteAcknowledged))
        gone = sum(survived.values.get(serial) != written[serial] for serial in since)
        window_s = max(0.0, (writes[-1].at_ns - syncs[-1].at_ns) / NS) if writes and syncs else 0.0
        owed.tell(
            f"{len(due)} synced write(s) of users survive, and {' and '.join(sorted(KEPT))} are "
            f"those staged; loss window: {gone} of {len(since)} write(s) that no sync contained, "
            f"the last acknowledged {window_s:.1f} s after the last sync was seen"
        )


def _held_since(recorded: Recorded, takeover: Takeover) -> int:
    """Return since when (ns) the node that was lost had the role, in the lab as it was then.

    What it wrote before its peer had it is judged with the takeover of before. An election is no
    other's tenure.
    """
    peer, election_ns = takeover.peer.name, int(recorded.pair.healing_s * NS)
    ends = [
        one.end_ns
        for one in tenures(recorded)
        if one.who == peer and one.end_ns - one.start_ns > election_ns
    ]
    ends += [end_ns for _, end_ns in thaws(recorded)]
    before = [end_ns for end_ns in ends if end_ns <= takeover.last.at_ns]
    return max([recorded.window.from_ns, *before])


def _judge_survivors(
    one: Obligation,
    survived: WritesFound,
    due: Mapping[int, str],
    acknowledged: Iterable[WriteAcknowledged],
) -> None:
    """Compare serials and values both ways: nothing lost, nothing altered, nothing invented.

    Whoever writes goes on at the node that took over: what any node had acknowledged by then was
    written. What is due has the value of the node that was lost.
    """
    found = survived.values
    written: dict[int, set[str]] = {}
    for event in acknowledged:
        if event.moment.earliest_ns <= survived.moment.latest_ns:
            written.setdefault(event.serial, set()).add(event.value)
    written.update({serial: {value} for serial, value in due.items()})
    lost = sorted(due.keys() - found.keys())
    altered = sorted(
        serial for serial in found.keys() & written if found[serial] not in written[serial]
    )
    ghosts = sorted(found.keys() - written.keys())
    one.settle(
        not lost,
        f"{len(lost)} write(s) lost that the last sync contained, first: {lost[:3]}",
        survived.place,
    )
    if altered:
        one.broken(f"{len(altered)} write(s) have another value, first: {altered[:3]}")
    if ghosts:
        one.broken(f"{len(ghosts)} write(s) are there that nobody wrote, first: {ghosts[:3]}")


def _judge_pauses(
    one: Obligation,
    writes: Sequence[WriteAcknowledged],
    syncs: Sequence[SyncCompleted],
    recorded: Recorded,
) -> None:
    """Limit the time without a sync while there were writes."""
    if not writes or not syncs:
        return
    period_s = syncs[-1].period_s
    for earlier, later in pairwise((*writes[:1], *syncs, writes[-1])):
        least_s = (later.moment.earliest_ns - earlier.moment.latest_ns) / NS
        excess_s = least_s - period_s - TRANSFERS_S
        if excess_s <= 0:
            one.met(later.place)
            continue
        missed(
            one,
            f"no sync for {least_s:.0f} s, its period is {period_s:g} s and {TRANSFERS_S:.0f} s "
            "are for its transfers",
            excess_s,
            (earlier.at_ns + int(period_s * NS), later.at_ns),
            {*recorded.pair.nodes, "wire", "scenario"},
            recorded.lateness,
            later.place,
        )


def _judge_contents(
    one: Obligation, writes: Sequence[WriteAcknowledged], syncs: Sequence[SyncCompleted]
) -> None:
    """Hold each sync to the writes that were done before the one before it had ended."""
    for earlier, later in pairwise(syncs):
        done = [one.serial for one in writes if one.moment.latest_ns < earlier.moment.earliest_ns]
        newest = max(done, default=0)
        one.settle(
            later.serial >= newest,
            f"the sync at {later.place} contains write {later.serial} at most, and {newest} had "
            "been acknowledged before the sync before it",
            later.place,
        )
