"""What the active node sends to the standby, when it arrives, and what becomes of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import get_args

import pytest

from checks.protocols.budgets import GUIDE_SERVICE_S
from evidence.events.sync import Item, RunningCompared, StagedCompared
from evidence.moment import Moment
from lab.answers import understood
from lab.errors import DeadlinePassed
from lab.probe import Probe
from lab.wait import pause, until
from provision.failover.access_server import SACLI
from scenarios.failover import faults, observe
from scenarios.failover.observe import LIVE, STAGED
from scenarios.failover.pair import Pair
from scenarios.failover.takeover import provoke

Judge = Callable[[str], object]

SYNCED: tuple[Item, ...] = get_args(Item)
DEFAULT_PERIOD_S = 180.0
SLACK_S = 30.0
ADDED, REVOKED = "added-{}", "revoked-{}"
KEY, VALUE = "auth.sessiontoken.lifetime", {"primary": "601", "secondary": "602"}
"""A key that nothing needs to be restarted for, and another value of it for each active node."""


def change(pair: Pair, active: str) -> None:
    """Add a user, give a user a certificate and revoke it, and set a key, on the active node."""
    added, revoked = ADDED.format(active), REVOKED.format(active)
    commands = [
        f"--user {user} --key prop_autologin --value true UserPropPut" for user in (added, revoked)
    ]
    commands += [f"--user {revoked} GetAutologin >/dev/null", f"--user {revoked} RevokeUser"]
    commands.append(f"--key {KEY} --value {VALUE[active]} ConfigPut")
    script = "\n".join(f"{SACLI} {command}" for command in commands)
    pair.machine(active).run(f"set -e\n{script}", timeout=180)


def follow_a_change(pair: Pair, active: str) -> None:
    """Change the active node and record when each item stood on the standby, and where."""
    origin, target = pair.machine(active), pair.machine(pair.other(active))
    with understood(active, "its sync's period"):
        period = float(pair.config(active).get("failover.sync_period", DEFAULT_PERIOD_S))
    before, live_before = observe.hashes(origin, LIVE), observe.hashes(target, LIVE)
    change(pair, active)
    began = time.monotonic()
    changed = observe.hashes(origin, LIVE)
    arrived: dict[str, float] = {}
    missing = dict.fromkeys(SYNCED, 0.0)  # since when it was there, or later

    def settled() -> bool:
        """Whether all has arrived, or is too late: on slow guests a period is no longer."""
        asked = time.monotonic() - began
        staged = observe.hashes(target, STAGED)
        for item in SYNCED:
            if staged[item] == changed[item]:
                arrived.setdefault(item, time.monotonic() - began)
            else:
                missing[item] = asked
        return arrived.keys() >= set(SYNCED) or asked > period + SLACK_S

    with suppress(DeadlinePassed):  # what did not arrive is for the check to see
        until(settled, period + SLACK_S, "the change to be staged", every=1.0)
    staged, live = observe.hashes(target, STAGED), observe.hashes(target, LIVE)
    for item in SYNCED:
        pair.history.record(
            StagedCompared(
                source="scenario",
                origin=active,
                target=target.name,
                item=item,
                before=before[item],
                active=changed[item],
                staged=staged[item],
                live_before=live_before[item],
                live=live[item],
                seconds=round(arrived.get(item, time.monotonic() - began), 1),
                not_before_s=round(missing[item], 1) if item in arrived else None,
                period_s=period,
            )
        )


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("FO-32")
def test_changes_are_staged_on_the_standby_and_not_loaded(pair: Pair, judge: Judge) -> None:
    pair.make_active("primary")
    follow_a_change(pair, "primary")
    judge("FO-32")


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("FO-34")
def test_after_a_takeover_changes_go_the_other_way(pair: Pair, probe: Probe, judge: Judge) -> None:
    pair.make_active("primary")
    stopped = provoke(pair, faults.SERVICE_STOP, probe)
    pair.service(stopped, "start")
    follow_a_change(pair, pair.wait_until_ready())
    judge("FO-34")


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("FO-31", "FO-33")
def test_the_new_active_node_runs_what_was_staged(
    pair: Pair, probe: Probe, judge_each: Callable[..., None]
) -> None:
    active = pair.active()
    change(pair, active)
    pair.sacli(active, "FailoverSync", timeout=120)
    staged = observe.hashes(pair.machine(pair.other(active)), STAGED)

    def compare(peer: str, _injected: Moment) -> None:
        pause(GUIDE_SERVICE_S)  # so long it may take to load what was staged
        running = observe.hashes(pair.machine(peer), LIVE)
        for item in SYNCED:
            pair.history.record(
                RunningCompared(source=peer, item=item, staged=staged[item], running=running[item])
            )

    provoke(pair, faults.POWER_OFF, probe, compare)
    judge_each("FO-31", "FO-33")
