"""What a failed node does when it comes back, and how the guide moves the role back by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.failover.returning import CYCLES, WATCH_S
from evidence.events.takeover import NodeReturned, RebootLoopBegan, RebootLoopEnded
from lab.answers import understood
from lab.probe import Probe
from lab.quiet import busy
from lab.wait import pause
from scenarios.failover import faults, observe
from scenarios.failover.pair import Pair, silence
from scenarios.failover.takeover import boot, provoke

Judge = Callable[[str], object]

FULL_FAILBACKS = 10
RESUMED_S = 15.0
"""Longer than two masters may take to agree, so that what comes after it is seen."""


@pytest.mark.on_site("disrupts")
@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("FO-28")
def test_an_active_node_that_comes_back_stays_standby(
    pair: Pair, probe: Probe, judge: Judge
) -> None:
    victim = provoke(pair, faults.POWER_OFF, probe)
    boot(pair, victim)
    pair.history.record(NodeReturned(source="scenario", node=victim))
    observe.addresses(pair, victim)
    pause(WATCH_S + 1)
    observe.addresses(pair, victim)
    judge("FO-28")


@pytest.mark.on_site("disrupts")
@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("FO-29")
def test_a_node_that_reboots_over_and_over_moves_nothing(
    pair: Pair, probe: Probe, judge: Judge
) -> None:
    victim = provoke(pair, faults.POWER_OFF, probe)
    active = pair.other(victim)
    with understood(active, "its configuration"):
        could_s = silence(pair.config(active), victim).maximum_s
    pair.history.record(RebootLoopBegan(source="scenario", node=victim))
    boot(pair, victim)
    _see_up(pair, victim, could_s)
    for _ in range(CYCLES - 1):
        with busy(pair.lab.directory):
            pair.machine(victim).reboot()
            pair.machine(victim).wait_until_up()
        pair.wait_for_role(victim)
        _see_up(pair, victim, could_s)
    pair.history.record(RebootLoopEnded(source="scenario", node=victim, cycles=CYCLES))
    judge("FO-29")


def _see_up(pair: Pair, node: str, could_s: float) -> None:
    """Record that a node is back, and what it holds once it could have taken the role."""
    pair.history.record(NodeReturned(source="scenario", node=node))
    pause(could_s + 1)
    observe.addresses(pair, node)


@pytest.mark.on_site("disrupts")
@pytest.mark.sign_off
@pytest.mark.repeated(full=FULL_FAILBACKS)
@pytest.mark.pristine
@pytest.mark.destructive
@pytest.mark.requirement("FO-30")
def test_restarting_the_active_secondary_gives_the_role_back(
    pair: Pair, probe: Probe, judge: Judge
) -> None:
    pair.make_active("secondary")
    provoke(pair, faults.SERVICE_RESTART, probe)
    judge("FO-30")


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("FO-24")
def test_a_resumed_node_of_the_higher_address_takes_nothing_back(
    pair: Pair, probe: Probe, judge: Judge
) -> None:
    """Pause the active secondary and resume it: the primary keeps the role.

    The other way round ucarp gives the role back: the lower address wins where two masters meet,
    and a paused master has not heard that it is one no more: until it does, it sends what it had
    queued, and an advertisement. So it is resumed when its fault was watched, as a repair is.
    """
    pair.make_active("secondary")
    victim = provoke(pair, faults.PAUSE, probe)
    pair.machine(victim).resume()
    pause(RESUMED_S)
    judge("FO-24")
    assert pair.active() == pair.other(victim)
