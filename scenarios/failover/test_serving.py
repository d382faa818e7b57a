"""What answers where: on the virtual IP, on the active node, and on the standby."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from checks.failover.serving import ASKED_TIMES
from evidence.events.pair import SteadyBegan, SteadyEnded
from lab.errors import LabError
from lab.probe import Probe
from lab.threads import threads
from lab.wait import pause
from scenarios.failover import faults
from scenarios.failover.pair import NODES, Pair
from scenarios.failover.services import knock

JudgeEach = Callable[..., None]

STEADY_S = 32.0


@contextmanager
def steady(pair: Pair) -> Iterator[str]:
    """Record that nothing is provoked while the block runs; gives the active node."""
    active = pair.active()
    pair.history.record(SteadyBegan(source="scenario", active=active))
    yield active
    with threads(len(NODES)) as beside:
        says = dict(zip(NODES, beside.map(lambda node: _state(pair, node), NODES), strict=True))
    pair.history.record(SteadyEnded(source="scenario", active=active, says=says))


def _state(pair: Pair, node: str) -> str:
    """Return the state that a node says it is in; "" where it says none."""
    with suppress(LabError):  # its service is down, or is another one
        return str(pair.status(node).get("state", ""))
    return ""


@pytest.mark.on_site("observes")
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


@pytest.mark.on_site("disrupts")
@pytest.mark.sign_off
@pytest.mark.requirement("FO-12", "FO-16", "FO-17")
def test_openvpn_that_is_killed_comes_back_without_a_takeover(
    pair: Pair, probe: Probe, judge_each: JudgeEach
) -> None:
    with steady(pair) as active:
        pair.lab.announce(f"{active}, which is active: {faults.KILL_OPENVPN}")
        faults.KILL_OPENVPN.inject(pair.lab, active)
        pause(STEADY_S)
    knock(pair, probe, pair.virtual_ip)
    judge_each("FO-12", "FO-16", "FO-17")
