"""Runs in which the wire keeps the nodes apart, or is said to, and what a preflight sees of it."""

from __future__ import annotations

from pathlib import Path

from tests.checks.failover.recording import Run
from tests.checks.preflight.test_diagnosis import WORKING


def seen(**changes: object) -> dict[str, object]:
    record = WORKING.model_dump()
    assert changes.keys() <= record.keys()
    return {**record, **changes}


NONE = {"sent": 5, "seen": 0}
FILTERED = seen(adverts=NONE, adverts_own_mac=NONE, adverts_broadcast=NONE)
APART = seen(
    **dict.fromkeys(["adverts", "adverts_own_mac", "adverts_broadcast"], NONE),
    **dict.fromkeys(["multicast", "unicast", "arp_broadcast"], NONE),
)
OBSERVED = {
    "plain": seen(),
    "mac-filter": seen(adverts=NONE),
    "vrrp-filter": FILTERED,
    "two-networks": APART,
}


def split(directory: Path, name: str = "vrrp", hits: int = 60) -> Run:
    """Filter from 10 s to 30 s: two masters from 13.5 s, one again from 31 s."""
    run = Run(directory, 60)
    dropped = "dropped by rule 1"
    run.beats("primary", 0, 10)
    run.beats("primary", 10.1, 30, comment=dropped)
    run.beats("secondary", 13.5, 30, comment=dropped)
    run.beats("secondary", 30.5, 31)
    run.beats("primary", 30.1, 60)
    run.event(10.05, "filter.began", "scenario", filter=name)
    run.event(30, "filter.ended", "scenario", filter=name, hits=hits)
    run.event(5, "preflight.observed", "scenario", profile="vrrp-filter", **FILTERED)
    for at, good in ((4, True), (20, False)):
        rows = [{"name": "heartbeat", "good": good}]
        broken = "" if good else "isolation"
        run.event(at, "validate.shown", "primary", broken=broken, rows=rows)
    return run


def platforms(directory: Path) -> Run:
    run = Run(directory, 100)
    run.beats("primary", 0, 100)
    for index, (profile, observed) in enumerate(OBSERVED.items()):
        start = 5 + 20 * index
        run.event(start, "profile.began", "scenario", profile=profile)
        hits = 0 if profile == "plain" else 30
        run.event(start + 15, "profile.ended", "scenario", profile=profile, hits=hits)
        run.event(start - 1, "preflight.observed", "scenario", profile=profile, **observed)
        if profile != "plain":
            run.beats("secondary", start + 3.5, start + 15)
    return run


def filtered_twice(directory: Path) -> Run:
    run = split(directory)
    run.event(40, "filter.began", "scenario", filter="guest-firewall")
    run.event(50, "filter.ended", "scenario", filter="guest-firewall", hits=10)
    return run
