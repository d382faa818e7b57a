"""MN-28 and MN-29 reject the mutants of a good run for the reason they name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from checks.engine.verdict import Status
from checks.multi_node.guide import DAEMON_PORT
from evidence.capture import Frame
from tests.checks.factories import Data, Run, tcp, udp
from tests.checks.multi_node.access_runs import (
    KNOCKER_PORT,
    RST_ACK,
    SYN_ACK,
    echo,
    run_mn_28,
    run_mn_29,
)
from tests.checks.multi_node.lateness import is_late
from tests.checks.multi_node.runs import judge_mutant
from tests.checks.sites import GUIDE

CLIENT, CONTROLLER = GUIDE.client, GUIDE.controller
MASQUERADE = "-A POSTROUTING -s 10.2.0.0/25 -j MASQUERADE"
SNAT = "-A POSTROUTING -s 10.2.0.0/25 -j SNAT --to-source 145.0.6.73"


def shown(run: Run, node: str, phase: str) -> list[Data]:
    return [one for one in run.all("firewall.shown", node) if one["phase"] == phase]


def changed(run: Run, node: str, family: str, old: str, new: str, phase: str = "") -> Run:
    for one in run.all("firewall.shown", node):
        if phase in ("", one["phase"]):
            assert old in one[family]
            one[family] = one[family].replace(old, new)
    return run


def answer(node: str, knocker: str, port: int, flags: int, family: int = 4) -> Frame:
    ends = (GUIDE.address(node, family), port), (GUIDE.address(knocker, family), KNOCKER_PORT)
    return Frame(0, f"{node}/wire0", tcp(*ends, b"", flags), "")


# MN-28: the rules


def test_mn_28_rejects_the_guides_ipv6_text_as_printed(tmp_path: Path) -> None:
    run = run_mn_28()  # it is not loaded, so there are no rules
    for one in run.all("firewall.shown", "node-a"):
        one["ipv6"] = ""
    text = judge_mutant(run, "MN-28", tmp_path)
    assert "node-a, IPv6, once they were loaded: nothing refuses what is left" in text
    assert "clients of fd00:1:1:1::/64 do not get" in text


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("-s 145.0.6.71/32 ", "", "tcp/41194 is let in from everywhere"),
        ("--dport 22 ", "--dport 80 ", "tcp/80 is let in from everywhere"),
        ("--dport 22 ", "--dport 80 ", "tcp/22 is not let in from everywhere"),
        ("-i lo", "-i wire0", "-i wire0 -j ACCEPT lets in what the guide does not"),
        (
            "INPUT -j REJECT --reject-with icmp-host-prohibited",
            "INPUT -j ACCEPT",
            "lets in what the guide does not",
        ),
        ("145.0.6.71/32", "145.0.6.0/24", "tcp/41194 is let in from 145.0.6.0/24"),
        (SNAT, MASQUERADE, "do not get 145.0.6.73: -s 10.2.0.0/25 -j MASQUERADE"),
        (SNAT, SNAT.replace("6.73", "6.72"), "do not get 145.0.6.73"),
    ],
)
def test_mn_28_rejects_other_rules(old: str, new: str, words: str, tmp_path: Path) -> None:
    run = changed(run_mn_28(), "node-b", "ipv4", old, new, "loaded")
    assert words in judge_mutant(run, "MN-28", tmp_path)


@pytest.mark.parametrize("phase", ["rebooted", "applied"])
def test_mn_28_rejects_rules_that_do_not_last(phase: str, tmp_path: Path) -> None:
    run = changed(run_mn_28(), "node-b", "ipv4", SNAT, MASQUERADE, phase)
    after = {"rebooted": "after a reboot", "applied": "after apply_changes.sh"}[phase]
    assert f"node-b, IPv4, {after}: clients of" in judge_mutant(run, "MN-28", tmp_path)


def test_mn_28_without_a_reboot_nothing_has_survived_one(tmp_path: Path) -> None:
    run = run_mn_28()
    for one in shown(run, "node-a", "rebooted"):
        one["boot"] = "first"
    verdict = run.judge("MN-28", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "it was not rebooted in between" in verdict.text


def test_mn_28_rejects_an_apply_changes_that_fails(tmp_path: Path) -> None:
    run = run_mn_28()
    run.find("changes.applied", "node-b").update(status=1, output="ERROR: it could not")
    text = judge_mutant(run, "MN-28", tmp_path)
    assert "node-b: apply_changes.sh: ERROR: it could not" in text


def test_mn_28_before_apply_changes_nothing_has_survived_it(tmp_path: Path) -> None:
    run = run_mn_28()
    run.find("changes.applied", "node-b")["at_ns"] += 60 * 10**9
    verdict = run.judge("MN-28", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "node-b was shown before apply_changes.sh had run" in verdict.text


def test_mn_28_what_was_applied_before_the_rules_were_loaded_shows_nothing(tmp_path: Path) -> None:
    run = run_mn_28()
    run.find("changes.applied", "node-b")["at_ns"] = shown(run, "node-b", "loaded")[0]["at_ns"] - 1
    verdict = run.judge("MN-28", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "node-b was shown before apply_changes.sh had run" in verdict.text


def test_mn_28_a_line_that_is_no_rule_is_unknown(tmp_path: Path) -> None:
    run = changed(run_mn_28(), "node-a", "ipv4", "*nat", "nat is here", "loaded")
    verdict = run.judge("MN-28", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "is no line of a ruleset with counters" in verdict.text


@pytest.mark.parametrize("status", [0, None])
def test_mn_28_shows_that_the_guides_text_fails(status: int | None, tmp_path: Path) -> None:
    run = run_mn_28()
    if status is None:
        run.events = [one for one in run.events if one[0] != "guide.text"]
    else:
        run.find("guide.text")["status"] = status
    verdict = run.judge("MN-28", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "the guide's text for IPv6, as it is printed, is refused" in verdict.text


# MN-28: what they do


def test_mn_28_rejects_a_client_that_gets_at_the_daemon(tmp_path: Path) -> None:
    run = run_mn_28()
    run.frames.append(answer("node-a", CLIENT.name, DAEMON_PORT, SYN_ACK))
    text = judge_mutant(run, "MN-28", tmp_path)
    assert "client at tcp/41194 of node-a over IPv4 is let in" in text


def test_mn_28_rejects_a_port_that_is_only_closed(tmp_path: Path) -> None:
    run = run_mn_28()
    run.frames.append(answer("node-b", CONTROLLER.name, 25, RST_ACK, 6))
    text = judge_mutant(run, "MN-28", tmp_path)
    assert "controller at tcp/25 of node-b over IPv6 got past the firewall" in text


def test_mn_28_rejects_an_answer_to_a_datagram(tmp_path: Path) -> None:
    run = run_mn_28()
    ends = (GUIDE.address("node-a", 4), 53), (CLIENT.address(4), KNOCKER_PORT)
    run.frames.append(Frame(0, "node-a/wire0", udp(*ends, b"knock"), ""))
    text = judge_mutant(run, "MN-28", tmp_path)
    assert "client at udp/53 of node-a over IPv4 is let in" in text


def test_mn_28_where_nobody_listens_silence_shows_nothing(tmp_path: Path) -> None:
    run = run_mn_28()
    for one in run.all("firewall.shown", "node-a"):
        one["sockets"] = 'udp UNCONN 0 0 127.0.0.1:53 *:* users:(("x",pid=1,fd=3))'
    verdict = run.judge("MN-28", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "nobody listens at 53, so silence shows nothing" in verdict.text


def test_mn_28_a_scan_of_few_ports_is_none(tmp_path: Path) -> None:
    run = run_mn_28()
    for one in run.all("ports.knocked", "client"):
        one["knocks"] = one["knocks"][-12:]
    verdict = run.judge("MN-28", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "other ports, 40 are needed" in verdict.text


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("--dport 1194", "no datagram to OpenVPN was let in"),
        ("INPUT -j REJECT", "no packet was refused"),
        ("SNAT", "no client got its address"),
    ],
)
def test_mn_28_rejects_rules_that_counted_nothing(rule: str, words: str, tmp_path: Path) -> None:
    run = run_mn_28()
    for one in shown(run, "node-b", "applied"):
        lines = one["ipv4"].splitlines()
        lines = [line.replace("[100:6000]", "[0:0]") if rule in line else line for line in lines]
        one["ipv4"] = "\n".join(lines)
    assert f"node-b, IPv4: by its counters {words}" in judge_mutant(run, "MN-28", tmp_path)


def test_mn_28_rejects_a_client_that_leaves_under_its_own_address(tmp_path: Path) -> None:
    run = run_mn_28()
    run.frames.append(echo("10.1.0.2", GUIDE.services.address(4), "node-a"))
    text = judge_mutant(run, "MN-28", tmp_path)
    assert "node-a-client by node-a to 145.0.6.10 left as 10.1.0.2" in text


def test_mn_28_an_answer_that_the_wire_knows_nothing_of_is_unknown(tmp_path: Path) -> None:
    run = run_mn_28()
    run.frames = [one for one in run.frames if b"\x08\x00\x00\x00" not in one.data[34:38]]
    verdict = run.judge("MN-28", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "the wire shows 0 requests, of nobody" in verdict.text


# MN-29


def forward(run: Run, node: str, family: int, way: str) -> Data:
    (found,) = [
        one
        for one in run.all("forward.tried")
        if (one["node"], one["family"], one["way"]) == (node, family, way)
    ]
    return found


def test_mn_29_rejects_a_node_that_forwards_everything(tmp_path: Path) -> None:
    refusal = "FORWARD -j REJECT --reject-with icmp-host-prohibited"
    run = changed(run_mn_29(), "node-b", "ipv4", refusal, "FORWARD -j ACCEPT")
    text = judge_mutant(run, "MN-29", tmp_path)
    assert "node-b, IPv4: -j ACCEPT forwards what it should not" in text
    assert "nothing refuses what is left" in text


def test_mn_29_rejects_the_guides_own_rule(tmp_path: Path) -> None:
    answers = "-o tun+ -m conntrack --ctstate RELATED,ESTABLISHED"
    run = changed(run_mn_29(), "node-a", "ipv6", answers, "-o tun+")
    text = judge_mutant(run, "MN-29", tmp_path)
    assert "node-a, IPv6: -i wire0 -o tun+ -j ACCEPT forwards what it should not" in text


@pytest.mark.parametrize("way", ["to a client of the same process", "to a client of another"])
def test_mn_29_rejects_clients_that_reach_each_other(way: str, tmp_path: Path) -> None:
    run = run_mn_29()
    forward(run, "node-a", 6, way)["received"] = 1
    text = judge_mutant(run, "MN-29", tmp_path)
    assert f"node-a-udp4 by node-a {way}, to fd00:1:1:1::" in text
    assert "1 of 1 were answered" in text


@pytest.mark.parametrize("way", ["in", "through"])
def test_mn_29_rejects_what_the_node_sends_on(way: str, tmp_path: Path) -> None:
    run = run_mn_29()
    target = forward(run, "node-b", 4, way)["target"]
    run.frames.append(echo(GUIDE.services.address(4), target, "node-b"))
    assert "the node sent it on" in judge_mutant(run, "MN-29", tmp_path)


def test_mn_29_rejects_what_the_node_sends_on_under_its_own_address(tmp_path: Path) -> None:
    run = run_mn_29()
    target = forward(run, "node-b", 6, "through")["target"]
    run.frames.append(echo(GUIDE.address("node-b", 6), target, "node-b"))
    assert "the node sent it on" in judge_mutant(run, "MN-29", tmp_path)


def test_mn_29_what_the_node_asks_itself_is_not_sent_on(tmp_path: Path) -> None:
    run = run_mn_29()
    target = forward(run, "node-b", 4, "through")["target"]
    run.frames.append(echo(GUIDE.address("node-b", 4), target, "node-b", number=7))
    verdict = run.judge("MN-29", tmp_path)
    assert verdict.status is Status.PASS, verdict.text


def test_mn_29_what_was_never_sent_was_not_refused(tmp_path: Path) -> None:
    run = run_mn_29()
    run.frames = [one for one in run.frames if not one.interface.startswith("services/")]
    verdict = run.judge("MN-29", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "the wire carried no request" in verdict.text


def test_mn_29_rejects_a_node_that_has_refused_less_than_was_sent(tmp_path: Path) -> None:
    run = run_mn_29()
    for one in run.all("firewall.shown", "node-b"):
        one["ipv6"] = one["ipv6"].replace("[50:3000]", "[3:180]")
    text = judge_mutant(run, "MN-29", tmp_path)
    assert "node-b, IPv6: 4 were sent, 3 were refused by its counters" in text


def test_mn_29_counters_that_were_read_meanwhile_show_nothing(tmp_path: Path) -> None:
    run = run_mn_29()
    for one in run.all("forward.tried"):
        one["at_ns"] += 60 * 10**9
    verdict = run.judge("MN-29", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "were not read before and after all that was sent" in verdict.text


def test_mn_29_rejects_a_client_that_does_not_get_out(tmp_path: Path) -> None:
    run = run_mn_29()
    forward(run, "node-a", 4, "out")["received"] = 0
    assert "to 145.0.6.10 had no answer" in judge_mutant(run, "MN-29", tmp_path)


def test_mn_29_an_answer_that_the_wire_knows_nothing_of_is_unknown(tmp_path: Path) -> None:
    run = run_mn_29()
    run.frames = [one for one in run.frames if one.interface != "node-b/wire0"]
    verdict = run.judge("MN-29", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "by node-b to 145.0.6.10: the wire shows 0 requests" in verdict.text


def test_mn_29_a_request_that_came_in_elsewhere_is_not_the_machines_own(tmp_path: Path) -> None:
    run = run_mn_29()
    run.frames = [
        replace(one, interface="client/wire0") if one.interface == "services/wire0" else one
        for one in run.frames
    ]
    assert run.judge("MN-29", tmp_path).status is Status.UNKNOWN


@pytest.mark.parametrize("of", ["client", "node-a", "services", "wire"])
@pytest.mark.parametrize(("requirement", "make"), [("MN-28", run_mn_28), ("MN-29", run_mn_29)])
def test_an_echo_that_a_busy_host_leaves_without_an_answer_says_nothing(
    tmp_path: Path, requirement: str, make: Callable[[], Run], of: str
) -> None:
    def unanswered() -> Run:
        run = make()
        forward(run, "node-a", 4, "out")["received"] = 0
        return run

    is_late(unanswered, requirement, tmp_path, of, (20, 25))
