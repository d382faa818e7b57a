"""Each check of a multi-node set-up rejects the mutants of a good run for the reason it names."""

from pathlib import Path

import pytest

from checks.engine.verdict import Status
from tests.checks.factories import Run, good_config
from tests.checks.multi_node.runs import (
    GOOD,
    addresses,
    http,
    judge_mutant,
    run_config,
    run_http,
    run_mn_01,
    run_mn_06,
)
from tests.checks.sites import GUIDE


@pytest.mark.parametrize("requirement", GOOD)
def test_a_good_run_passes(requirement: str, tmp_path: Path) -> None:
    verdict = GOOD[requirement]().judge(requirement, tmp_path)
    assert verdict.status is Status.PASS, verdict.text
    assert verdict.reasons
    assert verdict.evidence


@pytest.mark.parametrize("requirement", GOOD)
def test_a_run_that_recorded_nothing_is_unknown(requirement: str, tmp_path: Path) -> None:
    assert Run().judge(requirement, tmp_path).status is Status.UNKNOWN


SHARES_ITS_EVENTS = {
    *("MN-07", "MN-08", "MN-18", "MN-19"),  # each leaves some to the other
    *("MN-25", "MN-26", "MN-27"),  # one maintenance, and each judges its part of it
    "MN-24",  # clients of the node that stays say nothing of the one that dies
}


@pytest.mark.parametrize("requirement", sorted(GOOD.keys() - SHARES_ITS_EVENTS))
def test_no_event_can_be_left_out_of_a_pass(requirement: str, tmp_path: Path) -> None:
    for number, (kind, _, _) in enumerate(GOOD[requirement]().events):
        if kind == "tunnel.started":
            continue  # without one, the client may have started when the scenario did
        run = GOOD[requirement]()
        del run.events[number]
        directory = tmp_path / str(number)
        directory.mkdir()
        assert run.judge(requirement, directory).status is not Status.PASS


def test_mn_01_rejects_a_node_without_its_ipv6_address(tmp_path: Path) -> None:
    run = run_mn_01()
    del run.find("interfaces.shown", "node-b")["links"][1]["addr_info"][1]
    text = judge_mutant(run, "MN-01", tmp_path)
    assert "node-b does not have 2001:610:188:418:145:0:6:73" in text


def test_mn_01_rejects_an_address_from_dhcp(tmp_path: Path) -> None:
    run = run_mn_01()
    run.find("interfaces.shown", "node-a")["links"][1]["addr_info"][0]["dynamic"] = True
    assert "node-a: 145.0.6.72 is dynamic" in judge_mutant(run, "MN-01", tmp_path)


def test_mn_01_rejects_a_name_that_leads_elsewhere(tmp_path: Path) -> None:
    run = run_mn_01()
    run.find("names.answered", "client")["answers"][0]["addresses"] = []
    text = judge_mutant(run, "MN-01", tmp_path)
    assert "client resolves frkovpn.tuxed.net A to nothing, not to 145.0.6.71" in text


def test_mn_04_rejects_a_management_ip_of_b_set_to_that_of_a(tmp_path: Path) -> None:
    run = run_config()
    profiles = run.find("controller.config")["profiles"]
    profiles["node-b"]["managementIp"] = GUIDE.address("node-a", 4)
    text = judge_mutant(run, "MN-04", tmp_path)
    assert "node-b: managementIp is '145.0.6.72', not '145.0.6.73'" in text


@pytest.mark.parametrize("value", [False, None, 1, "true"])
def test_mn_04_rejects_a_daemon_that_is_not_on(value: object, tmp_path: Path) -> None:
    run = run_config()
    run.find("controller.config")["use_vpn_daemon"] = value
    assert "useVpnDaemon is" in judge_mutant(run, "MN-04", tmp_path)


def test_mn_04_rejects_a_left_over_profile(tmp_path: Path) -> None:
    run = run_config()
    run.find("controller.config")["profiles"]["internet"] = {}
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
        ("range", "10.1.0.64/25", "the range 10.1.0.0/25 overlaps 10.1.0.64/25"),
        ("range", "none", "the range is not a range of addresses"),
        ("profileNumber", 1, "both have the profileNumber 1"),
        ("profileNumber", None, "a profileNumber must be an integer"),
    ],
)
def test_mn_05_rejects_profiles_that_share(option, value, words, tmp_path: Path) -> None:
    run = run_config()
    run.find("controller.config")["profiles"]["node-b"][option] = value
    assert words in judge_mutant(run, "MN-05", tmp_path)


def test_mn_06_rejects_a_missing_comma(tmp_path: Path) -> None:
    run = run_mn_06()
    file = run.find("php.linted", "node-a")["files"][0]
    file.update(status=255, output="PHP Parse error: unexpected ]\n")
    text = judge_mutant(run, "MN-06", tmp_path)
    assert "node-a: php -l rejects /etc/vpn-server-node/config.php: PHP Parse error" in text


def test_mn_06_is_unknown_when_an_edited_file_was_not_linted(tmp_path: Path) -> None:
    run = run_mn_06()
    del run.find("php.linted", "node-a")["files"][1]
    verdict = run.judge("MN-06", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "not shown: php -l accepts /etc/vpn-server-node/firewall.php of node-a" in verdict.text


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


# Rows of recorded evidence that was judged wrongly


def test_mn_01_an_address_that_came_late_was_not_there(tmp_path: Path) -> None:
    run = run_mn_01()
    run.events.insert(0, ("interfaces.shown", "node-b", addresses("controller")))
    assert "node-b does not have 145.0.6.73" in judge_mutant(run, "MN-01", tmp_path)


def test_mn_01_is_unknown_when_a_name_was_not_asked_for(tmp_path: Path) -> None:
    run = run_mn_01()
    del run.find("names.answered", "node-a")["answers"][0]
    verdict = run.judge("MN-01", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "not shown: node-a resolves frkovpn.tuxed.net A" in verdict.text


def unmerged() -> Run:
    """Return the controller's config as the guide's section "Controller" leaves it."""
    run = run_config()
    event = run.find("controller.config")
    event["merged"] = False
    for name, options in GUIDE.profiles(merged=False).items():
        event["profiles"][name].update(options, hideProfile=False)
    return run


def test_mn_04_accepts_the_profiles_before_merging(tmp_path: Path) -> None:
    verdict = unmerged().judge("MN-04", tmp_path)
    assert verdict.status is Status.PASS, verdict.text


def test_mn_04_rejects_an_option_that_nobody_set_for_the_guide(tmp_path: Path) -> None:
    run = run_config()
    run.find("controller.config")["profiles"]["node-a"]["tlsOneThree"] = True
    text = judge_mutant(run, "MN-04", tmp_path)
    assert "node-a: tlsOneThree is set, to True: the guide does not have it" in text


def test_mn_04_a_config_that_was_right_only_at_last_fails(tmp_path: Path) -> None:
    run = run_config()
    run.events.insert(0, ("controller.config", "controller", good_config()))
    run.events[0][2]["use_vpn_daemon"] = False
    assert "useVpnDaemon is False" in judge_mutant(run, "MN-04", tmp_path)


@pytest.mark.parametrize("number", ["1", 1.0, " 1"])
def test_mn_05_profile_number_1_and_1_in_another_shape(number: object, tmp_path: Path) -> None:
    run = run_config()
    run.find("controller.config")["profiles"]["node-b"]["profileNumber"] = number
    assert "both have the profileNumber 1" in judge_mutant(run, "MN-05", tmp_path)


def test_mn_05_is_unknown_with_one_profile(tmp_path: Path) -> None:
    run = run_config()
    del run.find("controller.config")["profiles"]["node-b"]
    verdict = run.judge("MN-05", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "1 profiles, 2 are needed" in verdict.text


@pytest.mark.parametrize(("requirement", "owed"), [("MN-07", 4), ("MN-08", 12)])
def test_nobody_can_be_left_out_who_asks_the_api(requirement, owed: int, tmp_path: Path) -> None:
    missed = 0
    for number in range(len(run_http().events)):
        run = run_http()
        _, machine, data = run.events.pop(number)
        directory = tmp_path / str(number)
        directory.mkdir()
        verdict = run.judge(requirement, directory)
        missed += verdict.status is Status.UNKNOWN
        if verdict.status is not Status.PASS:
            assert f"{machine} over IPv{data['family']}" in verdict.text
    assert missed == owed


def test_an_address_that_two_machines_have_is_nobodys(tmp_path: Path) -> None:
    run = run_mn_01()
    entry = {"family": "inet", "local": GUIDE.address("node-b", 4), "prefixlen": 24}
    run.find("interfaces.shown", "client")["links"][1]["addr_info"].append(entry)
    text = judge_mutant(run, "MN-01", tmp_path)
    assert "client has 145.0.6.73, too: it is node-b's" in text


def test_a_stranger_that_shows_the_right_secret_is_refused_too(tmp_path: Path) -> None:
    run = run_http()
    answer = {
        **http("client", 4, "none")[2],
        "credentials": "right",
        "status": 200,
        "content_type": "application/json",
        "body": '{"profile_list":{"ok":true,"data":{}}}',
    }
    run.events.append(("api.answered", "client", answer))
    assert "got 200, not 403" in judge_mutant(run, "MN-08", tmp_path)
