"""FO-26, 31, 39, 49: announcements, logs and clients after a takeover, as they must be."""

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
    takeover,
    unsure,
)
from tests.checks.protocols import encoder


@pytest.mark.parametrize("requirement", ["FO-26", "FO-31"])
def test_a_takeover_as_it_should_be_passes(tmp_path: Path, requirement: str) -> None:
    passes(takeover(tmp_path).judge(requirement))


def test_dropped_announcements_are_rejected(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.frames = [
        (at, port, raw, "dropped by rule 1" if raw[12:14] == b"\x08\x06" else note)
        for at, port, raw, note in run.frames
    ]
    rejects(run.judge("FO-26"), "no gratuitous ARP")


def test_a_single_announcement_is_rejected(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    last = max(at for at, _, raw, _ in run.frames if raw[12:14] == b"\x08\x06")
    run.mapped(lambda at, _, raw: [] if at == last else [(at, raw)])
    rejects(run.judge("FO-26"), "1 gratuitous ARP(s)")


def test_a_client_that_keeps_the_old_mac_is_rejected(tmp_path: Path) -> None:
    run = takeover(tmp_path).changed("neighbour.seen", mac=MAC["primary"])
    rejects(run.judge("FO-26"), "still has 02:00:00:00:00:01")


def test_a_client_whose_neighbours_nobody_read_shows_nothing(tmp_path: Path) -> None:
    run = takeover(tmp_path).without("neighbour.seen")
    unsure(run.judge("FO-26"), "no client's neighbour table was read")


@pytest.mark.parametrize("requirement", ["FO-26", "FO-39", "FO-49"])
def test_after_kill_9_of_ucarp_the_virtual_ip_stays_on_the_old_node_too(
    tmp_path: Path, requirement: str
) -> None:
    run = tunnels(tmp_path, 61, fault="kill-ucarp")
    for at in range(17, 37):
        run.asked(at, "primary", "secondary")
    rejects(run.judge(requirement), "primary answers ARP for it while secondary is the active")


def test_a_state_line_in_the_wrong_file_is_rejected(tmp_path: Path) -> None:
    run = takeover(tmp_path).changed("log.line", file="syslog")
    rejects(run.judge("FO-31"), "not in openvpnas.log")


def test_a_state_line_that_comes_too_late_is_rejected(tmp_path: Path) -> None:
    run = takeover(tmp_path).without("log.line")
    run.event(20, "log.line", "secondary", file="openvpnas.log", text="Switching to state: MASTER")
    run.event(20, "log.line", "secondary", file="openvpnas-node.log", text="x")
    rejects(run.judge("FO-31"), "6.8 s +- 0.0 s from the wire's event")


def test_a_state_line_dated_too_coarsely_says_nothing(tmp_path: Path) -> None:
    run = takeover(tmp_path).without("log.line")
    run.event(
        14.5, "log.line", "secondary", 3, file="openvpnas.log", text="Switching to state: MASTER"
    )
    run.event(14.5, "log.line", "secondary", file="openvpnas-node.log", text="x")
    unsure(run.judge("FO-31"), "too coarse for a limit of 2 s")


@pytest.mark.parametrize("requirement", ["FO-26", "FO-31", "FO-39", "FO-49"])
def test_a_fault_that_calls_for_no_takeover_shows_none(tmp_path: Path, requirement: str) -> None:
    run = tunnels(tmp_path, 61, fault="kill-openvpn")
    run.changed("fault.injected", expects_takeover=False)
    run.frames = [frame for frame in run.frames if not frame[1].startswith("secondary")]
    run.beats("primary", 10.2, 400, counter=1011)
    unsure(run.judge(requirement), "no fault was recorded that calls for a takeover")


def test_nothing_written_to_the_nodes_own_log_is_rejected(tmp_path: Path) -> None:
    run = takeover(tmp_path).but(file="openvpnas-node.log")
    rejects(run.judge("FO-31"), "nothing was written to openvpnas-node.log")


def tunnels(
    directory: Path,
    *backs: float | None,
    protocol: str = "udp",
    client: str = "outside",
    fault: str = "power-off",
) -> Run:
    """Watch one client for each of `backs`, the second of its first packet after the takeover."""
    run = takeover(directory, fault=fault).without("fault.watched")
    run.seconds = 400
    run.beats("secondary", 40.2, 400, counter=2000)
    for number, back in enumerate(backs):
        run.event(5, "tunnel.watched", f"client-{number}", client=client, protocol=protocol)
        if back is not None:
            for at in (back, back + 5):
                carried(run, at, f"client-{number}", client=client, protocol=protocol)
                served(run, at - 0.001, "secondary")
    return run


def carried(
    run: Run, at: float, who: str = "client-0", uncertainty: float = 0, **data: object
) -> None:
    fields = {"client": "outside", "protocol": "udp", "sent_ns": stamp(at - 0.002), **data}
    run.event(at, "tunnel.carried", who, uncertainty, **fields)


def served(run: Run, at: float, node: str) -> None:
    """Let a node send a datagram of OpenVPN from the virtual IP."""
    datagram = struct.pack("!HHHH", 1194, 40000, 8 + 16, 0) + bytes(16)
    packet = encoder.ipv4(datagram, VIRTUAL_IP, CLIENT, protocol=17)
    macs = encoder.octets(CLIENT_MAC) + encoder.octets(MAC[node])
    run.frame(at, f"{node}/wire0", macs + b"\x08\x00" + packet)


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


@pytest.mark.parametrize("requirement", ["FO-26", "FO-31", "FO-39", "FO-49"])
def test_a_rogue_that_advertises_from_the_standbys_address_is_no_takeover(
    tmp_path: Path, requirement: str
) -> None:
    run = tunnels(tmp_path, 61)
    run.frames = [frame for frame in run.frames if not frame[1].startswith("secondary")]
    for at in range(13, 400):
        forged = encoder.carp(ADDRESS["secondary"], password="guessed", counter=2000 + at)
        run.frame(at + 0.5, "rogue/wire0", forged)
    rejects(run.judge(requirement), "secondary did not take over in")


def late_by_a_second(directory: Path) -> Run:
    """Let the second ARP and the log's lines come after 3.3 s."""
    run = takeover(directory).mapped(
        lambda at, _, raw: [(at + 1.3 if raw[12:14] == b"\x08\x06" and at > 15 else at, raw)]
    )
    run.events = [(16.5 if one[1] == "log.line" else one[0], *one[1:]) for one in run.events]
    return run


@pytest.mark.parametrize(
    ("requirement", "said"), [("FO-26", "1 gratuitous ARP(s)"), ("FO-31", "the MASTER line is 3.3")]
)
def test_what_a_busy_host_delays_after_a_takeover_says_nothing(
    tmp_path: Path, requirement: str, said: str
) -> None:
    run = late_by_a_second(tmp_path)
    rejects(run.judge(requirement), said)
    rejects(busy(run, "primary", 13.3, 16.5).judge(requirement), said)
    verdict = busy(run, "secondary", 13.3, 16.5).judge(requirement)
    unsure(verdict, said, "`secondary` was kept from running")
    assert verdict.late


def test_a_first_announcement_that_a_busy_host_delays_says_nothing(tmp_path: Path) -> None:
    run = takeover(tmp_path).mapped(
        lambda at, _, raw: [(at + 0.5 if raw[12:14] == b"\x08\x06" else at, raw)]
    )
    rejects(run.judge("FO-26"), "came 0.500 s from the first advertisement")
    unsure(busy(run, "wire", 13.2, 13.7).judge("FO-26"), "`wire` was kept from running")


def test_a_takeover_watched_for_less_than_the_second_announcement_takes_says_nothing(
    tmp_path: Path,
) -> None:
    run = takeover(tmp_path).without("fault.watched")
    run.event(14.9, "fault.watched", "scenario", node="primary")
    run.event(14, "neighbour.seen", "client", address=VIRTUAL_IP, mac=MAC["secondary"])
    unsure(run.judge("FO-26"), "watched for only 1.7 s")


def of_another_protocol(directory: Path) -> Run:
    """Watch a tunnel over UDP and one over TCP of one machine; only the latter comes back."""
    run = tunnels(directory, 17, protocol="tcp")
    run.event(6, "tunnel.watched", "client-0", client="outside", protocol="udp")
    return run


def of_the_inside(directory: Path) -> Run:
    """Watch a machine's tunnel from outside and one from inside; only the latter comes back."""
    run = tunnels(directory, None)
    run.event(4, "tunnel.watched", "client-0", client="inside", protocol="udp")
    for at in (61, 66):
        carried(run, at, client="inside")
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


def interrupted_again(directory: Path, *lines: float) -> Run:
    """Let a client be back after 9.7 s, drop out again, and be seen at these seconds."""
    run = tunnels(directory, 20)
    for at in lines:
        carried(run, at)
        served(run, at - 0.001, "secondary")
    return run


@pytest.mark.parametrize("requirement", ["FO-39", "FO-49"])
def test_a_client_that_drops_out_again_is_back_when_it_is_so_for_good(
    tmp_path: Path, requirement: str
) -> None:
    rejects(interrupted_again(tmp_path, 120, 125).judge(requirement), "took 109.700 s")
    passes(interrupted_again(tmp_path, 60, 65).judge(requirement))


def test_what_was_seen_of_a_tunnel_twice_is_no_second_interruption(tmp_path: Path) -> None:
    run = interrupted_again(tmp_path, 120)
    run.events = [one for one in run.events if one[1] != "tunnel.carried" or one[0] != 25]
    run.events += [one for one in run.events if one[1] == "tunnel.carried"]
    passes(run.judge("FO-39"))


def watched_shortly(directory: Path) -> Run:
    """Let the watch end 0.7 s after the takeover, and the log's lines come 0.5 s later."""
    run = takeover(directory).without("fault.watched")
    run.events = [(14.4 if one[1] == "log.line" else one[0], *one[1:]) for one in run.events]
    run.event(13.9, "fault.watched", "scenario", node="primary")
    return run


def test_lines_that_come_in_time_but_after_the_watch_pass(tmp_path: Path) -> None:
    passes(watched_shortly(tmp_path).judge("FO-31"))


@pytest.mark.parametrize("file", ["openvpnas.log", "openvpnas-node.log"])
def test_a_line_that_was_not_seen_in_so_short_a_watch_says_nothing(
    tmp_path: Path, file: str
) -> None:
    run = watched_shortly(tmp_path).but(file=file)
    unsure(run.judge("FO-31"), "watched for only 0.7 s")


def test_lines_that_come_after_something_else_was_done_are_due_to_that(tmp_path: Path) -> None:
    run = watched_shortly(tmp_path)
    lab = {"lab": "lab", "generation": 2, "clock": {"behind_ns": 0}}
    run.event(14.2, "lab.thawed", "scenario", **lab)
    unsure(run.judge("FO-31"), "watched for only 0.7 s")


def test_lines_that_come_too_late_after_a_short_watch_say_nothing(tmp_path: Path) -> None:
    run = watched_shortly(tmp_path)
    run.events = [(16 if one[1] == "log.line" else one[0], *one[1:]) for one in run.events]
    unsure(run.judge("FO-31"), "watched for only 0.7 s")
