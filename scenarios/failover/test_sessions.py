"""Clients across a takeover: who is let in again, by what right, and how long that takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

import pytest

from checks.protocols.budgets import GUIDE_SERVICE_S
from evidence.events.session import (
    ProfileUsed,
    SessionResumed,
    TokenTried,
)
from evidence.moment import Moment
from lab.errors import DeadlinePassed
from lab.probe import Probe
from lab.wait import pause, until
from provision.failover import users
from scenarios.failover import faults, observe
from scenarios.failover.pair import Pair
from scenarios.failover.takeover import provoke, restore
from scenarios.failover.tunnels import Outside, RoamingClient, unspent, verify_calls

Judge = Callable[[str], object]
JudgeEach = Callable[..., None]

ALICE = RoamingClient("alice", "udp", 1)
BOB = RoamingClient("bob", "tcp", 1)
ROBOT = RoamingClient(users.AUTOLOGIN_USER, "udp", 0, autologin=True)
Method = Literal["token", "certificate"]
TokenCase = Literal["lifetime-over", "clock-behind"]
KEY = "LAB-31-scenario-key"
AUTH_FAILED = "AUTH_FAILED"  # a client logs that it was refused
REFUSED_S = 150.0


@pytest.mark.on_site("disrupts")
@pytest.mark.destructive
@pytest.mark.requirement("FO-36", "FO-38", "FO-39", "FO-49")
def test_clients_outside_are_back_within_a_minute_and_show_no_password(
    pair: Pair, probe: Probe, outside: Outside, judge_each: JudgeEach
) -> None:
    active = pair.active()
    left = unspent(pair, active, ALICE.user)
    outside.connect(ALICE, BOB, ROBOT)
    spent = unspent(pair, active, ALICE.user) == left - 1

    def watch(peer: str, injected: Moment) -> None:
        since = injected.latest_ns
        back = outside.wait_until_back((BOB, ALICE, ROBOT), since)
        methods: dict[RoamingClient, Method] = {ALICE: "token", ROBOT: "certificate"}
        for one, method in methods.items():
            names = verify_calls(pair, peer, one, since)
            pair.history.record(
                SessionResumed(
                    source=peer,
                    client=one.name,
                    method=method,
                    connected=back[one],
                    verify_calls=len(names),
                    password_spent=spent,
                    user_name_sent=any(names),
                )
            )
        outside.see_whether_they_stay(back, since)

    provoke(pair, faults.POWER_OFF, probe, watch)
    judge_each("FO-36", "FO-38", "FO-39", "FO-49")


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("FO-35")
def test_a_profile_of_one_node_works_on_the_other_as_it_is(
    pair: Pair, probe: Probe, outside: Outside, judge: Judge
) -> None:
    pair.make_active("primary")
    login = "carol", users.one_time_password("carol", 1)
    profile = users.user_profile(pair.machine("primary"), "carol")
    provoke(pair, faults.SERVICE_STOP, probe)
    began = time.monotonic()
    outside.start({"carol": profile}, {"carol": login})
    connected = outside.is_up("carol")
    pair.history.record(
        ProfileUsed(
            source="scenario",
            client="carol",
            origin="primary",
            server="secondary",
            edited=False,
            connected=connected,
            waited_s=time.monotonic() - began,
            refused=AUTH_FAILED in outside.log("carol"),
        )
    )
    judge("FO-35")


def try_token(pair: Pair, outside: Outside, probe: Probe, case: TokenCase, since: float) -> None:
    """Let the active node fail under a connected client, and record how its token fares.

    The client logged in after `since`, by `time.monotonic`. Both logs are read
    from here on only: another case may have left its lines in them.
    """
    known = len(outside.log(ALICE.name))

    def watch(peer: str, injected: Moment) -> None:
        def judged() -> str | None:
            log = outside.log(ALICE.name)[known:]
            if AUTH_FAILED in log:
                return "refused"
            return "accepted" if "Initialization Sequence Completed" in log else None

        try:
            outcome = until(judged, REFUSED_S, f"{ALICE.name} to come back or to give up", every=1)
        except DeadlinePassed:
            return  # without an answer there is nothing to record
        age_s = round(time.monotonic() - since, 1)
        pair.history.record(
            TokenTried(
                source=peer,
                client=ALICE.common_name,
                case=case,
                accepted=outcome == "accepted",
                logged=observe.tokens_logged(pair.machine(peer), injected.at_ns),
                age_s=age_s,
            )
        )

    provoke(pair, faults.POWER_OFF, probe, watch)


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("FO-37")
def test_a_token_is_refused_when_it_should_be(
    pair: Pair, probe: Probe, outside: Outside, judge: Judge
) -> None:
    active = pair.active()
    since = time.monotonic()
    outside.connect(ALICE)
    pair.machine(pair.other(active)).run('date -s "@$(( $(date +%s) - 120 ))"')
    try_token(pair, outside, probe, "clock-behind", since)
    outside.leave()
    restore(pair, faults.POWER_OFF, active)
    pair.reconfigure({"vpn.server.session_expire": "30"})
    since = time.monotonic()
    outside.connect(RoamingClient("alice", "udp", 2))
    pause(35)
    try_token(pair, outside, probe, "lifetime-over", since)
    judge("FO-37")


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("FO-40")
def test_the_subscription_goes_with_the_role(pair: Pair, probe: Probe, judge: Judge) -> None:
    active = pair.active()
    pair.sacli(active, "--value", KEY, "LoadSubscription")
    observe.subscription(pair, active, active=True, loaded_on=active)
    pair.sacli(active, "FailoverSync", timeout=120)  # what no sync contains is lost (FO-46)

    def show(peer: str, _injected: Moment) -> None:
        pause(GUIDE_SERVICE_S)  # so long it may take to load what was staged
        observe.subscription(pair, peer, active=True, loaded_on=active)

    provoke(pair, faults.POWER_OFF, probe, show)
    judge("FO-40")
