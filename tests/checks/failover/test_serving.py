"""FO-12 to 15: what answers where on a steady pair, and each way of answering wrongly."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.failover.crashes import busy, is_late
from tests.checks.failover.recording import (
    ADDRESS,
    CLIENT,
    CLIENT_MAC,
    MAC,
    NS,
    VIRTUAL_IP,
    Run,
    passes,
    rejects,
    stamp,
    steady,
    takeover,
    unsure,
)
from tests.checks.failover.strangers import tagged
from tests.checks.protocols import encoder


def serving(directory: Path) -> Run:
    run = steady(directory)
    for protocol, port in (("tcp", 443), ("tcp", 943), ("udp", 1194)):
        service = {"protocol": protocol, "port": port}
        run.event(5, "service.probed", "client", address=VIRTUAL_IP, answered=True, **service)
        run.event(
            6, "service.probed", "client", address=ADDRESS["secondary"], answered=False, **service
        )
        run.event(
            7, "service.probed", "client", address=ADDRESS["primary"], answered=True, **service
        )
    for second in range(5):
        run.asked(10 + second, "primary")
    run.asked(6, "secondary", address=ADDRESS["secondary"])
    return run


def test_a_standby_that_was_too_late_to_be_asked_shows_nothing(tmp_path: Path) -> None:
    run = serving(tmp_path)
    run.frames = [(at + 4.5 if 6 <= at < 7 else at, *more) for at, *more in run.frames]
    unsure(run.judge("FO-13"), "secondary did not answer ARP, so tcp 443 was not asked for")


@pytest.mark.parametrize("requirement", ["FO-12", "FO-13", "FO-14", "FO-15"])
def test_a_pair_that_serves_as_it_should_passes(tmp_path: Path, requirement: str) -> None:
    passes(serving(tmp_path).judge(requirement))


@pytest.mark.parametrize(
    ("requirement", "answered", "reason"),
    [
        ("FO-12", False, "udp 1194 does not answer on 192.168.70.222"),
        ("FO-13", True, "tcp 443 answers on 192.168.70.2"),
        ("FO-14", False, "tcp 443 does not answer on 192.168.70.1"),
    ],
)
def test_services_in_the_wrong_place_are_rejected(
    tmp_path: Path, requirement: str, answered: bool, reason: str
) -> None:
    rejects(
        serving(tmp_path).changed("service.probed", answered=answered).judge(requirement), reason
    )


@pytest.mark.parametrize(("requirement", "address"), [("FO-12", VIRTUAL_IP), ("FO-14", "primary")])
def test_a_service_that_the_standby_answers_by_its_mac_is_rejected(
    tmp_path: Path, requirement: str, address: str
) -> None:
    run = serving(tmp_path)
    asked = {"address": ADDRESS.get(address, address), "protocol": "tcp", "port": 443}
    run.event(8, "service.probed", "client", answered=True, mac=MAC["secondary"], **asked)
    rejects(run.judge(requirement), f"answered on {asked['address']} by {MAC['secondary']}")


def test_a_standby_that_sends_from_the_virtual_ip_is_rejected(tmp_path: Path) -> None:
    run = serving(tmp_path)
    raw = served(VIRTUAL_IP, MAC["secondary"])
    run.frame(20, "secondary/wire0", raw)
    rejects(run.judge("FO-12"), "secondary sends packets from it")


@pytest.mark.parametrize("requirement", ["FO-12", "FO-15"])
def test_what_a_host_of_a_vlan_claims_reaches_no_node_and_passes(
    tmp_path: Path, requirement: str
) -> None:
    run, mac = serving(tmp_path), "02:00:00:00:00:11"
    reply = encoder.arp(2, mac, VIRTUAL_IP, CLIENT, to=CLIENT_MAC)
    for at, raw in ((12.1, reply), (20, served(VIRTUAL_IP, mac)), (21, encoder.gratuitous(mac))):
        run.frame(at, "elsewhere/wire0", tagged(raw))
    passes(run.judge(requirement))


def test_a_standby_that_answers_in_a_vlan_is_rejected(tmp_path: Path) -> None:
    run = serving(tmp_path)
    reply = encoder.arp(2, MAC["secondary"], VIRTUAL_IP, CLIENT, to=CLIENT_MAC)
    run.frame(37, "secondary/wire0", tagged(reply))
    rejects(run.judge("FO-15"), "secondary answers ARP for it")


def served(source: str, mac: str) -> bytes:
    packet = encoder.ipv4(bytes(20), source, CLIENT, protocol=6)
    return encoder.octets(CLIENT_MAC) + encoder.octets(mac) + b"\x08\x00" + packet


def test_answers_that_name_the_active_nodes_mac_pass(tmp_path: Path) -> None:
    run = serving(tmp_path)
    for event in run.events:
        if event[3].get("answered"):
            event[3]["mac"] = MAC["primary"]
    passes(run.judge("FO-12"))
    passes(run.judge("FO-14"))


def test_an_answer_before_anybody_was_active_says_nothing(tmp_path: Path) -> None:
    run = serving(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] > 6]
    unsure(run.judge("FO-12"), "nothing shows who was active")


@pytest.mark.parametrize("requirement", ["FO-12", "FO-13", "FO-14"])
def test_services_never_asked_are_unknown(tmp_path: Path, requirement: str) -> None:
    unsure(serving(tmp_path).without("service.probed").judge(requirement), "never asked")


@pytest.mark.parametrize("service", [("tcp", 443), ("tcp", 943), ("udp", 1194)])
def test_an_active_node_without_one_service_of_its_own_is_rejected(
    tmp_path: Path, service: tuple[str, int]
) -> None:
    run = serving(tmp_path)
    asked = {"address": ADDRESS["primary"], "port": service[1]}
    for event in run.events:
        if asked.items() <= event[3].items():
            event[3]["answered"] = False
    rejects(run.judge("FO-14"), f"{service[0]} {service[1]} does not answer on 192.168.70.1")
    run = serving(tmp_path).but(**asked)
    unsure(run.judge("FO-14"), f"{service[0]} {service[1]} of 192.168.70.1 was never asked")


@pytest.mark.parametrize("requirement", ["FO-13", "FO-14"])
def test_services_asked_while_nothing_was_steady_say_nothing(
    tmp_path: Path, requirement: str
) -> None:
    run = serving(tmp_path)
    run.events = [
        (38.0, *event[1:]) if event[1] == "service.probed" else event for event in run.events
    ]
    unsure(run.judge(requirement), "never asked")


@pytest.mark.parametrize("requirement", ["FO-13", "FO-14"])
def test_a_span_in_which_nobody_was_active_says_nothing(tmp_path: Path, requirement: str) -> None:
    run = serving(tmp_path)
    run.frames = [frame for frame in run.frames if frame[2][12:14] == b"\x08\x06"]
    unsure(run.judge(requirement), "nothing shows that primary was active")


def test_a_standby_that_is_on_no_frame_says_nothing(tmp_path: Path) -> None:
    run = serving(tmp_path)
    run.frames = [frame for frame in run.frames if frame[1] != "secondary/wire0"]
    unsure(run.judge("FO-13"), "nothing shows that secondary was up")


def test_another_machine_at_the_standbys_address_does_not_show_that_it_lives(
    tmp_path: Path,
) -> None:
    run = serving(tmp_path)
    run.frames = [frame for frame in run.frames if frame[1] != "secondary/wire0"]
    run.asked(6, "primary", address=ADDRESS["secondary"])
    unsure(run.judge("FO-13"), "nothing shows that secondary was up")


def test_one_answer_to_five_questions_is_rejected(tmp_path: Path) -> None:
    run = steady(tmp_path)
    run.asked(10, "primary")
    for second in range(4):
        run.asked(11 + second)
    rejects(run.judge("FO-15"), "1 of 5 questions")


def test_one_answer_that_is_lost_is_no_violation(tmp_path: Path) -> None:
    run = serving(tmp_path)
    run.asked(20, "primary")
    run.asked(21)
    passes(run.judge("FO-15"))


def answered_late(directory: Path) -> Run:
    """Let the active node answer the first two of five questions after more than 2 s."""
    run = steady(directory)
    run.frames = [frame for frame in run.frames if not 10 < frame[0] < 13.4]
    for number in range(5):
        at = 10.0 + number
        reply = encoder.arp(2, MAC["primary"], VIRTUAL_IP, CLIENT, to=CLIENT_MAC)
        run.asked(at)
        run.frame(max(at + 0.001, 13.5 + number / 100), "primary/wire0", reply)
    return run


def test_answers_that_a_busy_host_delays_say_nothing(tmp_path: Path) -> None:
    run = answered_late(tmp_path)
    rejects(run.judge("FO-15"), "3 of 5 questions")
    for since, kept in ((10, 1.0), (11, 1.0), (12, 1.0), (13, 0.4)):
        late = {"of": "primary", "from_ns": stamp(since), "kept_ns": int(kept * NS)}
        run.event(since + kept, "host.late", "host", **late)
    unsure(run.judge("FO-15"), "3 of 5 questions", "was kept from running")


def test_answers_that_never_come_are_rejected_on_a_busy_host_too(tmp_path: Path) -> None:
    run = steady(tmp_path)
    for second in range(5):
        run.asked(10 + second, *(["primary"] if second == 4 else []))
    run.event(11, "host.late", "host", of="primary", from_ns=stamp(10), kept_ns=NS)
    rejects(run.judge("FO-15"), "1 of 5 questions")


def test_a_question_that_the_holder_asks_itself_needs_no_answer(tmp_path: Path) -> None:
    run = serving(tmp_path)
    for second in range(5):
        run.asked(20 + second, by=MAC["primary"])
    passes(run.judge("FO-15"))


def test_a_virtual_ip_left_on_the_old_node_is_rejected(tmp_path: Path) -> None:
    run = serving(tmp_path)
    run.asked(20, "primary", "secondary")
    rejects(run.judge("FO-15"), "2 MACs answer", "secondary answers ARP for it")


def test_the_wrong_nodes_mac_is_rejected(tmp_path: Path) -> None:
    run = serving(tmp_path)
    run.frames = [frame for frame in run.frames if frame[2][12:14] == b"\x08\x00"]
    for second in range(5):
        run.asked(10 + second, "secondary")
    rejects(run.judge("FO-15"), "not the active node's")


def test_a_standby_that_answers_outside_the_steady_span_is_rejected(tmp_path: Path) -> None:
    run = serving(tmp_path)
    run.asked(37, "secondary")
    rejects(run.judge("FO-15"), "secondary answers ARP for it")


def test_the_active_nodes_own_announcements_and_questions_pass(tmp_path: Path) -> None:
    run = serving(tmp_path)
    run.announce("primary", 16)
    run.frame(17, "primary/wire0", encoder.arp(1, MAC["primary"], VIRTUAL_IP, CLIENT))
    passes(run.judge("FO-15"))


@pytest.mark.parametrize("requirement", ["FO-13", "FO-14", "FO-15"])
def test_a_pair_that_nobody_watched_steadily_says_nothing(tmp_path: Path, requirement: str) -> None:
    run = serving(tmp_path).without("steady.began").without("steady.ended")
    unsure(run.judge(requirement), "no steady.began")


def test_a_virtual_ip_asked_for_too_seldom_says_nothing(tmp_path: Path) -> None:
    run = steady(tmp_path)
    run.asked(10, "primary")
    unsure(run.judge("FO-15"), "asked for 1 times")


def test_an_outage_that_a_takeover_may_take_is_no_matter_of_what_is_served(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.answer(11.5, 443, answered=False)
    passes(run.judge("FO-12"))


@pytest.mark.parametrize("at", [8, 30])
def test_a_service_that_does_not_answer_before_or_long_after_a_takeover_is_rejected(
    tmp_path: Path, at: float
) -> None:
    run = takeover(tmp_path)
    run.answer(at, 443, answered=False)
    rejects(run.judge("FO-12"), "tcp 443 does not answer")


def test_a_service_that_is_asked_in_an_outage_only_says_nothing(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.events = [event for event in run.events if event[3].get("port") != 943]
    run.answer(11.5, 943, answered=False)
    unsure(run.judge("FO-12"), "tcp 943")


def test_a_fault_that_calls_for_no_takeover_makes_no_outage(tmp_path: Path) -> None:
    run = serving(tmp_path)
    fault = {"fault": "kill-openvpn", "node": "primary", "expects_takeover": False}
    run.event(20, "fault.injected", "scenario", **fault)
    run.answer(21, 443, answered=False)
    rejects(run.judge("FO-12"), "tcp 443 does not answer")


def test_a_service_that_does_not_answer_while_the_role_is_moved_by_hand_passes(
    tmp_path: Path,
) -> None:
    run = serving(tmp_path)
    run.answer(36, 443, answered=False)
    rejects(run.judge("FO-12"), "tcp 443 does not answer")
    run.event(35, "handover.began", "scenario", node="primary")
    run.event(39, "handover.ended", "scenario", node="primary")
    passes(run.judge("FO-12"))


@pytest.mark.parametrize("of", ["primary", "scenario"])
@pytest.mark.parametrize(("requirement", "address"), [("FO-12", VIRTUAL_IP), ("FO-14", "primary")])
def test_a_single_question_that_a_busy_host_leaves_without_an_answer_says_nothing(
    tmp_path: Path, requirement: str, address: str, of: str
) -> None:
    run = serving(tmp_path)
    run.answer(23, 443, address=ADDRESS.get(address, address), answered=False)
    rejects(busy(run, of, 23, 24.5).judge(requirement), "tcp 443 does not answer")
    is_late(run, requirement, of, 24.5, 28)


def test_answers_in_a_vlan_are_none(tmp_path: Path) -> None:
    run = serving(tmp_path).mapped(
        lambda at, _, raw: [(at, tagged(raw) if raw[12:22].endswith(b"\0\2") else raw)]
    )
    rejects(run.judge("FO-15"), "answered for 0 of 5 questions")


def test_an_answer_of_another_host_with_a_priority_and_no_vlan_is_rejected(tmp_path: Path) -> None:
    run, mac = serving(tmp_path), "02:00:00:00:00:11"
    reply = encoder.arp(2, mac, VIRTUAL_IP, CLIENT, to=CLIENT_MAC)
    run.frame(20, "elsewhere/wire0", tagged(reply, vlan=0))
    rejects(run.judge("FO-15"), f"{mac} at elsewhere/wire0 answers ARP for it")
