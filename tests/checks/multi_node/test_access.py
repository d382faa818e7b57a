"""MN-10 and MN-11 reject the mutants of a good run for the reason they name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from checks.engine.verdict import Status
from checks.multi_node.guide import DAEMON_PORT
from checks.protocols.knocks import knocks
from evidence.capture import Frame
from evidence.moment import Window
from evidence.packets import parse
from tests.checks.factories import SECOND, Run, sent, tcp, udp
from tests.checks.multi_node.access_runs import (
    KNOCKER_PORT,
    RST_ACK,
    SYN_ACK,
    add_knocks,
    prohibited,
    run_mn_10,
    run_mn_11,
)
from tests.checks.multi_node.lateness import is_late, kept
from tests.checks.multi_node.runs import judge_mutant
from tests.checks.sites import GUIDE

DAEMON = (GUIDE.address("node-b", 4), DAEMON_PORT)
CONTROLLER = (GUIDE.controller.address(4), 50000)


def peer(run: Run, shown: str, tls: str = "1.2", node: str = "node-b", family: int = 4) -> dict:
    (found,) = [
        one
        for one in run.all("daemon.tried")
        if (one["shown"], one["tls"], one["node"], one["family"]) == (shown, tls, node, family)
    ]
    return found


# MN-10


def test_mn_10_rejects_a_daemon_without_tls(tmp_path: Path) -> None:
    run = run_mn_10()
    for shown in ("client", "none", "other-ca", "server"):
        peer(run, shown).update(answer="", detail="wrong version number")
    peer(run, "plain", "").update(answer="OK: 0", detail="")
    text = judge_mutant(run, "MN-10", tmp_path)
    assert "did not let the controller in: wrong version number" in text
    assert "answered no TLS: 'OK: 0'" in text


@pytest.mark.parametrize(
    ("shown", "tls", "called"),
    [
        ("none", "1.2", "no certificate"),
        ("other-ca", "1.2", "a certificate of another CA"),
        ("server", "1.2", "the daemon's own certificate"),
        ("client", "1.1", "its certificate by TLS 1.1"),
    ],
)
def test_mn_10_rejects_a_daemon_that_answers_others(
    shown: str, tls: str, called: str, tmp_path: Path
) -> None:
    run = run_mn_10()
    peer(run, shown, tls, family=6).update(answer="OK: 0")
    text = judge_mutant(run, "MN-10", tmp_path)
    assert f"vpn-daemon of node-b over IPv6 answered {called}" in text


def test_mn_10_rejects_an_answer_in_the_clear_that_nobody_told_of(tmp_path: Path) -> None:
    run = run_mn_10()
    run.frames.append(sent(tcp(DAEMON, CONTROLLER, b"OK: 0\n")))
    assert "answered in the clear: b'OK: 0" in judge_mutant(run, "MN-10", tmp_path)


def test_mn_10_a_refusal_of_what_was_never_sent_is_none(tmp_path: Path) -> None:
    run = run_mn_10()
    peer(run, "client", "1.1").update(sent=0, detail="no protocols available")
    verdict = run.judge("MN-10", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "was never sent to vpn-daemon of node-b over IPv4: no protocols" in verdict.text


def test_mn_10_who_was_not_reached_has_refused_nobody(tmp_path: Path) -> None:
    run = run_mn_10()
    peer(run, "server").update(connected=False, sent=0, detail="timed out")
    verdict = run.judge("MN-10", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "was not reached" in verdict.text


def test_mn_10_of_one_node_says_nothing_of_the_other(tmp_path: Path) -> None:
    run = run_mn_10()
    run.events = [one for one in run.events if one[2]["node"] != "node-b"]
    assert run.judge("MN-10", tmp_path).status is Status.UNKNOWN


# MN-11


def test_mn_11_rejects_a_rule_without_src_net(tmp_path: Path) -> None:
    run = Run()
    for node in GUIDE.nodes:
        for machine in (one for one in GUIDE.hosts if one != node):
            for family in (4, 6):
                add_knocks(run, machine, node, family, "tcp", {DAEMON_PORT: "open"})
    text = judge_mutant(run, "MN-11", tmp_path)
    assert "client at tcp/41194 of node-a over IPv4 is let in" in text
    assert "node-a at tcp/41194 of node-b over IPv6 is let in" in text


def test_mn_11_rejects_a_controller_that_is_kept_out(tmp_path: Path) -> None:
    run = run_mn_11()
    for number, frame in enumerate(run.frames):
        if frame.data[47] == SYN_ACK:
            run.frames[number] = replace(
                frame, data=prohibited(run.frames[number - 1].data, DAEMON[0], CONTROLLER[0])
            )
    for event in run.all("ports.knocked", "controller"):
        event["knocks"][0]["said"] = "prohibited"
    assert "controller at tcp/41194 of node-a over IPv4 is not let in" in judge_mutant(
        run, "MN-11", tmp_path
    )


def test_mn_11_a_reset_is_no_refusal_by_a_firewall(tmp_path: Path) -> None:
    run = run_mn_11()
    source, target = GUIDE.address("client", 4), GUIDE.address("node-a", 4)
    answer = tcp((target, DAEMON_PORT), (source, 40000), b"", RST_ACK)
    run.frames.append(Frame(0, "node-a/wire0", answer, ""))
    text = judge_mutant(run, "MN-11", tmp_path)
    assert "client at tcp/41194 of node-a over IPv4 got past the firewall" in text


def test_mn_11_the_wire_has_the_last_word_over_who_says_it_was_silent(tmp_path: Path) -> None:
    run = run_mn_11()
    source, target = GUIDE.address("services", 6), GUIDE.address("node-b", 6)
    answer = tcp((target, DAEMON_PORT), (source, 40000), b"", SYN_ACK)
    run.frames.append(Frame(0, "node-b/wire0", answer, ""))
    assert "services at tcp/41194 of node-b over IPv6 is let in" in judge_mutant(
        run, "MN-11", tmp_path
    )


def test_mn_11_a_knock_that_the_wire_dropped_was_refused_by_nobody(tmp_path: Path) -> None:
    run = run_mn_11()
    run.frames = [
        replace(one, comment="dropped by rule 1") if one.interface == "services/wire0" else one
        for one in run.frames
    ]
    verdict = run.judge("MN-11", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "services at tcp/41194 of node-a over IPv4: the wire carried no knock" in verdict.text


def test_mn_11_an_answer_of_another_machine_lets_nobody_in(tmp_path: Path) -> None:
    run = run_mn_11()
    run.frames = [
        replace(one, interface="services/wire0") if one.interface == "node-a/wire0" else one
        for one in run.frames
    ]
    verdict = run.judge("MN-11", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "open by what it was told, not so by the wire" in verdict.text


def test_mn_11_who_is_kept_out_by_the_wire_alone_was_let_in_by_the_node(tmp_path: Path) -> None:
    run = run_mn_11()
    for one in run.all("ports.knocked", "client"):
        if (one["node"], one["family"]) == ("node-b", 4):
            one["knocks"] = [{"port": DAEMON_PORT, "said": "silent"}]
    knocker = GUIDE.client.address(4), KNOCKER_PORT
    answer = tcp(DAEMON, knocker, b"", SYN_ACK)
    run.frames = [
        Frame(0, one.interface, answer, "dropped by rule 1") if is_answer(one, knocker[0]) else one
        for one in run.frames
    ]
    assert "client at tcp/41194 of node-b over IPv4 is let in" in judge_mutant(
        run, "MN-11", tmp_path
    )


def is_answer(frame: Frame, knocker: str) -> bool:
    """Whether node-b has sent a frame to who knocks."""
    packet = parse(frame.data)
    return packet is not None and (frame.interface, packet.target) == ("node-b/wire0", knocker)


def test_mn_11_a_controller_that_is_reset_reaches_no_daemon(tmp_path: Path) -> None:
    run = Run()
    for node in GUIDE.nodes:
        for machine in (one for one in GUIDE.hosts if one != node):
            reached = "reset" if node == "node-b" else "open"
            said = reached if machine == GUIDE.controller.name else "prohibited"
            for family in (4, 6):
                add_knocks(run, machine, node, family, "tcp", {DAEMON_PORT: said})
    text = judge_mutant(run, "MN-11", tmp_path)
    assert "controller finds nobody at 41194 of node-b" in text


def test_mn_11_port_unreachable_for_a_segment_is_a_firewalls_refusal(tmp_path: Path) -> None:
    """The REJECT of iptables without --reject-with; Linux says ECONNREFUSED to the knocker."""
    run = run_mn_11()
    run.frames = [port_unreachable(frame) for frame in run.frames]
    for event in run.all("ports.knocked"):
        for knock in event["knocks"]:
            if knock["said"] == "prohibited":
                knock["said"] = "reset"
    verdict = run.judge("MN-11", tmp_path)
    assert verdict.status is Status.PASS, verdict.text


def port_unreachable(frame: Frame) -> Frame:
    """Make "port unreachable" of a frame that says "prohibited" by ICMP."""
    data = frame.data
    if data[12:14] == b"\x08\x00" and data[23] == 1:
        return replace(frame, data=data[:35] + b"\x03" + data[36:])
    if data[12:14] == b"\x86\xdd" and data[20] == 58:
        return replace(frame, data=data[:55] + b"\x04" + data[56:])
    return frame


# What the wire shows of knocks


@pytest.mark.parametrize("family", [4, 6])
def test_an_icmp_error_belongs_to_the_knock_that_it_quotes(family: int) -> None:
    run = Run()
    add_knocks(run, "client", "node-a", family, "udp", {53: "prohibited"})
    frames = [replace(one, at_ns=number) for number, one in enumerate(run.frames)]
    way = GUIDE.address("client", family), GUIDE.address("node-a", family), "udp", 53
    assert [one.what for one in knocks(frames, "here").sightings[way]] == ["knock", "prohibited"]


@pytest.mark.parametrize("length", range(0, 90, 7))
def test_a_frame_that_ends_early_is_no_knock_and_no_trouble(length: int) -> None:
    run = Run()
    for family in (4, 6):
        add_knocks(run, "client", "node-a", family, "tcp", {22: "prohibited"})
    cut = [replace(one, data=one.data[:length]) for one in run.frames]
    for way in knocks(cut, "here").sightings:
        assert way[2:] in (("tcp", 22), ("tcp", 40000))


def test_a_datagram_to_another_port_than_the_knock_came_from_is_no_answer() -> None:
    run = Run()
    add_knocks(run, "client", "node-a", 4, "udp", {123: "silent"})
    client, node = GUIDE.address("client", 4), GUIDE.address("node-a", 4)
    run.frames.append(Frame(0, "node-a/wire0", udp((node, 123), (client, 123), b"ntp"), ""))
    during = Window(0, SECOND)
    found = knocks(run.frames, "here").between(
        "client", "node-a", (client, node, "udp", 123), during
    )
    assert found == {"knock"}


def silent_daemon(*, told: str = "silent", answered: bool = False) -> Run:
    """Let the controller's first knock be silent after 3 s; the wire may have its answer."""
    run = run_mn_11()
    event = run.all("ports.knocked", "controller")[0]
    event["knocks"][0]["said"] = told
    event["at_ns"] = event["began_ns"] + 4 * SECOND
    if not answered:
        gone = next(one for one in run.frames if one.data[47] == SYN_ACK)
        run.frames = [one for one in run.frames if one is not gone]
    return run


@pytest.mark.parametrize("of", ["controller", "node-a", "wire"])
@pytest.mark.parametrize(("answered", "before"), [(False, Status.FAIL), (True, Status.UNKNOWN)])
def test_mn_11_a_knock_that_a_busy_host_leaves_without_an_answer_says_nothing(
    tmp_path: Path, of: str, answered: bool, before: Status
) -> None:
    is_late(lambda: silent_daemon(answered=answered), "MN-11", tmp_path, of, (1, 4.5), before)


def test_mn_11_what_a_firewall_prohibits_is_no_busy_hosts(tmp_path: Path) -> None:
    judge_mutant(kept(silent_daemon(told="prohibited"), "node-a", 1, 4.5), "MN-11", tmp_path)


def told_open() -> Run:
    """Let the client be told that a knock was let in, which the wire carried no answer of."""
    run = run_mn_11()
    event = run.all("ports.knocked", "client")[0]
    event["knocks"][0]["said"] = "open"
    event["at_ns"] = event["began_ns"] + 4 * SECOND
    return run


def test_mn_11_a_connection_that_the_wire_did_not_carry_is_none(tmp_path: Path) -> None:
    """Seen beside two busy loops: connected by the client's word, prohibited on the wire."""
    is_late(told_open, "MN-11", tmp_path, "client", (1, 4.5), Status.UNKNOWN)
