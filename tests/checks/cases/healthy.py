"""Healthy evidence that had FAIL: noise, strangers on the LAN, and clocks that are a bit off."""

from __future__ import annotations

import random
from pathlib import Path

from tests.checks.cases.row import PASS, row
from tests.checks.failover.parted import platforms, split
from tests.checks.failover.printed import lines, printed
from tests.checks.failover.recording import Run, node, steady, takeover
from tests.checks.failover.strangers import a_broken_packet, a_carp_pair, a_vrrp_router
from tests.checks.failover.test_data_loss import written
from tests.checks.failover.test_keepalived import keepalived
from tests.checks.failover.test_strangers import HEALTHY
from tests.checks.failover.test_validating import validated
from tests.checks.failover.test_vhids import moved


def twice(run: Run, *numbers: int) -> Run:
    """Let the network carry some frames twice within 0.4 ms; every seventh, if none is named."""
    for number, (at, *rest) in enumerate(list(run.frames)):
        if number in numbers or (not numbers and number % 7 == 0):
            run.frames.append((at + 0.0004, *rest))
    return run


@row("FO-09", "unrelated VRRP router, an advert each 5 s, none in the 3 s before Validate", PASS)
def _(at: Path) -> Run:
    return a_vrrp_router(validated(at), every=5.0, at=4.0)


@row("FO-22", "unrelated VRRP router (VRID 51, 1 s) on the LAN", PASS)
def _(at: Path) -> Run:
    return a_vrrp_router(moved(at))


@row("FO-22", "unrelated VRRP router (VRID 51, an advert each 5 s)", PASS)
def _(at: Path) -> Run:
    return a_vrrp_router(moved(at), every=5.0)


@row("FO-22", "unrelated CARP pair (VHID 95) on the LAN", PASS)
def _(at: Path) -> Run:
    return a_carp_pair(moved(at))


@row(
    "FO-43",
    "10.0.1.5 / 10.0.2.1: 10.0.2.1 survives, as ucarp 1.5.2 on x86 really decides (byte-swapped)",
    PASS,
)
def _(at: Path) -> Run:
    addresses = {"primary": "10.0.1.5", "secondary": "10.0.2.1"}
    nodes = {name: {**node(name), "address": address} for name, address in addresses.items()}
    run = split(at).changed("pair.configured", nodes=nodes)
    run.frames = [one for one in run.frames if one[0] < 31 or one[1] == "secondary/wire0"]
    run.beats("secondary", 31.5, 60)
    return run


@row("FO-16", "every 7th frame duplicated within 0.4 ms", PASS)
def _(at: Path) -> Run:
    return twice(steady(at))


@row("FO-20", "every 7th frame duplicated within 0.4 ms", PASS)
def _(at: Path) -> Run:
    return twice(takeover(at))


@row("FO-20", "one advert duplicated within 0.4 ms", PASS)
def _(at: Path) -> Run:
    return twice(takeover(at), 5)


@row("FO-47", "every 7th frame duplicated within 0.4 ms", PASS)
def _(at: Path) -> Run:
    return twice(keepalived(at))


@row("FO-21", "an unrelated CARP pair (vrid 95) is printed by the same tcpdump", PASS, "vrid 95")
def _(at: Path) -> Run:
    address, vhid = ("192.168.70.1 >", "192.168.70.11 >"), ("vrid 94", "vrid 95")
    theirs = lines(address=address, vhid=vhid, mac=("00:5e eth", "00:5f eth"))
    return printed(at, f"{lines()}\n{theirs}")


@row(
    "FO-24",
    "last advert reached the wire but not the standby (its NIC ring was full): takeover 2.3 s "
    "after it",
    PASS,
)
def _(at: Path) -> Run:
    return takeover(at, silence=2.3)


@row("FO-24", "takeover 2.999 s after the last advert (guest clock 400 ppm fast)", PASS)
def _(at: Path) -> Run:
    return takeover(at, silence=2.999)


@row(
    "FO-24",
    "last advert 60 ms late on the wire (host busy), standby's timer from the one before: silence "
    "2.99 s",
    PASS,
)
def _(at: Path) -> Run:
    run = takeover(at, silence=3.05)
    last = max(moment for moment, port, _, _ in run.frames if port == "primary/wire0")
    return run.mapped(lambda moment, _, raw: [(moment + 0.06 * (moment == last), raw)])


@row("FO-47", "frames late by up to 80 ms (slow guest)", PASS)
def _(at: Path) -> Run:
    late = random.Random(1)  # noqa: S311 - noise, no secret
    return keepalived(at).mapped(lambda moment, _, raw: [(moment + late.uniform(0, 0.08), raw)])


@row(
    "FO-47",
    "keepalived's last advert 15 ms late on the wire (host busy): silence 3.595 s of 3.609",
    PASS,
)
def _(at: Path) -> Run:
    run = keepalived(at)
    last = max(moment for moment, *_ in run.frames if moment < 41)
    return run.mapped(lambda moment, _, raw: [(moment + 0.015 * (moment == last), raw)])


@row(" ".join(HEALTHY), "unrelated VRRP router that uses VRID 94 (ucarp ignores it)", PASS)
def _(at: Path) -> Run:
    return a_vrrp_router(_recorded_for(at), vrid=94)


@row(
    " ".join(HEALTHY),
    "unrelated CARP pair that uses VHID 94, other IP and password (ucarp refuses it and works on)",
    PASS,
)
def _(at: Path) -> Run:
    return a_carp_pair(_recorded_for(at), vhid=94)


def _recorded_for(at: Path) -> Run:
    """Make the good run of the requirement whose directory it is."""
    return HEALTHY[at.name](at)


@row(
    "FO-18", "an unrelated host sends a broken VRRP packet (12 bytes, version 2) now and then", PASS
)
def _(at: Path) -> Run:
    return a_broken_packet(steady(at))


@row(
    "FO-25", "probes answered on the new node, recorded without a mac (as FO-12's knock does)", PASS
)
def _(at: Path) -> Run:
    return takeover(at).changed("service.probed", mac=None)


@row("FO-46", "records of the history out of order (shuffled lines, right times)", PASS)
def _(at: Path) -> Run:
    return _shuffled(written(at))


@row("FO-48", "records of the history out of order (shuffled lines, right times)", PASS)
def _(at: Path) -> Run:
    return _shuffled(platforms(at))


def _shuffled(run: Run) -> Run:
    run.in_order = False
    random.Random(1).shuffle(run.events)  # noqa: S311 - an order, no secret
    return run
