"""Each multi-node check accepts a good run and rejects its mutants for the reason it names."""

from collections.abc import Callable
from pathlib import Path

import pytest

from checks.multi_node.guide import FAMILIES, HOSTS, NODES, PROFILES, RECORD_TYPE, TRANSPORTS
from checks.multi_node.profiles import EDITED
from checks.verdict import Status
from tests.checks.factories import (
    Data,
    Run,
    add_tunnel,
    dns_answer,
    good_config,
    good_names,
    server_state,
    udp,
)


def addresses(machine: str) -> Data:
    host = HOSTS[machine]
    entries = [
        {"family": "inet", "local": host.ipv4, "prefixlen": 24},
        {"family": "inet6", "local": host.ipv6, "prefixlen": 64},
    ]
    return {"links": [{"ifname": "lo"}, {"ifname": "wire0", "addr_info": entries}]}


def run_mn_01() -> Run:
    run = Run()
    for machine in HOSTS:
        run.events.append(("addresses", machine, addresses(machine)))
        run.events.append(("names", machine, {"answers": good_names()}))
    return run


def run_config() -> Run:
    return Run(events=[("controller.config", "controller", good_config())])


def run_mn_06() -> Run:
    return Run(
        events=[
            (
                "php.lint",
                machine,
                {"files": [{"path": p, "status": 0, "output": ""} for p in paths]},
            )
            for machine, paths in EDITED.items()
        ]
    )


def http(machine: str, family: int, credentials: str) -> tuple[str, str, Data]:
    if machine not in NODES:
        status, kind, body = 403, "text/html; charset=iso-8859-1", "<!DOCTYPE HTML>403"
    else:
        word = "missing" if credentials == "none" else "invalid"
        status, kind = 401, "application/json"
        body = f'{{"error":"{word} authentication information"}}'
    data = {"family": family, "credentials": credentials, "status": status, "detail": ""}
    return "http", machine, {**data, "content_type": kind, "body": body}


def run_http() -> Run:
    machines = (*NODES, "client", "services")
    return Run(
        events=[http(m, f, c) for m in machines for f in FAMILIES for c in ("none", "wrong")]
    )


def run_mn_13() -> Run:
    return Run(events=[("server.state", node, server_state(node)) for node in NODES])


def run_mn_15() -> Run:
    run = Run()
    ways = [(n, t, f) for n in NODES for t in TRANSPORTS for f in FAMILIES]
    for number, way in enumerate(ways):
        add_tunnel(run, *way, number)
    return run


def run_mn_21() -> Run:
    run = Run(events=[("names", "client", {"answers": good_names()})])
    for number, (node, family) in enumerate((n, f) for n in NODES for f in FAMILIES):
        add_tunnel(run, node, "udp", family, number)
    return run


def rotating(family: int, number: int) -> list[str]:
    order = NODES if number % 2 else NODES[::-1]
    return [HOSTS[node].address(family) for node in order]


def run_mn_22(count: int = 200, order: Callable[[int, int], list[str]] = rotating) -> Run:
    run = Run()
    for family in FAMILIES:
        kind, told = RECORD_TYPE[family], []
        for number in range(count):
            query = number % 150  # ids repeat, as random ones do
            answer = order(family, number)
            told.append({"id": query, "status": "NOERROR", "addresses": answer})
            frame = dns_answer(query, kind, answer)
            run.frames.append(
                udp((HOSTS["services"].ipv4, 53), (HOSTS["client"].ipv4, 4000), frame)
            )
        run.events.append(("dns.answers", "client", {"type": kind, "answers": told}))
    return run


def run_mn_23(on_a: int = 9, clients: int = 16) -> Run:
    run, rows = Run(), []
    for number in range(clients):
        node = "node-a" if number < on_a else "node-b"
        data = add_tunnel(run, node, "udp", 4 if number % 2 else 6, number)
        rows.append({"profile_id": node, "ip4": data["tunnel4"], "connected_at": "now"})
    run.events.append(("connection.log", "controller", {"rows": rows}))
    return run


GOOD: dict[str, Callable[[], Run]] = {
    "MN-01": run_mn_01,
    "MN-04": run_config,
    "MN-05": run_config,
    "MN-06": run_mn_06,
    "MN-07": run_http,
    "MN-08": run_http,
    "MN-13": run_mn_13,
    "MN-15": run_mn_15,
    "MN-21": run_mn_21,
    "MN-22": run_mn_22,
    "MN-23": run_mn_23,
}


@pytest.mark.parametrize("requirement", GOOD)
def test_a_good_run_passes(requirement: str, tmp_path: Path) -> None:
    verdict = GOOD[requirement]().judge(requirement, tmp_path)
    assert verdict.status is Status.PASS, verdict.text
    assert verdict.reasons
    assert verdict.evidence


@pytest.mark.parametrize("requirement", GOOD)
def test_a_run_that_recorded_nothing_is_unknown(requirement: str, tmp_path: Path) -> None:
    assert Run().judge(requirement, tmp_path).status is Status.UNKNOWN


SHARES_ITS_EVENTS = {"MN-07", "MN-08"}  # each leaves requests to the other


@pytest.mark.parametrize("requirement", sorted(GOOD.keys() - SHARES_ITS_EVENTS))
def test_no_event_can_be_left_out_of_a_pass(requirement: str, tmp_path: Path) -> None:
    for number in range(len(GOOD[requirement]().events)):
        run = GOOD[requirement]()
        del run.events[number]
        directory = tmp_path / str(number)
        directory.mkdir()
        assert run.judge(requirement, directory).status is not Status.PASS


def judge_mutant(run: Run, requirement: str, directory: Path) -> str:
    verdict = run.judge(requirement, directory)
    assert verdict.status is Status.FAIL, verdict.text
    return verdict.text


def test_mn_01_rejects_a_node_without_its_ipv6_address(tmp_path: Path) -> None:
    run = run_mn_01()
    del run.find("addresses", "node-b")["links"][1]["addr_info"][1]
    text = judge_mutant(run, "MN-01", tmp_path)
    assert "node-b does not have 2001:610:188:418:145:0:6:73" in text


def test_mn_01_rejects_an_address_from_dhcp(tmp_path: Path) -> None:
    run = run_mn_01()
    run.find("addresses", "node-a")["links"][1]["addr_info"][0]["dynamic"] = True
    assert "node-a: 145.0.6.72 is dynamic" in judge_mutant(run, "MN-01", tmp_path)


def test_mn_01_rejects_a_name_that_leads_elsewhere(tmp_path: Path) -> None:
    run = run_mn_01()
    run.find("names", "client")["answers"][0]["addresses"] = []
    text = judge_mutant(run, "MN-01", tmp_path)
    assert "client resolves frkovpn.tuxed.net A to nothing, not to 145.0.6.71" in text


def test_mn_04_rejects_a_management_ip_of_b_set_to_that_of_a(tmp_path: Path) -> None:
    run = run_config()
    profiles = run.find("controller.config")["config"]["vpnProfiles"]
    profiles["node-b"]["managementIp"] = PROFILES["node-a"]["managementIp"]
    text = judge_mutant(run, "MN-04", tmp_path)
    assert "node-b: managementIp is '145.0.6.72', not '145.0.6.73'" in text


@pytest.mark.parametrize("value", [False, None, 1, "true"])
def test_mn_04_rejects_a_daemon_that_is_not_on(value: object, tmp_path: Path) -> None:
    run = run_config()
    run.find("controller.config")["config"]["useVpnDaemon"] = value
    assert "useVpnDaemon is" in judge_mutant(run, "MN-04", tmp_path)


def test_mn_04_rejects_a_left_over_profile(tmp_path: Path) -> None:
    run = run_config()
    run.find("controller.config")["config"]["vpnProfiles"]["internet"] = {}
    assert "'internet' that the guide does not have" in judge_mutant(run, "MN-04", tmp_path)


def test_mn_04_knows_the_table_before_merging(tmp_path: Path) -> None:
    run = run_config()
    run.find("controller.config")["merged"] = False
    text = judge_mutant(run, "MN-04", tmp_path)
    assert "node-a: displayName is 'Secure Internet', not 'Node A'" in text


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("range", "10.1.0.0/25", "the range 10.1.0.0/25 overlaps 10.1.0.0/25"),
        ("range", "10.1.0.64/26", "the range 10.1.0.0/25 overlaps 10.1.0.64/26"),
        ("range6", "fd00:1:1::/48", "the range6 fd00:1:1:1::/64 overlaps"),
        ("profileNumber", 1, "both have the profileNumber 1"),
    ],
)
def test_mn_05_rejects_profiles_that_share(option, value, words, tmp_path: Path) -> None:
    run = run_config()
    run.find("controller.config")["config"]["vpnProfiles"]["node-b"][option] = value
    assert words in judge_mutant(run, "MN-05", tmp_path)


def test_mn_06_rejects_a_missing_comma(tmp_path: Path) -> None:
    run = run_mn_06()
    file = run.find("php.lint", "node-a")["files"][0]
    file.update(status=255, output="PHP Parse error: unexpected ]\n")
    text = judge_mutant(run, "MN-06", tmp_path)
    assert "node-a: php -l rejects /etc/vpn-server-node/config.php: PHP Parse error" in text


def test_mn_06_is_unknown_when_an_edited_file_was_not_linted(tmp_path: Path) -> None:
    run = run_mn_06()
    del run.find("php.lint", "node-a")["files"][1]
    verdict = run.judge("MN-06", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "firewall.php was not given to php -l" in verdict.text


def test_mn_07_rejects_a_node_whose_ipv6_address_is_not_named(tmp_path: Path) -> None:
    run = run_http()
    for _, machine, data in run.events:
        if (machine, data["family"]) == ("node-b", 6):
            data.update(status=403, content_type="text/html", body="<html>")
    text = judge_mutant(run, "MN-07", tmp_path)
    assert "node-b over IPv6 with no secret got 403, not 401" in text
    assert "node-a" not in text


def test_mn_08_rejects_an_api_that_is_open_to_all(tmp_path: Path) -> None:
    run = run_http()
    for _, machine, data in run.events:
        if machine == "client":
            data.update(status=401, content_type="application/json", body="{}")
    assert "client over IPv4 with no secret got 401, not 403" in judge_mutant(
        run, "MN-08", tmp_path
    )


def test_mn_08_rejects_a_403_of_the_api_itself(tmp_path: Path) -> None:
    run = run_http()
    for _, machine, data in run.events:
        if machine == "client":
            data.update(content_type="application/json", body='{"error":"no"}')
    assert "a 403 of the API itself" in judge_mutant(run, "MN-08", tmp_path)


def test_mn_08_rejects_a_wrong_secret_that_is_taken(tmp_path: Path) -> None:
    run = run_http()
    for _, machine, data in run.events:
        if machine == "node-a" and data["credentials"] == "wrong":
            data.update(status=200, body="{}")
    assert "node-a over IPv4 with a wrong secret got 200" in judge_mutant(run, "MN-08", tmp_path)


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
