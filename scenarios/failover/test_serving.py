"""What answers where: on the virtual IP, on the active node, and on the standby."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from checks.failover.serving import ASKED_TIMES, SERVICES
from lab.clock import NS
from lab.probe import Probe
from lab.wait import pause
from provision.failover import users
from scenarios.failover import faults
from scenarios.failover.greeting import hard_reset, tls_crypt_key
from scenarios.failover.pair import Pair

JudgeEach = Callable[..., None]

STEADY_S = 32.0


@contextmanager
def steady(pair: Pair) -> Iterator[str]:
    """Record that nothing is provoked while the block runs; gives the active node."""
    active = pair.active()
    pair.history.record("steady.begin", "scenario", active=active)
    yield active
    pair.history.record("steady.end", "scenario", active=active)


def knock(pair: Pair, probe: Probe, address: str) -> None:
    """Try every service at an address and record what answered."""
    profile = users.autologin_profile(pair.machine(pair.active()))
    greeting = hard_reset(tls_crypt_key(profile), pair.lab.clock.in_lab(time.time_ns()) // NS)
    for protocol, port in SERVICES:
        if protocol == "udp":
            answer = probe.udp_answers(address, port, greeting, 5)
        else:
            answer = probe.tcp_connects(address, port, 5)
        pair.history.record(
            "probe",
            "probe",
            at_ns=answer.at_ns if answer else None,
            address=address,
            protocol=protocol,
            port=port,
            answered=answer is not None,
        )


@pytest.mark.requirement("FO-12", "FO-13", "FO-14", "FO-15")
def test_the_virtual_ip_serves_and_the_standby_does_not(
    pair: Pair, probe: Probe, judge_each: JudgeEach
) -> None:
    with steady(pair) as active:
        knock(pair, probe, pair.virtual_ip)
        knock(pair, probe, pair.address(pair.other(active)))
        knock(pair, probe, pair.address(active))
        probe.ask(pair.virtual_ip, times=ASKED_TIMES + 1, every=0.5)
    judge_each("FO-12", "FO-13", "FO-14", "FO-15")


@pytest.mark.sign_off
@pytest.mark.requirement("FO-12", "FO-16", "FO-17")
def test_openvpn_that_is_killed_comes_back_without_a_takeover(
    pair: Pair, probe: Probe, judge_each: JudgeEach
) -> None:
    with steady(pair) as active:
        faults.KILL_OPENVPN.strike(pair.lab, active)
        pause(STEADY_S)
    knock(pair, probe, pair.virtual_ip)
    judge_each("FO-12", "FO-16", "FO-17")
