"""Violations that stand in the evidence where nobody looked at first, and looks at what is none."""

from dataclasses import replace
from pathlib import Path

import pytest

from checks.engine.verdict import Status
from checks.multi_node.steps import START, STOP, UPDATE_CONTROLLER, UPDATE_NODE
from tests.checks.factories import Run, ip, sent
from tests.checks.multi_node.access_runs import add_knocks, run_mn_28, run_mn_29
from tests.checks.multi_node.installed_runs import run_mn_12, run_mn_32
from tests.checks.multi_node.maintained import User, at, maintenance, on
from tests.checks.multi_node.portal_runs import page, run_mn_16, run_mn_19
from tests.checks.multi_node.runs import judge_mutant, run_mn_13
from tests.checks.multi_node.test_kept_out import disabled, is_served
from tests.checks.multi_node.test_leaving import CLIENT, judged
from tests.checks.multi_node.test_visits import visit
from tests.checks.sites import GUIDE

# MN-12, MN-13


def test_a_profile_that_was_deployed_although_the_list_was_right_is_named(tmp_path: Path) -> None:
    run = run_mn_12()
    applied = next(x for x in run.all("changes.applied", "node-b"))
    state = next(x for x in run.all("server.state", "node-b"))
    both = {**state["files"], **run.all("server.state", "node-a")[0]["files"]}
    wrong = {**state, "files": both, "at_ns": applied["at_ns"] + 1}
    run.events += [
        ("server.state", "node-b", wrong),
        ("changes.applied", "node-b", {**applied, "at_ns": applied["at_ns"] + 2}),
    ]
    text = judge_mutant(run, "MN-12", tmp_path)
    assert "node-b has files of node-a, which is not its own" in text


def test_clients_that_are_not_told_to_use_the_tunnel_are_missed(tmp_path: Path) -> None:
    run = run_mn_13()
    (name, text), *_ = run.all("server.state", "node-b")[0]["files"].items()
    left = [line for line in text.splitlines() if "redirect-gateway" not in line]
    run.all("server.state", "node-b")[0]["files"][name] = "\n".join(left)
    assert "redirect-gateway def1 ipv6" in judge_mutant(run, "MN-13", tmp_path)


# MN-16, MN-32


def test_what_a_node_answers_from_its_own_address_inside_is_no_clients(tmp_path: Path) -> None:
    run = run_mn_16()
    own = str(GUIDE.process_ranges("node-a")[0][0][1])
    answer = sent(ip(own, GUIDE.client.address(4), 17, bytes(20)))
    run.frames.append(replace(answer, interface="node-a/wire0"))
    judged(run, "MN-16", tmp_path, Status.PASS)


def test_a_client_that_visits_each_node_in_turn_uses_each(tmp_path: Path) -> None:
    run = run_mn_32()
    second = run.all("tunnel.tried")[1]
    run.events = [x for x in run.events if x[2].get("client") != second["client"]]
    run.all("tunnel.tried")[0]["at_ns"] = at(4)
    visit(run, "node-b", 10)
    judged(run, "MN-32", tmp_path, Status.PASS)


# MN-18, MN-19


@pytest.mark.parametrize(("serves", "status"), [(True, Status.FAIL), (False, Status.UNKNOWN)])
def test_a_tunnel_that_nobody_looked_at_before_its_client_was_sent_anew(
    serves: bool, status: Status, tmp_path: Path
) -> None:
    run = run_mn_19()
    if serves:
        is_served(run, 18.5, 24.5)
    for probe in run.all("tunnel.probed"):
        probe.update(asked_ns=at(31), at_ns=at(32))
    run.all("connections.shown")[1].update(page(GUIDE, 33, 34, []))
    text = judged(run, "MN-18", tmp_path, status)
    assert "the tunnel of client-1 still works" in text


def test_who_gets_in_by_itself_while_it_is_kept_out_is_named(tmp_path: Path) -> None:
    run = run_mn_19()
    made, user = on(run), User(disabled(run), "node-b")
    made.connect(user, 19)
    made.carry(user, 24)
    text = judge_mutant(run, "MN-19", tmp_path)
    assert "client-1 got in: node-b serves it" in text


# MN-26


@pytest.mark.parametrize(
    "order",
    [
        (STOP, UPDATE_NODE, UPDATE_CONTROLLER, START),
        (UPDATE_CONTROLLER, STOP, UPDATE_NODE, START),
    ],
)
def test_an_order_of_which_a_step_was_not_recorded_is_in_doubt(
    order: tuple[str, ...], tmp_path: Path
) -> None:
    run = maintenance(order)
    run.events = [x for x in run.events if x[2].get("script") != UPDATE_CONTROLLER]
    judged(run, "MN-26", tmp_path, Status.UNKNOWN)


# MN-28, MN-29


def test_a_scan_before_the_rules_were_loaded_says_nothing_of_them(tmp_path: Path) -> None:
    run = run_mn_28()
    before = Run(site=run.site)
    knocks = add_knocks(before, CLIENT, "node-a", 4, "tcp", {80: "reset"})
    knocks.update(began_ns=at(0.2), at_ns=at(0.9))
    run.events += before.events
    run.frames += [
        replace(one, at_ns=at(0.3 + 0.1 * number)) for number, one in enumerate(before.frames)
    ]
    judged(run, "MN-28", tmp_path, Status.PASS)


@pytest.mark.parametrize(("counted", "status"), [(3, Status.UNKNOWN), (2, Status.FAIL)])
def test_what_the_wire_did_not_carry_no_node_can_have_counted(
    counted: int, status: Status, tmp_path: Path
) -> None:
    run = run_mn_29()
    through = GUIDE.client.address(4)
    run.frames = [
        replace(one, comment="dropped by rule 1")
        if one.interface == "services/wire0" and ip_target(one.data) == through
        else one
        for one in run.frames
    ]
    last = run.all("firewall.shown", "node-a")[-1]
    last["ipv4"] = last["ipv4"].replace("[50:3000]", f"[{counted}:{60 * counted}]")
    text = judged(run, "MN-29", tmp_path, status)
    assert f"4 were sent, {counted} were refused by its counters" in text


def ip_target(data: bytes) -> str:
    return ".".join(map(str, data[30:34]))
