"""FO-39, 47 and 49: clients after a takeover, and keepalived in ucarp's place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.failover.recording import (
    ADDRESS,
    MAC,
    VIRTUAL_IP,
    Run,
    passes,
    rejects,
    takeover,
    unsure,
)
from tests.checks.protocols import encoder


def tunnels(
    directory: Path,
    *backs: float | None,
    protocol: str = "udp",
    client: str = "outside",
    fault: str = "power-off",
) -> Run:
    """Watch one client for each of `backs`, the second of its first packet after the takeover."""
    run = takeover(directory, fault=fault).without("fault.over")
    run.seconds = 400
    run.beats("secondary", 40.2, 400, counter=2000)
    for number, back in enumerate(backs):
        who = f"client-{number}"
        run.event(5, "tunnel.watched", who, client=client, protocol=protocol)
        if back is not None:
            run.event(back, "tunnel.back", who, client=client, protocol=protocol)
    return run


@pytest.mark.parametrize("requirement", ["FO-39", "FO-49"])
def test_a_client_that_is_back_after_a_minute_passes(tmp_path: Path, requirement: str) -> None:
    passes(tunnels(tmp_path, 61).judge(requirement))


@pytest.mark.parametrize("requirement", ["FO-39", "FO-49"])
def test_a_ping_restart_of_300_is_rejected(tmp_path: Path, requirement: str) -> None:
    rejects(tunnels(tmp_path, 312).judge(requirement), "took 301.700 s")


def test_a_client_over_tcp_has_15_seconds(tmp_path: Path) -> None:
    passes(tunnels(tmp_path, 20, protocol="tcp").judge("FO-39"))
    rejects(tunnels(tmp_path, 30, protocol="tcp").judge("FO-39"), "took 19.700 s")


@pytest.mark.parametrize("requirement", ["FO-39", "FO-49"])
def test_a_client_that_never_returns_is_rejected(tmp_path: Path, requirement: str) -> None:
    # Outside, the gateway forwards to the primary's own address, which is gone.
    rejects(tunnels(tmp_path, None).judge(requirement), "never came")


def test_one_client_that_is_back_says_nothing_of_another(tmp_path: Path) -> None:
    rejects(tunnels(tmp_path, 61, None).judge("FO-39"), "(client-1) never came")


def test_a_packet_before_the_fault_is_no_return(tmp_path: Path) -> None:
    rejects(tunnels(tmp_path, 6).judge("FO-39"), "never came")


def test_tunnels_that_nobody_watched_show_nothing(tmp_path: Path) -> None:
    unsure(tunnels(tmp_path).judge("FO-39"), "tunnel.watched")


def test_tunnels_after_a_fault_without_takeover_show_nothing(tmp_path: Path) -> None:
    run = tunnels(tmp_path, 61, fault="kill-openvpn")
    unsure(run.changed("fault.begin", expects_takeover=False).judge("FO-39"), "no takeover")


def test_a_client_inside_shows_nothing_about_those_outside(tmp_path: Path) -> None:
    unsure(tunnels(tmp_path, 61, client="inside").judge("FO-49"))


def keepalived(directory: Path, *, preempting: bool = False, version: int = 2) -> Run:
    nodes = {
        "primary": {"address": ADDRESS["primary"], "mac": MAC["primary"], "priority": 150},
        "secondary": {"address": ADDRESS["secondary"], "mac": MAC["secondary"], "priority": 100},
    }
    nodes = {name: {**node, "advert_int": 1} for name, node in nodes.items()}
    run = Run(directory, 200, engine="keepalived", version=version, nodes=nodes)

    def vrrp(node: str, priority: int) -> bytes:
        return encoder.vrrp(ADDRESS[node], version=version, priority=priority, mac=MAC[node])

    def beats(node: str, start: float, end: float, priority: int) -> None:
        at = start
        while at < end:
            raw = vrrp(node, priority)
            run.frame(at, f"{node}/wire0", raw)
            at += 1

    beats("primary", 0, 40.2, 150)
    run.event(2, "steady.begin", "scenario", active="primary")
    run.event(35, "steady.end", "scenario", active="primary")
    run.event(40.4, "fault.begin", "scenario", fault="power-off", node="primary")
    run.event(60, "fault.over", "scenario", node="primary")
    run.event(62, "node.returned", "scenario", node="primary")
    beats("secondary", 43.61, 70 if preempting else 150, 100)
    if preempting:
        beats("primary", 70.3, 150.7, 150)
    run.event(150.7, "fault.begin", "scenario", fault="service-stop", node="secondary")
    last = "primary" if preempting else "secondary"
    run.frame(150.71, f"{last}/wire0", vrrp(last, 0))
    run.event(90, "addresses", "primary", held=[ADDRESS["primary"]])
    run.event(150.9, "addresses", "secondary", held=[VIRTUAL_IP])
    run.event(151, "service.stopped", "secondary")
    run.event(151.1, "addresses", "secondary", held=[])
    beats("primary", 151.12, 200, 150)
    return run


def test_keepalived_keeps_the_promises_within_its_own_timers(tmp_path: Path) -> None:
    passes(keepalived(tmp_path).judge("FO-47"))


def test_keepalived_with_vrrp_of_version_3_passes_as_well(tmp_path: Path) -> None:
    passes(keepalived(tmp_path, version=3).judge("FO-47"))


@pytest.mark.parametrize(("spoken", "configured"), [(2, 3), (3, 2)])
def test_another_version_of_vrrp_than_configured_is_rejected(
    tmp_path: Path, spoken: int, configured: int
) -> None:
    run = keepalived(tmp_path, version=spoken).changed("pair.configured", version=configured)
    rejects(run.judge("FO-47"), f"VRRPv{spoken}, configured is VRRPv{configured}")


def test_an_advertisement_of_ucarp_in_a_pair_of_keepalived_is_rejected(tmp_path: Path) -> None:
    run = keepalived(tmp_path)
    run.frame(20.5, "primary/wire0", encoder.carp(ADDRESS["primary"]))
    rejects(run.judge("FO-47"), "1 advertisement(s) of 192.168.70.1 are CARP")


def test_what_a_pair_spoke_before_it_was_configured_is_not_judged(tmp_path: Path) -> None:
    run = keepalived(tmp_path, version=3)
    run.event(1.5, "pair.configured", "scenario", **run.pair)
    run.frame(0.7, "primary/wire0", encoder.carp(ADDRESS["primary"]))
    passes(run.judge("FO-47"))


def test_keepalived_with_state_master_is_rejected(tmp_path: Path) -> None:
    verdict = keepalived(tmp_path, preempting=True).judge("FO-47")
    rejects(verdict, "advertisement(s) on its return")


def test_a_ucarp_pair_shows_nothing_about_keepalived(tmp_path: Path) -> None:
    unsure(takeover(tmp_path).judge("FO-47"), "runs ucarp")
