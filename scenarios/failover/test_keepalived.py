"""keepalived in ucarp's place: the same promises, held within its own timers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.failover.returning import WATCH_S
from evidence.events.takeover import NodeReturned
from lab.probe import Probe
from lab.wait import pause
from scenarios.failover import faults, observe
from scenarios.failover.pair import Pair
from scenarios.failover.takeover import boot, provoke
from scenarios.failover.test_serving import STEADY_S, steady

Judge = Callable[[str], object]


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("FO-47")
@pytest.mark.parametrize("version", [2, 3], ids=["vrrp-v2", "vrrp-v3"])
def test_keepalived_keeps_what_the_guide_promises(
    version: int, pair: Pair, probe: Probe, judge: Judge
) -> None:
    active = pair.reconfigure({"failover.engine": "keepalived", "keepalived.version": str(version)})
    pair.record_configured(active)
    with steady(pair):
        pause(STEADY_S)
    stopped = provoke(pair, faults.SERVICE_STOP, probe)
    pair.service(stopped, "start")
    pair.wait_until_ready()
    victim = provoke(pair, faults.POWER_OFF, probe)
    boot(pair, victim)
    pair.history.record(NodeReturned(source="scenario", node=victim))
    observe.addresses(pair, victim)
    pause(WATCH_S + 1)
    observe.addresses(pair, victim)
    judge("FO-47")
