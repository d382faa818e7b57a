"""Each check of running nodes, names and clients rejects the mutants of a good run by name."""

from pathlib import Path

import pytest

from checks.engine.verdict import Status
from checks.multi_node.guide import HOSTS
from tests.checks.multi_node.runs import (
    judge_mutant,
    rotating,
    run_mn_13,
    run_mn_15,
    run_mn_21,
    run_mn_22,
    run_mn_23,
)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("management 127.0.0.1 11940", "management 145.0.6.72 11940", "management is '145.0.6.72"),
        ("server 10.1.0.0 255.255.255.192", "server 10.1.0.0 255.255.255.128", "server is"),
        ("proto udp6", "proto udp", "proto is 'udp', not 'udp6'"),
        ("dev tun0", "dev tun", "dev is 'tun', not 'tun0'"),
        ("keepalive 10 60", "", "keepalive is absent"),
        ("setenv PROFILE_ID node-a", "setenv PROFILE_ID node-b", "setenv is"),
        ("<tls-crypt>", "", "<tls-crypt> is absent"),
        ('push "explicit-exit-notify 1"', "", "belongs to UDP"),
    ],
)
def test_mn_13_rejects_other_directives(old, new, words, tmp_path: Path) -> None:
    run = run_mn_13()
    files = run.find("server.state", "node-a")["files"]
    assert old in files["node-a-0.conf"]
    files["node-a-0.conf"] = files["node-a-0.conf"].replace(old, new)
    assert f"node-a-0.conf: {words}" in judge_mutant(run, "MN-13", tmp_path).replace(
        'push "explicit-exit-notify 1" belongs', "belongs"
    )


@pytest.mark.parametrize(
    ("key", "old", "new", "words"),
    [
        ("sockets", "127.0.0.1:11940", "145.0.6.72:11940", "also listens on tcp 145.0.6.72:11940"),
        ("sockets", "127.0.0.1:11941", "127.0.0.1:11950", "listens on tcp 127.0.0.1:11941"),
        ("sockets", "pid=501", "pid=500", "one process serves both protocols"),
        ("units", "node-a-1.service loaded active running", "node-a-1.service loaded failed failed",
         "openvpn-server@node-a-1.service is failed failed"),
        ("units", "openvpn-server@node-a-0", "openvpn-server@internet-0",
         "openvpn-server@internet-0.service should not be active"),
    ],
)  # fmt: skip
def test_mn_13_rejects_other_sockets_and_units(key, old, new, words, tmp_path: Path) -> None:
    run = run_mn_13()
    state = run.find("server.state", "node-a")
    assert old in state[key]
    state[key] = state[key].replace(old, new)
    assert words in judge_mutant(run, "MN-13", tmp_path)


def test_mn_13_rejects_configs_of_the_other_node(tmp_path: Path) -> None:
    run = run_mn_13()
    run.find("server.state", "node-a")["files"]["node-b-0.conf"] = "dev tun64"
    assert "'node-b-0.conf'" in judge_mutant(run, "MN-13", tmp_path)


def test_mn_13_rejects_a_device_too_few(tmp_path: Path) -> None:
    run = run_mn_13()
    run.find("server.state", "node-b")["links"].pop()
    assert "node-b: tun devices are ['tun64']" in judge_mutant(run, "MN-13", tmp_path)


def test_mn_15_rejects_the_tls_crypt_key_of_the_other_node(tmp_path: Path) -> None:
    run = run_mn_15()
    run.events[0][2].update(up=False, detail="tls-crypt unwrap error: packet authentication failed")
    text = judge_mutant(run, "MN-15", tmp_path)
    assert "client-0 by udp over IPv4 to node-a: no tunnel: tls-crypt unwrap error" in text


def test_mn_15_rejects_a_tunnel_that_carries_nothing(tmp_path: Path) -> None:
    run = run_mn_15()
    run.events[3][2]["ping"]["received"] = 0
    assert "no answer through the tunnel" in judge_mutant(run, "MN-15", tmp_path)


def test_mn_15_rejects_an_address_of_another_process(tmp_path: Path) -> None:
    run = run_mn_15()
    run.events[0][2]["tunnel4"] = "10.1.0.66"
    text = judge_mutant(run, "MN-15", tmp_path)
    assert "it has 10.1.0.66 inside, not one of 10.1.0.0/26" in text


def test_mn_15_does_not_believe_a_tunnel_that_the_wire_did_not_carry(tmp_path: Path) -> None:
    run = run_mn_15()
    del run.frames[:2]
    verdict = run.judge("MN-15", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "the wire carried 0 bytes from 145.0.6.72 to 145.0.6.101" in verdict.text


def test_mn_21_rejects_a_record_that_points_at_the_controller(tmp_path: Path) -> None:
    run = run_mn_21()
    run.find("names")["answers"][-2]["addresses"] = ["145.0.6.72", "145.0.6.71"]
    text = judge_mutant(run, "MN-21", tmp_path)
    assert "A leads to 145.0.6.71, which belongs to controller" in text
    assert "no A record 145.0.6.73 of node-b" in text


def test_mn_21_rejects_a_record_behind_which_nobody_answers(tmp_path: Path) -> None:
    run = run_mn_21()
    run.events[1][2].update(up=False, detail="no answer for 60 s")
    assert "no tunnel: no answer for 60 s" in judge_mutant(run, "MN-21", tmp_path)


def test_mn_22_rejects_a_fixed_order(tmp_path: Path) -> None:
    run = run_mn_22(order=lambda family, _: rotating(family, 0))
    text = judge_mutant(run, "MN-22", tmp_path)
    assert "A: the nodes do not come first equally often: 0:200 (p = 1.2e-60" in text
    assert "AAAA: the nodes do not come first equally often" in text


def test_mn_22_rejects_answers_with_one_address(tmp_path: Path) -> None:
    run = run_mn_22(order=lambda family, number: rotating(family, number)[:1])
    assert "200 answers do not hold each node's address once" in judge_mutant(
        run, "MN-22", tmp_path
    )


def test_mn_22_is_unknown_with_199_queries(tmp_path: Path) -> None:
    verdict = run_mn_22(count=199).judge("MN-22", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "199 answers, fewer than 200" in verdict.text


def test_mn_22_is_unknown_when_the_client_tells_another_order_than_the_wire(tmp_path) -> None:
    run = run_mn_22()
    run.events[0][2]["answers"][5]["addresses"].reverse()
    verdict = run.judge("MN-22", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "1 answers are not on the wire as the client tells them" in verdict.text


def test_mn_22_is_unknown_when_the_wire_has_fewer_answers_than_the_client(tmp_path) -> None:
    run = run_mn_22(count=220)
    del run.frames[3]
    verdict = run.judge("MN-22", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "not on the wire" in verdict.text


def test_mn_23_rejects_a_resolver_that_sorts(tmp_path: Path) -> None:
    text = judge_mutant(run_mn_23(on_a=16), "MN-23", tmp_path)
    assert "clients do not spread over node-a and node-b: 16:0 (p = 3.1e-05" in text


def test_mn_23_rejects_clients_that_found_no_node(tmp_path: Path) -> None:
    run = run_mn_23()
    run.events[2][2].update(up=False, detail="refused")
    assert "client-2 found no node: refused" in judge_mutant(run, "MN-23", tmp_path)


def test_mn_23_accepts_an_uneven_but_fair_draw(tmp_path: Path) -> None:
    assert run_mn_23(on_a=13).judge("MN-23", tmp_path).status is Status.PASS


def test_mn_23_is_unknown_with_fifteen_clients(tmp_path: Path) -> None:
    assert run_mn_23(clients=15).judge("MN-23", tmp_path).status is Status.UNKNOWN


def test_mn_23_is_unknown_when_the_controller_did_not_log_a_client(tmp_path: Path) -> None:
    run = run_mn_23()
    run.find("connection.log")["rows"].pop()
    verdict = run.judge("MN-23", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "not in the controller's log" in verdict.text


def test_mn_23_is_unknown_when_client_and_wire_disagree_about_the_node(tmp_path: Path) -> None:
    run = run_mn_23()
    run.events[0][2]["remote"] = HOSTS["node-b"].ipv6
    verdict = run.judge("MN-23", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "node-a by the wire, node-b by its own log" in verdict.text
