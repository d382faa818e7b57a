"""FO-32 to 35, 40: what the active node sends to the standby, and what becomes of it.

Judged by hashes of what lies where; whether a sync came on the wire is not asked. What is said of
the time after a takeover is taken from the node that took over, and from no other.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from checks.engine.lateness import missed
from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.engine.unanswered import judge_unanswered
from checks.failover.after_takeover import after, of_new_holder, served_by_the_old_alone
from checks.failover.claims import holder_at
from checks.failover.recorded import Recorded
from checks.failover.takeover import Takeover, takeovers
from checks.protocols.budgets import GUIDE_SERVICE_S
from evidence.event import Event
from evidence.events.session import ProfileUsed
from evidence.events.sync import RunningCompared, StagedCompared, SubscriptionShown
from evidence.moment import NS
from evidence.scenario import Evidence

SYNCED = frozenset({"users", "revocations", "configuration"})
"""What must be shown: a user that was added, a certificate that was revoked, a key that was set."""
ABSENT = "absent"
"""What stands for a hash where there was nothing to make one of."""
TRANSFERS_S = 15.0
"""What a sync may come later than its period: the period is waited after each transfer, so a
change that just misses one waits for the end of it, the period, and the next transfer. Two of them
take up to 13 s on emulated machines (3.8 to 6.4 s were seen), and a look at the result 2 s."""


@check("FO-32")
def changes_reach_the_staging_area_only(evidence: Evidence, owed: Obligations) -> None:
    """Owe that the primary's changes are staged on the secondary in time, and not yet live."""
    compared, recorded = evidence.need(StagedCompared), Recorded(evidence)
    origin, target = recorded.pair.primary.name, recorded.pair.secondary.name
    changed = [one for one in compared if (one.origin, one.target) == (origin, target)]
    _owe_staging(owed, recorded, origin, changed)


@check("FO-34")
def after_a_failover_the_sync_runs_the_other_way(evidence: Evidence, owed: Obligations) -> None:
    """Owe that the changes of the node that took over are staged on the other one in time."""
    recorded = Recorded(evidence)
    found = takeovers(recorded, owed)
    for takeover in found:
        compared = [
            event
            for _, event in after(recorded, found, StagedCompared, only=takeover)
            if (event.origin, event.target) == (takeover.peer.name, takeover.victim.name)
        ]
        _owe_staging(owed, recorded, f"{takeover.peer.name} after {takeover}", compared)


def _owe_staging(
    owed: Obligations, recorded: Recorded, origin: str, compared: Sequence[StagedCompared]
) -> None:
    for item in sorted(SYNCED | {event.item for event in compared}):
        one = owed.owe(f"{item} of {origin} staged in time, and not live")
        changes: dict[tuple[str, str], list[StagedCompared]] = {}
        for event in compared:
            if event.item == item:
                _judge_look(one, recorded, event)
                changes.setdefault((event.before, event.active), []).append(event)
        for looks in changes.values():
            _judge_arrival(one, recorded, looks)


def _judge_look(one: Obligation, recorded: Recorded, event: StagedCompared) -> None:
    """Hold each look to a standby that does not run what was changed."""
    item = event.item
    if holder_at(recorded, event.at_ns) == event.target:
        one.doubt(f"{item}: {event.target} was the active node, and no standby", event.place)
    if event.active in (event.before, ABSENT):
        one.doubt(f"{item}: not changed on {event.origin}, so nothing could arrive")
    if event.live_before == event.active:
        one.doubt(f"{item}: {event.target} ran it before the change, so nothing is shown")
    one.settle(event.live == event.live_before, f"{item}: loaded live on the standby", event.place)


def _judge_arrival(one: Obligation, recorded: Recorded, looks: Sequence[StagedCompared]) -> None:
    """Hold one change to what the last look found, and to when one found it first."""
    last, item = looks[-1], looks[-1].item
    event = next((look for look in looks if look.staged == look.active), last)
    limit_s = event.period_s + TRANSFERS_S
    period = f"one sync period of {event.period_s} s"
    allowed = f"allowed is {period} and {TRANSFERS_S:.0f} s for its transfers"
    if event.staged == event.active:
        one.settle(last.staged == last.active, f"{item} did not stay staged", last.place)
        why, least_s = f"{item} took {event.seconds} s, {allowed}", event.seconds
        if event.not_before_s is not None:
            least_s = event.not_before_s
        if least_s <= limit_s < event.seconds:
            one.doubt(f"{why}, and was looked for in vain after {least_s} s", event.place)
    else:
        why, least_s = f"{item} did not reach {last.target} in {event.seconds} s", event.seconds
        if least_s <= limit_s:
            one.doubt(f"{why}, {allowed}", event.place)
    if least_s > limit_s:
        missed(
            one,
            why,
            least_s - limit_s,
            (event.at_ns - int((event.seconds - event.period_s) * NS), event.at_ns),
            {event.origin, event.target, "wire", "scenario"},
            recorded.lateness,
            event.place,
        )


@check("FO-33")
def the_new_active_runs_what_was_staged(evidence: Evidence, owed: Obligations) -> None:
    """Owe that after a takeover the new active node has all that was staged there."""
    recorded = Recorded(evidence)
    found = takeovers(recorded, owed)
    owe_running(owed, recorded, found, SYNCED)


def owe_running(
    owed: Obligations,
    recorded: Recorded,
    found: Sequence[Takeover],
    wanted: Collection[str],
    *,
    last_counts: bool = False,
) -> None:
    """Owe that after each takeover the new active node runs what was staged.

    Each item of `wanted`, and any other that was compared. It takes the guide's time to load that.
    last_counts: a last look is held against it though it came within that time.
    """
    for takeover in found:
        compared = of_new_holder(recorded, found, RunningCompared, only=takeover)
        for item in sorted({*wanted, *(event.item for event in compared)}):
            one = owed.owe(f"{item} as staged, on {takeover.peer.name} after {takeover}")
            looks = [event for event in compared if event.item == item]
            for event in looks:
                counts = last_counts and event is looks[-1]
                if event.running != event.staged and too_soon(takeover, event) and not counts:
                    _settle_early(one, takeover, event, looks[-1])
                else:
                    _judge_running(one, event)


def too_soon(takeover: Takeover, event: Event) -> bool:
    """Tell whether a look may have come before the new holder had loaded what it runs."""
    return event.moment.earliest_ns < takeover.taken.at_ns + int(GUIDE_SERVICE_S * NS)


def _settle_early(one: Obligation, takeover: Takeover, event: Event, last: Event) -> None:
    """Leave out a look that came too soon; in doubt where none came after it."""
    if event is last:
        seconds = (event.at_ns - takeover.taken.at_ns) / NS
        why = f"{event.source} was looked at {seconds:.1f} s after it took over, and not later"
        one.doubt(f"{takeover}: {why}", event.place)


def _judge_running(one: Obligation, event: RunningCompared) -> None:
    item, node = event.item, event.source
    if event.staged == ABSENT:
        one.doubt(f"{item}: nothing staged on {node}, so nothing is shown")
        return
    otherwise = f"{item}: what runs on {node} is not what was staged"
    one.settle(event.running == event.staged, otherwise, event.place)


@check("FO-35")
def a_profile_of_one_node_works_on_the_other(evidence: Evidence, owed: Obligations) -> None:
    """Owe that each client with the old node's profile connects to the one that took over.

    What counts of a client is how it ended: it may need a second attempt.
    """
    recorded = Recorded(evidence)
    found = takeovers(recorded, owed)
    for takeover in found:
        origin, server = takeover.victim.name, takeover.peer.name
        one = owed.owe(f"a profile of the old node works unedited on {server} after {takeover}")
        last: dict[str, ProfileUsed] = {}
        for _, event in after(recorded, found, ProfileUsed, only=takeover):
            if (event.origin, event.server) != (origin, server):
                continue
            if event.edited:
                one.doubt(f"{event.client}'s profile was edited, so it shows nothing", event.place)
            else:
                last[event.client] = event
        for client, event in last.items():
            if why := served_by_the_old_alone(recorded, takeover, event):
                one.doubt(why, recorded.wire)
            if not event.connected and too_soon(takeover, event):
                tried_s = (event.at_ns - takeover.taken.at_ns) / NS
                why = f"tried {tried_s:.1f} s after {server} took over, and not later"
                one.doubt(f"{client}'s profile of {origin} fails on {server}: {why}", event.place)
                continue
            otherwise = f"{client}'s profile of {origin} fails on {server}"
            if event.connected or event.refused or not event.waited_s:
                one.settle(event.connected, otherwise, event.place)
            else:
                judge_unanswered(
                    one,
                    otherwise,
                    event.at_ns,
                    {late.of for late in recorded.lateness} - {origin},
                    recorded.lateness,
                    event.place,
                    waited_s=event.waited_s,
                )


@check("FO-40")
def the_subscription_moves_with_the_role(evidence: Evidence, owed: Obligations) -> None:
    """Owe that the new active node shows the key and the limit that the old one had.

    What was loaded elsewhere, as on the new one itself, did not come with the role: says nothing.
    """
    recorded = Recorded(evidence)
    found = takeovers(recorded, owed)
    for takeover in found:
        loaded = _loaded(recorded, found, takeover)
        before = owed.owe(f"{takeover.victim.name} shows the subscription that it loaded")
        same = owed.owe(f"{takeover.peer.name} shows the same key and limit after {takeover}")
        if loaded is None:
            continue
        before.settle(
            bool(loaded.key), f"{loaded.source} shows no key after LoadSubscription", loaded.place
        )
        shown = [
            event
            for event in of_new_holder(recorded, found, SubscriptionShown, only=takeover)
            if event.active and event.loaded_on == loaded.loaded_on
        ]
        for event in shown:
            equal = (event.key, event.limit) == (loaded.key, loaded.limit)
            if not equal and too_soon(takeover, event):
                _settle_early(same, takeover, event, shown[-1])
                continue
            same.settle(
                equal,
                f"{event.source} shows key {event.key!r} with limit {event.limit}, "
                f"{loaded.source} showed {loaded.key!r} with {loaded.limit}",
                event.place,
            )


def _loaded(
    recorded: Recorded, found: Sequence[Takeover], takeover: Takeover
) -> SubscriptionShown | None:
    """Find what the old node showed last, while it was active and before it failed.

    It was loaded there, or had come with an earlier takeover.
    """
    came = of_new_holder(recorded, found, SubscriptionShown)
    before = [
        event
        for event in recorded.evidence.events(SubscriptionShown, takeover.victim.name)
        if event.active
        and (event.loaded_on == event.source or event in came)
        and event.moment.latest_ns <= takeover.injected.earliest_ns
    ]
    return before[-1] if before else None
