"""Each check of a multi-node set-up rejects the mutants of a good run for the reason it names."""

from pathlib import Path

import pytest

from checks.engine.verdict import Status
from checks.multi_node.guide import PROFILES
from tests.checks.factories import Run
from tests.checks.multi_node.runs import (
    GOOD,
    judge_mutant,
    run_config,
    run_http,
    run_mn_01,
    run_mn_06,
)


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
