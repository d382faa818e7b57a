"""FO-39, 49: clients after a takeover, and those that are interrupted again."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.checks.failover.crashes import busy, is_late
from tests.checks.failover.recording import (
    ADDRESS,
    CLIENT,
    CLIENT_MAC,
    MAC,
    VIRTUAL_IP,
    Run,
    passes,
    rejects,
    stamp,
    unsure,
)
from tests.checks.failover.tunnels import as_once, carried, interrupted_again, served, tunnels
from tests.checks.protocols import encoder


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
    rejects(tunnels(tmp_path, 61, None).judge("FO-39"), "the tunnel of client-1", "never came")


def test_a_packet_before_the_fault_is_no_return(tmp_path: Path) -> None:
    rejects(tunnels(tmp_path, 6).judge("FO-39"), "never came")


def read_off_by(run: Run, seconds: float) -> Run:
    """Let the moments of a tunnel's packets be known no better than that."""
    run.events = [(*one[:4], seconds) if one[1] == "tunnel.carried" else one for one in run.events]
    return run


def test_a_packet_is_a_return_if_it_surely_was_sent_after_the_takeover(tmp_path: Path) -> None:
    run = tunnels(tmp_path, 20)
    passes(read_off_by(run, 6.5).judge("FO-39"))
    unsure(read_off_by(run, 7).judge("FO-39"), "seen for 0.0 s only")


def test_tunnels_that_nobody_watched_show_nothing(tmp_path: Path) -> None:
    unsure(tunnels(tmp_path).judge("FO-39"), "no tunnel was up")


def test_a_client_inside_shows_nothing_about_those_outside(tmp_path: Path) -> None:
    unsure(tunnels(tmp_path, 61, client="inside").judge("FO-49"))


def test_a_tunnel_that_nobody_is_seen_to_serve_says_nothing(tmp_path: Path) -> None:
    run = tunnels(tmp_path, 61)
    run.frames = [frame for frame in run.frames if frame[2][23] != 17]
    unsure(run.judge("FO-39"), "nothing was sent from the virtual IP by the new node")


def test_a_tunnel_that_carries_one_packet_and_no_more_is_not_back(tmp_path: Path) -> None:
    run = tunnels(tmp_path, 61)
    run.events = [one for one in run.events if one[0] != 66]
    unsure(run.judge("FO-39"), "seen for 0.0 s only")


@pytest.mark.parametrize("requirement", ["FO-39", "FO-49"])
def test_a_client_that_is_back_and_then_dead_until_nobody_looks_any_more_is_rejected(
    tmp_path: Path, requirement: str
) -> None:
    run = tunnels(tmp_path, 14.3, protocol="tcp").changed("tunnel.carried", looked_until_ns=None)
    run.events[-1][3]["looked_until_ns"] = stamp(67)
    rejects(run.judge(requirement), "no packet in the last 47.7 s that it was looked at, limit 3 s")
    rejects(busy(run, "primary", 19.3, 67).judge(requirement), "no packet in the last 47.7 s")
    is_late(run, requirement, "client", 20, 67)


@pytest.mark.parametrize("after", [0.0, 2.9])
def test_a_client_whose_last_packet_is_a_moment_old_is_there(tmp_path: Path, after: float) -> None:
    run = tunnels(tmp_path, 61)
    run.events[-1][3]["looked_until_ns"] = stamp(66 + after)
    passes(run.judge("FO-39"))


@pytest.mark.parametrize("requirement", ["FO-39", "FO-49"])
def test_a_client_that_was_looked_at_nobody_knows_how_long_shows_nothing(
    tmp_path: Path, requirement: str
) -> None:
    unsure(
        as_once(tunnels(tmp_path, 61)).judge(requirement),
        "until when it was looked at is not known",
    )
    rejects(as_once(tunnels(tmp_path, 312)).judge(requirement), "took 301.700 s")


def test_a_client_that_was_looked_at_before_its_last_packet_only_shows_nothing(
    tmp_path: Path,
) -> None:
    run = tunnels(tmp_path, 61)
    run.events[-1][3]["looked_until_ns"] = stamp(65)
    unsure(run.judge("FO-39"), "until when it was looked at is not known")


def of_another_protocol(directory: Path) -> Run:
    """Watch a tunnel over UDP and one over TCP of one machine; only the latter comes back."""
    run = tunnels(directory, 17, protocol="tcp")
    run.event(6, "tunnel.watched", "client-0", client="outside", protocol="udp")
    return run


def of_the_inside(directory: Path) -> Run:
    """Watch a machine's tunnel from outside and one from inside; only the latter comes back."""
    run = tunnels(directory, None)
    run.event(4, "tunnel.watched", "client-0", client="inside", protocol="udp")
    carried(run, 61, client="inside", silent=50)
    carried(run, 66, client="inside", looked=66.4)
    for at in (61, 66):
        served(run, at - 0.001, "secondary")
    return run


@pytest.mark.parametrize("build", [of_another_protocol, of_the_inside])
@pytest.mark.parametrize("requirement", ["FO-39", "FO-49"])
def test_packets_of_a_machines_other_tunnel_are_none_of_this_one(
    tmp_path: Path, requirement: str, build: Callable[[Path], Run]
) -> None:
    rejects(build(tmp_path).judge(requirement), "never came")


def only_the_web_service(directory: Path) -> Run:
    """Let the web service answer on the virtual IP, and OpenVPN send nothing from it."""
    run = tunnels(directory, 14, fault="kill-ucarp")
    run.frames = [one for one in run.frames if one[2][23] != 17]
    for at in (13.7, 18.7):
        answer = struct.pack("!HHIIBBHHH", 943, 40001, 0, 0, 5 << 4, 0x12, 0, 0, 0)
        to_client(run, at, "secondary", encoder.ipv4(answer, VIRTUAL_IP, CLIENT, protocol=6))
    return run


def to_client(run: Run, at: float, node: str, packet: bytes) -> None:
    macs = encoder.octets(CLIENT_MAC) + encoder.octets(MAC[node])
    run.frame(at, f"{node}/wire0", macs + b"\x08\x00" + packet)


@pytest.mark.parametrize("requirement", ["FO-39", "FO-49"])
def test_a_web_service_on_the_virtual_ip_serves_no_tunnel(tmp_path: Path, requirement: str) -> None:
    run = only_the_web_service(tmp_path)
    unsure(run.judge(requirement), "nothing was sent from the virtual IP by the new node")


@pytest.mark.parametrize("requirement", ["FO-39", "FO-49"])
def test_a_tunnel_that_the_old_node_serves_by_its_own_address_is_rejected(
    tmp_path: Path, requirement: str
) -> None:
    run = only_the_web_service(tmp_path)
    for at in (13.999, 18.999):
        datagram = struct.pack("!HHHH", 1194, 40000, 24, 0) + bytes(16)
        own = encoder.ipv4(datagram, ADDRESS["primary"], CLIENT, protocol=17)
        to_client(run, at, "primary", own)
    rejects(run.judge(requirement), "served by primary, from its own address")


def test_a_tunnel_that_nobody_is_seen_to_serve_any_more_says_nothing(tmp_path: Path) -> None:
    run = tunnels(tmp_path, 61)
    run.frames = [one for one in run.frames if one[2][23] != 17 or one[0] < 63]
    unsure(run.judge("FO-39"), "nothing was sent from the virtual IP by the new node")


def test_a_tunnel_over_tcp_is_served_from_port_443(tmp_path: Path) -> None:
    run = tunnels(tmp_path, 20, protocol="tcp")
    run.frames = [one for one in run.frames if one[2][23] != 17]
    for at in (19.999, 24.999):
        segment = struct.pack("!HHIIBBHHH", 443, 40001, 0, 0, 5 << 4, 0x18, 0, 0, 0)
        to_client(run, at, "secondary", encoder.ipv4(segment, VIRTUAL_IP, CLIENT, protocol=6))
    passes(run.judge("FO-39"))


@pytest.mark.parametrize("of", ["client", "gateway"])
@pytest.mark.parametrize("requirement", ["FO-39", "FO-49"])
def test_a_tunnel_that_a_busy_host_delays_at_its_client_or_on_its_way_says_nothing(
    tmp_path: Path, requirement: str, of: str
) -> None:
    run = tunnels(tmp_path, 27, protocol="tcp")
    rejects(run.judge(requirement), "took 16.700 s")
    rejects(busy(run, "primary", 20, 23).judge(requirement), "took 16.700 s")
    is_late(run, requirement, of, 20, 23)


@pytest.mark.parametrize("requirement", ["FO-39", "FO-49"])
def test_a_client_that_drops_out_again_is_back_when_it_is_so_for_good(
    tmp_path: Path, requirement: str
) -> None:
    rejects(interrupted_again(tmp_path, 120).judge(requirement), "took 109.700 s")
    passes(interrupted_again(tmp_path, 60).judge(requirement))
    passes(interrupted_again(tmp_path, 30, 60, 80).judge(requirement))


def test_a_client_whose_last_packet_ends_an_interruption_is_not_back_yet(tmp_path: Path) -> None:
    run = tunnels(tmp_path, 20)
    run.events = run.events[:-1]
    carried(run, 60, silent=35, looked=60.2)
    served(run, 59.999, "secondary")
    unsure(run.judge("FO-39"), "seen for 0.0 s only")


def test_what_was_seen_of_a_tunnel_twice_is_no_second_interruption(tmp_path: Path) -> None:
    run = tunnels(tmp_path, 20).without("tunnel.carried")
    for _ in range(2):
        carried(run, 20, silent=9.7)
        carried(run, 120, looked=120.4)
    served(run, 119.999, "secondary")
    passes(run.judge("FO-39"))


@pytest.mark.parametrize("requirement", ["FO-39", "FO-49"])
def test_an_interruption_that_a_busy_host_makes_long_after_says_nothing(
    tmp_path: Path, requirement: str
) -> None:
    run = interrupted_again(tmp_path, 90.6)
    rejects(run.judge(requirement), "took 80.300 s")
    rejects(busy(run, "client", 85, 88).judge(requirement), "took 80.300 s")
    is_late(run, requirement, "client", 89, 90.5)


def test_an_interruption_is_explained_by_no_less_than_most_of_it(tmp_path: Path) -> None:
    run = interrupted_again(tmp_path, 100, silent=12)
    rejects(busy(run, "client", 98, 100).judge("FO-39"), "took 89.700 s")
    is_late(run, "FO-39", "client", 90, 98)


def test_what_is_longer_than_a_client_asks_is_to_be_explained(tmp_path: Path) -> None:
    run = interrupted_again(tmp_path, 90.6, silent=2.5)
    rejects(busy(run, "client", 90.2, 90.35).judge("FO-39"), "took 80.300 s")
    is_late(run, "FO-39", "client", 89.5, 90)


def test_an_interruption_before_one_that_a_busy_host_makes_is_rejected(tmp_path: Path) -> None:
    run = interrupted_again(tmp_path, 90.6, 110.6)
    rejects(busy(run, "client", 109, 110.5).judge("FO-39"), "took 80.300 s")


def test_an_interruption_of_an_older_run_ends_with_what_is_not_the_last(tmp_path: Path) -> None:
    """How long it was is not known: what kept its last packets may be why it was one."""
    run = as_once(interrupted_again(tmp_path, 90.6))
    rejects(run.judge("FO-39"), "took 80.300 s")
    unsure(busy(run, "client", 89, 90.5).judge("FO-39"), "`client` was kept from running")
