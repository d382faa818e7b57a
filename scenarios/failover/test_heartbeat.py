"""The heartbeat of a healthy pair: its rhythm, its frames, its VHID, and neighbours on the LAN."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from evidence.events.pair import NeighboursBegan, NeighboursEnded, VhidMoved
from lab.probe import Probe
from lab.wait import pause
from lab.wire import Match
from scenarios.again import HostTooBusy
from scenarios.failover import observe
from scenarios.failover.adverts import Advertiser, advertising
from scenarios.failover.pair import HEARTBEAT, Pair
from scenarios.failover.test_serving import STEADY_S, steady

pytestmark = pytest.mark.engine("ucarp")

Judge = Callable[[str], object]
JudgeEach = Callable[..., None]

NEIGHBOURS_S = 61.0
REPLAYED_WITHIN_S = 2.5  # the standby waits for 3 s
OTHER_VHID = 77
FOREIGN = Advertiser("192.168.70.11", "192.168.70.233", 95, "foreign-pair")


@pytest.mark.on_site("observes")
@pytest.mark.requirement("FO-16", "FO-17", "FO-18", "FO-19")
def test_the_active_node_advertises_and_the_standby_is_silent(
    pair: Pair, judge_each: JudgeEach
) -> None:
    with steady(pair):
        pause(STEADY_S)
    judge_each("FO-16", "FO-17", "FO-18", "FO-19")


@pytest.mark.on_site("observes")
@pytest.mark.requirement("FO-21")
def test_tcpdump_on_the_standby_prints_the_guides_lines(pair: Pair, judge: Judge) -> None:
    standby = pair.other(pair.active())
    observe.tcpdump(pair, standby, 8, service_stopped=False)
    judge("FO-21")


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("FO-22")
def test_the_vhid_is_94_and_moves_with_its_key(pair: Pair, judge: Judge) -> None:
    pair.reconfigure({"ucarp.vhid": str(OTHER_VHID)})
    pair.history.record(VhidMoved(source="scenario", vhid=OTHER_VHID))
    pause(8)
    judge("FO-22")


@pytest.mark.sign_off
@pytest.mark.requirement("FO-23")
def test_a_pair_with_another_vhid_disturbs_nobody(pair: Pair, probe: Probe, judge: Judge) -> None:
    vhids = (94, FOREIGN.vhid)
    before = observe.bad_digests(pair)
    with advertising(probe, FOREIGN):
        pair.history.record(NeighboursBegan(source="scenario", vhids=vhids))
        pause(NEIGHBOURS_S)
        lines = observe.bad_digests(pair) - before
        pair.history.record(NeighboursEnded(source="scenario", vhids=vhids, bad_digest_lines=lines))
    judge("FO-23")


def test_advertisements_of_the_same_vhid_with_another_password_are_refused(
    pair: Pair, probe: Probe
) -> None:
    active, before = pair.active(), observe.bad_digests(pair)
    forger = Advertiser(pair.address(active), pair.virtual_ip, 94, "not-the-password")
    with advertising(probe, forger):
        pause(8)
    assert observe.bad_digests(pair) > before
    assert pair.active() == active


@pytest.mark.sign_off
@pytest.mark.destructive
def test_a_replayed_advertisement_keeps_the_standby_waiting(pair: Pair, probe: Probe) -> None:
    """The counter is never compared: a known weakness, kept in view, promised by nobody."""
    active = pair.active()
    with pair.lab.wire.frames(Match(protocol=HEARTBEAT)) as heard:
        recorded = heard.take(5)
    assert recorded is not None
    pair.machine(active).kill()
    for _ in range(8):
        began = time.monotonic()
        probe.send(recorded.raw)
        masters = pair.masters(1.0)
        if time.monotonic() - began > REPLAYED_WITHIN_S:
            raise HostTooBusy(f"a replay came more than {REPLAYED_WITHIN_S} s after the last")
        assert masters == frozenset()
    assert pair.masters(6.0) == {pair.other(active)}
