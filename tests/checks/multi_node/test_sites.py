"""Any site is judged by what was planned for it: its names, its networks, its number of nodes."""

import copy
import re
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

import checks.multi_node
from checks.engine.verdict import Status
from checks.multi_node.deployment import Deployment, named
from evidence.events.deployment import DeploymentPlanned
from tests.checks.factories import Run, mac
from tests.checks.multi_node.runs import (
    GOOD,
    cyclic,
    evenly,
    good_of,
    http,
    judge_mutant,
    run_config,
    run_http,
    run_mn_01,
    run_mn_06,
    run_mn_13,
    run_mn_15,
    run_mn_21,
    run_mn_22,
    run_mn_23,
)
from tests.checks.sites import (
    GUIDE,
    GUIDE_DATA,
    OTHER,
    OTHER_DATA,
    THREE,
    THREE_DATA,
    Data,
    site,
    told,
)

SITES = {"the guide's": GUIDE, "three nodes": THREE, "another one": OTHER}


@pytest.mark.parametrize("requirement", GOOD)
@pytest.mark.parametrize("name", SITES)
def test_a_good_run_of_any_site_passes(name: str, requirement: str, tmp_path: Path) -> None:
    verdict = good_of(SITES[name])[requirement]().judge(requirement, tmp_path)
    assert verdict.status is Status.PASS, verdict.text


@pytest.mark.parametrize("requirement", GOOD)
def test_a_run_of_one_site_is_no_good_run_of_another(requirement: str, tmp_path: Path) -> None:
    run = good_of(OTHER)[requirement]()
    run.planned = [GUIDE_DATA]
    assert run.judge(requirement, tmp_path).status is not Status.PASS


# About the controller, one node, or clients wherever they are: not about each node.
NOT_OF_EACH_NODE = {"MN-02", "MN-03", "MN-18", "MN-19", "MN-24", "MN-31"}


@pytest.mark.parametrize("requirement", sorted(GOOD.keys() - NOT_OF_EACH_NODE))
def test_a_run_of_two_nodes_is_no_good_run_of_three(requirement: str, tmp_path: Path) -> None:
    run = GOOD[requirement]()
    run.planned = [THREE_DATA]
    assert run.judge(requirement, tmp_path).status is not Status.PASS


# What was planned has to be known


@pytest.mark.parametrize("requirement", GOOD)
def test_without_what_was_planned_nothing_is_known(requirement: str, tmp_path: Path) -> None:
    run = GOOD[requirement]()
    run.planned = []
    verdict = run.judge(requirement, tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "no deployment.planned was recorded: what was to be deployed is not known" in (
        verdict.text
    )


@pytest.mark.parametrize("requirement", GOOD)
def test_two_plans_that_differ_are_no_plan(requirement: str, tmp_path: Path) -> None:
    run = GOOD[requirement]()
    other = copy.deepcopy(GUIDE_DATA)
    other["machines"][0]["bits4"] = 25
    other["shared_name"] = "vpn.tuxed.net"
    run.planned.append(other)
    verdict = run.judge(requirement, tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "plan two deployments that differ in machines, shared_name" in verdict.text


@pytest.mark.parametrize("requirement", GOOD)
def test_a_plan_that_stands_there_twice_is_one(requirement: str, tmp_path: Path) -> None:
    run = GOOD[requirement]()
    run.planned.append(GUIDE_DATA)
    verdict = run.judge(requirement, tmp_path)
    assert verdict.status is Status.PASS, verdict.text


@pytest.mark.parametrize("requirement", GOOD)
def test_a_verdict_names_the_plan_that_it_rests_on(requirement: str, tmp_path: Path) -> None:
    verdict = GOOD[requirement]().judge(requirement, tmp_path)
    assert "history.jsonl:2" in verdict.evidence


def without(role: str) -> Data:
    kept = [one for one in GUIDE_DATA["machines"] if role not in one["roles"]]
    return {**GUIDE_DATA, "machines": kept}


def changed(number: int, **fields: object) -> Data:
    data = copy.deepcopy(GUIDE_DATA)
    data["machines"][number].update(fields)
    return data


def with_option(option: str, value: object, *tables: str) -> Data:
    data = copy.deepcopy(GUIDE_DATA)
    for table in tables or ("profiles", "merged_profiles"):
        data[table]["node-b"] = {**data[table]["node-b"], option: value}
    return data


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (without("controller"), "one machine has the role controller, not 0"),
        (without("services"), "one machine has the role services, not 0"),
        (changed(3, roles=["client"]), "one machine has the role"),
        (without("node"), "at least one machine has the role node"),
        (changed(1, name="controller"), "the machine controller is used 2 times"),
        (changed(1, ipv4="145.0.6.73"), "the address 145.0.6.73 is used 2 times"),
        (changed(1, ipv6="2001:610:188:418:145:0:6:73"), "is used 2 times"),
        (changed(1, ipv4="145.0.6"), "ipv4"),
        (changed(1, bits4=33), "bits4"),
        ({**GUIDE_DATA, "profiles": THREE_DATA["profiles"]}, "each node has a profile of its name"),
        (with_option("profileNumber", "2"), "node-b: profileNumber is a number from 1, not '2'"),
        (with_option("profileNumber", True), "node-b: profileNumber is a number from 1, not True"),
        (with_option("range", "10.2.0.1/25"), "host bits set"),
        (with_option("range6", None), "None"),
        (
            with_option("profileNumber", 3, "merged_profiles"),
            "node-b: merging changes no profileNumber: 2, 3",
        ),
        (
            with_option("range", "10.9.0.0/25", "profiles"),
            "node-b: merging changes no range: '10.9.0.0/25', '10.2.0.0/25'",
        ),
    ],
)
def test_what_is_no_deployment_cannot_be_recorded(data: Data, words: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(words)):
        DeploymentPlanned(source="topology", **data)


# Checks hold nothing of one site


SOURCES = sorted(Path(checks.multi_node.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_check_holds_no_address_and_no_name_of_a_machine(source: Path) -> None:
    text = source.read_text()
    addresses = set(re.findall(r"\d+\.\d+\.\d+\.\d+", text)) - {"127.0.0.1"}
    assert not addresses
    assert not re.findall(r"\w+::?\w*::?\w*/\d+|tuxed", text)
    assert not re.findall(r'"node-|(?:need|events|last)\(\w+, "', text)


@pytest.mark.parametrize(
    ("names", "text"),
    [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")],
)
def test_names_are_said_as_one_would(names: list[str], text: str) -> None:
    assert named(names) == text


# A machine may have two roles


def with_roles(**roles: list[str]) -> Deployment:
    """Return the guide's site without a services machine of its own; others have that role."""
    data = copy.deepcopy(GUIDE_DATA)
    data["machines"] = [one for one in data["machines"] if one["name"] not in roles.get("gone", [])]
    for one in data["machines"]:
        one["roles"] = roles.get(one["name"], one["roles"])
    return site(data)


def test_a_controller_that_serves_names_is_no_stranger_to_its_own_api(tmp_path: Path) -> None:
    there = with_roles(gone=["services"], controller=["controller", "services"])
    assert there.strangers == ("client",)
    run = run_http(there)
    for family in (4, 6):
        run.events.append(http("node-a", family, "none", there))
        run.events[-1] = ("api.answered", "controller", run.events[-1][2])
    verdict = run.judge("MN-08", tmp_path)
    assert verdict.status is Status.PASS, verdict.text


def test_a_client_machine_that_serves_names_is_one_stranger(tmp_path: Path) -> None:
    there = with_roles(gone=["services"], client=["client", "services"])
    assert there.strangers == ("client",)
    verdict = run_http(there).judge("MN-08", tmp_path)
    assert verdict.status is Status.PASS, verdict.text


def test_without_a_stranger_nobody_is_known_to_be_kept_out(tmp_path: Path) -> None:
    there = with_roles(gone=["services", "client"], controller=["controller", "services", "client"])
    verdict = run_http(there).judge("MN-08", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "no machine of the lab is a stranger to the API" in verdict.text


# Three nodes: each mutant of two has its like


def test_mn_01_rejects_a_third_node_without_its_address(tmp_path: Path) -> None:
    run = run_mn_01(THREE)
    del run.find("interfaces.shown", "node-c")["links"][1]["addr_info"][0]
    assert "node-c does not have 145.0.6.74" in judge_mutant(run, "MN-01", tmp_path)


def test_mn_01_rejects_another_prefix_length_than_planned(tmp_path: Path) -> None:
    run = run_mn_01(OTHER)
    run.find("interfaces.shown", "hub")["links"][1]["addr_info"][0]["prefixlen"] = 24
    text = judge_mutant(run, "MN-01", tmp_path)
    assert "hub has 10.20.3.9/24, not /22" in text


def test_mn_04_rejects_a_third_profile_that_was_not_hidden(tmp_path: Path) -> None:
    run = run_config(THREE)
    run.find("controller.config")["profiles"]["node-c"]["hideProfile"] = False
    text = judge_mutant(run, "MN-04", tmp_path)
    assert "node-c: hideProfile is False, not True" in text


def test_mn_04_rejects_a_first_profile_that_was_hidden(tmp_path: Path) -> None:
    run = run_config(THREE)
    run.find("controller.config")["profiles"]["node-a"]["hideProfile"] = True
    assert "node-a: hideProfile is True" in judge_mutant(run, "MN-04", tmp_path)


def test_mn_04_rejects_a_missing_third_profile(tmp_path: Path) -> None:
    run = run_config(THREE)
    del run.find("controller.config")["profiles"]["node-c"]
    assert "there is no profile 'node-c'" in judge_mutant(run, "MN-04", tmp_path)


def test_mn_05_rejects_a_third_profile_in_the_first_ones_range(tmp_path: Path) -> None:
    run = run_config(THREE)
    run.find("controller.config")["profiles"]["node-c"]["range"] = "10.1.0.64/26"
    text = judge_mutant(run, "MN-05", tmp_path)
    assert "node-a and node-c: the range 10.1.0.0/25 overlaps 10.1.0.64/26" in text


def test_mn_05_is_unknown_with_two_profiles_of_three(tmp_path: Path) -> None:
    run = run_config(THREE)
    del run.find("controller.config")["profiles"]["node-b"]
    verdict = run.judge("MN-05", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "2 profiles, 3 are needed" in verdict.text


def test_mn_06_is_unknown_when_a_third_nodes_files_were_not_linted(tmp_path: Path) -> None:
    run = run_mn_06(THREE)
    run.events = [event for event in run.events if event[1] != "node-c"]
    verdict = run.judge("MN-06", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "config.php of node-c" in verdict.text


def test_mn_07_rejects_a_third_node_that_is_kept_out(tmp_path: Path) -> None:
    run = run_http(THREE)
    for _, machine, data in run.events:
        if machine == "node-c":
            data.update(status=403, content_type="text/html", body="<html>")
    assert "node-c over IPv4 with no secret got 403, not 401" in (
        judge_mutant(run, "MN-07", tmp_path)
    )


def test_mn_13_derives_what_a_third_node_runs(tmp_path: Path) -> None:
    run = run_mn_13(THREE)
    files = run.find("server.state", "node-c")["files"]
    config = files["node-c-1.conf"].splitlines()
    for line in ("dev tun129", "management 127.0.0.1 12069", "server 10.3.0.64 255.255.255.192",
                 "server-ipv6 fd00:3:3:3::1:0/112", "max-clients 61"):  # fmt: skip
        assert line in config
    files["node-c-1.conf"] = files["node-c-1.conf"].replace("tun129", "tun65")
    text = judge_mutant(run, "MN-13", tmp_path)
    assert "node-c: node-c-1.conf: dev is 'tun65', not 'tun129'" in text


def test_mn_13_takes_as_many_clients_as_a_range_has(tmp_path: Path) -> None:
    run = run_mn_13(OTHER)
    files = run.find("server.state", "west")["files"]
    assert "max-clients 509" in files["west-0.conf"].splitlines()
    files["west-0.conf"] = files["west-0.conf"].replace("max-clients 509", "max-clients 61")
    assert "max-clients is '61', not '509'" in judge_mutant(run, "MN-13", tmp_path)


def test_mn_15_is_unknown_when_a_way_into_the_third_node_was_not_tried(tmp_path: Path) -> None:
    run = run_mn_15(THREE)
    run.events.remove(("tunnel.tried", "client", run.all("tunnel.tried")[-1]))
    verdict = run.judge("MN-15", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "not shown: node-c lets a client in by tcp over IPv6" in verdict.text


def test_mn_15_rejects_a_first_node_that_answers_for_the_third(tmp_path: Path) -> None:
    run = run_mn_15(THREE)
    mac_a = mac(THREE.address("node-a", 4))
    run.frames = [
        replace(one, interface="node-a/wire0", data=one.data[:6] + mac_a + one.data[12:])
        if one.interface == "node-c/wire0"
        else one
        for one in run.frames
    ]
    text = judge_mutant(run, "MN-15", tmp_path)
    assert "node-a (02:00:00:00:00:72) answers for the addresses of node-c" in text


def test_mn_21_rejects_a_shared_name_without_the_third_node(tmp_path: Path) -> None:
    run = run_mn_21(THREE)
    run.find("names.answered")["answers"][-2]["addresses"].pop()
    text = judge_mutant(run, "MN-21", tmp_path)
    assert "nodes.frkovpn.tuxed.net has no A record 145.0.6.74 of node-c" in text


def first_two_only(family: int, number: int) -> list[str]:
    """Return answers in which two nodes take turns, and the third never comes first."""
    one, other, last = THREE.node_addresses(family)
    return [one, other, last] if number % 2 else [other, one, last]


def test_mn_22_rejects_a_node_that_never_comes_first(tmp_path: Path) -> None:
    text = judge_mutant(run_mn_22(204, first_two_only, THREE), "MN-22", tmp_path)
    assert "A: the nodes do not come first equally often: 102:102:0" in text


def test_mn_22_rejects_three_nodes_of_which_each_comes_first_for_a_third(tmp_path: Path) -> None:
    turns = cyclic(THREE)
    run = run_mn_22(204, lambda family, number: turns(family, number // 68), THREE)
    text = judge_mutant(run, "MN-22", tmp_path)
    assert "A: an order is kept from answer to answer: 2 changes in 204" in text
    assert "equally often" not in text


def test_mn_23_three_nodes_take_more_clients_than_two(tmp_path: Path) -> None:
    landings = [(node, family, 3) for node in THREE.nodes for family in (4, 6)]
    verdict = run_mn_23(*landings, site=THREE).judge("MN-23", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "18 clients that are known to have landed, 31 are needed" in verdict.text


@pytest.mark.parametrize("idle", THREE.nodes)
def test_mn_23_rejects_a_node_that_got_no_client(idle: str, tmp_path: Path) -> None:
    busy = [node for node in THREE.nodes if node != idle]
    run = run_mn_23(*((node, family, 8) for node in busy for family in (4, 6)), site=THREE)
    text = judge_mutant(run, "MN-23", tmp_path)
    split = ":".join("0" if node == idle else "16" for node in THREE.nodes)
    assert f"clients do not spread over node-a, node-b and node-c, in all: {split}" in text


def test_mn_23_accepts_an_uneven_but_fair_draw_of_three(tmp_path: Path) -> None:
    run = run_mn_23(("node-a", 6, 18), ("node-b", 6, 9), ("node-c", 6, 4), site=THREE)
    verdict = run.judge("MN-23", tmp_path)
    assert verdict.status is Status.PASS, verdict.text
    assert "31 clients landed on node-a, node-b and node-c" in verdict.text


def test_mn_23_rejects_families_that_each_chose_another_of_three(tmp_path: Path) -> None:
    run = run_mn_23(("node-a", 4, 16), ("node-c", 6, 16), site=THREE)
    text = judge_mutant(run, "MN-23", tmp_path)
    assert "taken together: 16:0:0 and 0:0:16" in text


def alone() -> Deployment:
    """Return the guide's site with one node."""
    data = copy.deepcopy(GUIDE_DATA)
    del data["machines"][2], data["profiles"]["node-b"], data["merged_profiles"]["node-b"]
    return site(data)


@pytest.mark.parametrize(
    ("requirement", "words"),
    [("MN-22", "there is one node only"), ("MN-23", "node-a is the only node")],
)
def test_one_node_is_nothing_to_spread_over(requirement: str, words: str, tmp_path: Path) -> None:
    runs = {
        "MN-22": run_mn_22(200, cyclic(alone()), alone()),
        "MN-23": run_mn_23(*evenly(alone()), site=alone()),
    }
    verdict = runs[requirement].judge(requirement, tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert words in verdict.text


def test_a_site_is_recorded_as_it_is_written_down() -> None:
    for one, data in ((GUIDE, GUIDE_DATA), (THREE, THREE_DATA), (OTHER, OTHER_DATA)):
        assert told(one) == data


def test_a_run_records_its_site_by_itself() -> None:
    assert Run(site=THREE).planned == [THREE_DATA]
