"""Each check of names and clients rejects the mutants of a good run by name."""

from dataclasses import replace
from pathlib import Path

import pytest

from checks.engine.registry import judge
from checks.engine.verdict import Status
from evidence.capture import Frame
from evidence.scenario import Evidence
from tests.checks.factories import SCENARIO, SECOND, START_NS, Run, mac, tunnel_frames
from tests.checks.multi_node.lateness import is_late, kept
from tests.checks.multi_node.runs import (
    judge_mutant,
    rotating,
    run_mn_15,
    run_mn_21,
    run_mn_22,
    run_mn_23,
)
from tests.checks.sites import GUIDE

NODE_A, NODE_B = ([GUIDE.address(one, family) for family in (4, 6)] for one in GUIDE.nodes)


def test_mn_15_rejects_the_tls_crypt_key_of_the_other_node(tmp_path: Path) -> None:
    run = run_mn_15()
    run.all("tunnel.tried")[0].update(
        up=False, detail="tls-crypt unwrap error: packet authentication failed"
    )
    text = judge_mutant(run, "MN-15", tmp_path)
    assert "client-0 by udp over IPv4 to node-a: no tunnel: tls-crypt unwrap error" in text


def test_mn_15_rejects_a_tunnel_that_carries_nothing(tmp_path: Path) -> None:
    run = run_mn_15()
    run.all("tunnel.tried")[3]["ping"]["received"] = 0
    assert "no answer through the tunnel" in judge_mutant(run, "MN-15", tmp_path)


def test_mn_15_rejects_an_address_of_another_process(tmp_path: Path) -> None:
    run = run_mn_15()
    run.all("tunnel.tried")[0]["tunnel4"] = "10.1.0.66"
    text = judge_mutant(run, "MN-15", tmp_path)
    assert "it has 10.1.0.66 inside, not one of 10.1.0.0/26" in text


def test_mn_15_does_not_believe_a_tunnel_that_the_wire_did_not_carry(tmp_path: Path) -> None:
    run = run_mn_15()
    del run.frames[:2]
    verdict = run.judge("MN-15", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "the wire carried 0 bytes from 145.0.6.72 to 145.0.6.101" in verdict.text


def test_mn_15_does_not_believe_a_tunnel_in_which_nobody_asked_the_server(tmp_path: Path) -> None:
    run = run_mn_15()
    del run.frames[0]
    verdict = run.judge("MN-15", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "from 145.0.6.72 to 145.0.6.101 and 0 back, too few" in verdict.text


def test_mn_21_rejects_a_record_that_points_at_the_controller(tmp_path: Path) -> None:
    run = run_mn_21()
    run.find("names.answered")["answers"][-2]["addresses"] = ["145.0.6.72", "145.0.6.71"]
    text = judge_mutant(run, "MN-21", tmp_path)
    assert "A leads to 145.0.6.71, which belongs to controller" in text
    assert "no A record 145.0.6.73 of node-b" in text


def test_mn_21_rejects_a_record_behind_which_nobody_answers(tmp_path: Path) -> None:
    run = run_mn_21()
    run.all("tunnel.tried")[1].update(up=False, detail="no answer for 60 s")
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
    assert "199 A answers, 200 are needed" in verdict.text


def test_mn_22_is_unknown_when_the_client_tells_another_order_than_the_wire(tmp_path) -> None:
    run = run_mn_22()
    run.all("dns.answered")[0]["answers"][5]["addresses"].reverse()
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
    text = judge_mutant(run_mn_23(("node-a", 6, 16)), "MN-23", tmp_path)
    assert "clients do not spread over node-a and node-b, over IPv6: 16:0 (p = 3.1e-05" in text


def test_mn_23_rejects_clients_that_found_no_node(tmp_path: Path) -> None:
    run = run_mn_23()
    run.all("tunnel.tried")[2].update(up=False, detail="refused")
    assert "client-2 found no node: refused" in judge_mutant(run, "MN-23", tmp_path)


def test_mn_23_accepts_an_uneven_but_fair_draw(tmp_path: Path) -> None:
    assert (
        run_mn_23(("node-a", 6, 13), ("node-b", 6, 3)).judge("MN-23", tmp_path).status
        is Status.PASS
    )


def test_mn_23_is_unknown_with_fifteen_clients(tmp_path: Path) -> None:
    verdict = run_mn_23(("node-a", 4, 8), ("node-b", 4, 7)).judge("MN-23", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "15 clients that are known to have landed, 16 are needed" in verdict.text


def test_mn_23_is_unknown_when_the_controller_did_not_log_a_client(tmp_path: Path) -> None:
    run = run_mn_23()
    run.find("connection.log")["rows"].pop()
    verdict = run.judge("MN-23", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "not in the controller's log" in verdict.text


def test_mn_23_is_unknown_when_client_and_wire_disagree_about_the_node(tmp_path: Path) -> None:
    run = run_mn_23()
    run.all("tunnel.tried")[0]["remote"] = NODE_B[0]
    verdict = run.judge("MN-23", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "node-a by the wire, node-b by its own log" in verdict.text


def test_mn_23_what_a_node_still_sends_to_who_has_left_is_no_tunnel(tmp_path: Path) -> None:
    run = run_mn_23()
    first = run.all("tunnel.tried")[0]
    asked, told = tunnel_frames({**first, "remote": NODE_B[0]})
    for frame, seconds in ((asked, 1.2), (told, 1.3), (told, 5)):
        run.frames.append(replace(frame, at_ns=START_NS + round(seconds * SECOND)))
    verdict = run.judge("MN-23", tmp_path)
    assert verdict.status is Status.PASS, verdict.text


# Rows of recorded evidence that was judged wrongly


def from_node_b(frame: Frame) -> bool:
    return frame.interface == "node-b/wire0"


def by_node_a(frame: Frame) -> Frame:
    """Return a frame of node-b as node-a sends it when it has node-b's addresses as well."""
    data = frame.data[:6] + mac(NODE_A[0]) + frame.data[12:]
    return replace(frame, interface="node-a/wire0", data=data)


def answered_by_node_a(run: Run) -> Run:
    run.frames = [by_node_a(one) if from_node_b(one) else one for one in run.frames]
    return run


OF_THE_WIRE = {"MN-15": run_mn_15, "MN-21": run_mn_21, "MN-22": run_mn_22, "MN-23": run_mn_23}


@pytest.mark.parametrize("requirement", OF_THE_WIRE)
def test_nothing_passes_by_what_was_told_when_the_wire_shows_nothing(requirement, tmp_path) -> None:
    run = OF_THE_WIRE[requirement]()
    run.frames.clear()
    assert run.judge(requirement, tmp_path).status is Status.UNKNOWN


@pytest.mark.parametrize("requirement", OF_THE_WIRE)
def test_without_a_capture_nothing_is_known(requirement: str, tmp_path: Path) -> None:
    OF_THE_WIRE[requirement]().write(tmp_path)
    (tmp_path / "wire" / "lab.pcapng").unlink()
    verdict = judge(requirement, Evidence(tmp_path, SCENARIO, requirement))
    assert verdict.status is Status.UNKNOWN
    assert "wire/lab.pcapng is not there" in verdict.text


ONE_MACHINE = {"MN-15": run_mn_15, "MN-21": run_mn_21, "MN-23": run_mn_23}


@pytest.mark.parametrize("requirement", ONE_MACHINE)
def test_one_machine_with_one_mac_answers_for_both_nodes_addresses(requirement, tmp_path) -> None:
    run = answered_by_node_a(ONE_MACHINE[requirement]())
    text = judge_mutant(run, requirement, tmp_path)
    assert "node-a (02:00:00:00:00:72) answers for the addresses of node-b" in text
    assert "02:00:00:00:00:72 answers for the addresses of node-a and of node-b" in text


def test_two_nodes_behind_two_ports_with_one_mac_are_no_two_nodes(tmp_path: Path) -> None:
    run = run_mn_15()
    run.frames = [
        replace(by_node_a(one), interface=one.interface) if from_node_b(one) else one
        for one in run.frames
    ]
    text = judge_mutant(run, "MN-15", tmp_path)
    assert "02:00:00:00:00:72 answers for the addresses of node-a and of node-b" in text


@pytest.mark.parametrize("machine", ["controller", "services"])
def test_another_machine_that_has_a_nodes_addresses_and_mac_is_named(
    machine: str, tmp_path: Path
) -> None:
    run = run_mn_15()
    run.frames = [
        replace(one, interface=f"{machine}/wire0") if from_node_b(one) else one
        for one in run.frames
    ]
    text = judge_mutant(run, "MN-15", tmp_path)
    assert f"{machine} (02:00:00:00:00:73) answers for the addresses of node-b" in text


def test_a_capture_that_names_no_ports_does_not_say_who_answered(tmp_path: Path) -> None:
    run = run_mn_15()
    run.frames = [replace(one, interface="") for one in run.frames]
    verdict = run.judge("MN-15", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "does not say at which port" in verdict.text


@pytest.mark.parametrize(
    "comment",
    ["dropped by rule 1", "dropped: node-b/wire0 is cut", "not to client/wire0: it is cut"],
)
def test_mn_15_every_frame_of_node_bs_servers_was_dropped_on_the_wire(comment, tmp_path) -> None:
    run = run_mn_15()
    run.frames = [replace(one, comment=comment) if from_node_b(one) else one for one in run.frames]
    text = judge_mutant(run, "MN-15", tmp_path)
    assert "to node-b: the wire dropped 1200 bytes and carried 0" in text
    assert "node-a: the wire dropped" not in text


def test_mn_15_a_delayed_frame_was_carried_all_the_same(tmp_path: Path) -> None:
    run = run_mn_15()
    run.frames = [replace(one, comment="delayed 20.000 ms by rule 2") for one in run.frames]
    verdict = run.judge("MN-15", tmp_path)
    assert verdict.status is Status.PASS, verdict.text


def test_mn_15_rejects_a_client_that_was_up_and_is_down_at_the_end(tmp_path: Path) -> None:
    run = run_mn_15()
    last = {**run.all("tunnel.tried")[2], "up": False, "detail": "ping-restart"}
    run.events.append(("tunnel.tried", "client", last))
    assert "no tunnel: ping-restart" in judge_mutant(run, "MN-15", tmp_path)


def test_mn_15_does_not_count_the_first_attempts_traffic_for_the_second(tmp_path: Path) -> None:
    run = run_mn_15()
    again = run.all("tunnel.tried")[2]
    started = {"client": again["client"], "at_ns": START_NS + 30 * SECOND}
    run.events.append(("tunnel.started", "client", started))
    run.events.append(("tunnel.tried", "client", {**again, "at_ns": START_NS + 40 * SECOND}))
    verdict = run.judge("MN-15", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "too few for a tunnel" in verdict.text


@pytest.mark.parametrize("number", range(8))
def test_mn_15_is_unknown_when_a_way_was_not_tried(number: int, tmp_path: Path) -> None:
    run = run_mn_15()
    run.events.remove(("tunnel.tried", "client", run.all("tunnel.tried")[number]))
    verdict = run.judge("MN-15", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "not shown: node-" in verdict.text


def test_mn_21_rejects_a_record_that_was_wrong_at_first(tmp_path: Path) -> None:
    run = run_mn_21()
    question = {**run.find("names.answered")["answers"][-1], "addresses": [NODE_B[1]]}
    run.events.insert(0, ("names.answered", "client", {"answers": [question]}))
    text = judge_mutant(run, "MN-21", tmp_path)
    assert "no AAAA record 2001:610:188:418:145:0:6:72 of node-a" in text


def in_blocks(length: int):
    return lambda family, number: rotating(family, number // length)


@pytest.mark.parametrize("length", [100, 50, 10, 4])
def test_mn_22_no_rotation_one_node_first_for_100_queries_then_the_other(length, tmp_path) -> None:
    text = judge_mutant(run_mn_22(order=in_blocks(length)), "MN-22", tmp_path)
    assert f"A: an order is kept from answer to answer: {200 // length - 1} changes in 200" in text
    assert "AAAA: an order is kept" in text
    assert "do not come first equally often" not in text


DRAWN = (
    "abaabbbaaabbaababbabbbaabbabbaaaaabbaaaabbbbbbbbaaabbaabbaaaaabbbaaaaaaabaaaabab"
    "abbbabababbaabbaaabababbbababbababbaabaabbbaaabbbaabbbabbabaabbaabababbabbbbbaaa"
    "baaabbabbababbbbabbbaaabaaabaaaababaaaaa"
)
"""Which node BIND named first, in a genuine run: it draws at random."""


def test_mn_22_accepts_the_order_of_a_genuine_server(tmp_path: Path) -> None:
    run = run_mn_22(order=lambda family, number: rotating(family, DRAWN[number] == "a"))
    verdict = run.judge("MN-22", tmp_path)
    assert verdict.status is Status.PASS, verdict.text
    assert "A: the nodes came first 103:97" in verdict.text


@pytest.mark.parametrize(
    "turn", [lambda number: min(number, 150), lambda number: min(number, 100 + number // 150)]
)
def test_mn_22_a_rotation_that_stops_for_50_answers_is_none(turn, tmp_path: Path) -> None:
    run = run_mn_22(order=lambda family, number: rotating(family, turn(number)))
    text = judge_mutant(run, "MN-22", tmp_path)
    assert "A: an order is kept for too long: one 50 times on end in 200" in text
    assert "from answer to answer" not in text


def test_mn_22_goes_by_the_order_on_the_wire_not_by_that_of_the_client(tmp_path: Path) -> None:
    run = run_mn_22()
    run.frames = [frame for turn in (0, 1) for frame in run.frames[turn::2]]
    text = judge_mutant(run, "MN-22", tmp_path)
    assert "A: an order is kept from answer to answer: 1 changes in 200" in text


def test_mn_22_does_not_take_answers_of_another_machine(tmp_path: Path) -> None:
    run = run_mn_22()
    run.frames = [replace(one, interface="controller/wire0") for one in run.frames]
    verdict = run.judge("MN-22", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "0 A answers, 200 are needed" in verdict.text


SPLITS = {
    "all 16 IPv4 on node-a, all 16 IPv6 on node-b (16:0 in each family)": (
        [("node-a", 4, 16), ("node-b", 6, 16)],
        "over IPv4: 16:0",
    ),
    "A fixed (16 IPv4 all on node-a), AAAA rotates (8:8)": (
        [("node-a", 4, 16), ("node-a", 6, 8), ("node-b", 6, 8)],
        "over IPv4: 16:0",
    ),
    "16 clients: all 8 IPv4 on node-a, all 8 IPv6 on node-b": (
        [("node-a", 4, 8), ("node-b", 6, 8)],
        "taken together: 8:0 and 0:8",
    ),
    "14:2 in each family: too uneven only together": (
        [("node-a", 4, 14), ("node-b", 4, 2), ("node-a", 6, 14), ("node-b", 6, 2)],
        "in all: 28:4",
    ),
}


@pytest.mark.parametrize("split", SPLITS)
def test_mn_23_judges_families_apart_and_together(split: str, tmp_path: Path) -> None:
    landings, words = SPLITS[split]
    text = judge_mutant(run_mn_23(*landings), "MN-23", tmp_path)
    assert f"clients do not spread over node-a and node-b, {words}" in text


def test_mn_23_accepts_two_families_that_spread(tmp_path: Path) -> None:
    landings = [(node, family, 8) for node in GUIDE.nodes for family in (4, 6)]
    verdict = run_mn_23(*landings).judge("MN-23", tmp_path)
    assert verdict.status is Status.PASS, verdict.text
    assert "over IPv6 8:8" in verdict.text


def test_mn_23_is_unknown_when_the_controller_has_closed_a_connection(tmp_path: Path) -> None:
    run = run_mn_23()
    run.find("connection.log")["rows"][0]["disconnected_at"] = "2023-11-14T22:13:30+00:00"
    verdict = run.judge("MN-23", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "not in the controller's log" in verdict.text


def test_mn_23_does_not_believe_a_log_that_knows_what_comes(tmp_path: Path) -> None:
    run = run_mn_23()
    run.find("connection.log")["rows"][0]["connected_ns"] += 60 * SECOND
    verdict = run.judge("MN-23", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "after it was read" in verdict.text


@pytest.mark.parametrize(
    ("off_s", "status"), [(2, Status.FAIL), (10, Status.PASS), (11, Status.UNKNOWN)]
)
def test_mn_23_a_row_is_as_old_as_the_clock_of_its_node_is_sure_of(
    tmp_path: Path, off_s: int, status: Status
) -> None:
    run = run_mn_23()
    for one in run.find("connection.log")["rows"]:
        one.update(connected_ns=START_NS - 3 * SECOND, uncertainty_ns=off_s * SECOND)
    verdict = run.judge("MN-23", tmp_path)
    assert verdict.status is status, verdict.text


@pytest.mark.parametrize("lacks", ["connected_ns", "uncertainty_ns"])
def test_mn_23_a_row_that_no_clock_of_its_node_dates_is_neither_old_nor_new(
    tmp_path: Path, lacks: str
) -> None:
    """As of a run whose rows were dated by the controller's clock, or by nobody's."""
    run = run_mn_23()
    row = run.find("connection.log")["rows"][0]
    row["connected_ns"] -= 60 * SECOND
    del row[lacks]
    verdict = run.judge("MN-23", tmp_path)
    assert verdict.status is Status.UNKNOWN, verdict.text
    assert "was not told by node-a's clock" in verdict.text


def test_mn_23_reads_a_log_whose_rows_the_controllers_clock_dated(tmp_path: Path) -> None:
    run = run_mn_23()
    log = run.find("connection.log")
    log["uncertainty_ns"] = SECOND
    for row in log["rows"]:
        del row["uncertainty_ns"]
    verdict = run.judge("MN-23", tmp_path)
    assert verdict.status is Status.PASS, verdict.text


def test_mn_23_counts_a_client_that_tried_twice_once(tmp_path: Path) -> None:
    run = run_mn_23(("node-a", 6, 8), ("node-b", 6, 7))
    first = run.all("tunnel.tried")[0]
    run.events.append(("tunnel.tried", "client", {**first, "at_ns": START_NS + 25 * SECOND}))
    verdict = run.judge("MN-23", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "15 clients that are known to have landed" in verdict.text


def test_mn_23_clients_that_have_one_address_are_not_that_many_connections(tmp_path: Path) -> None:
    """As sixteen with one certificate, of whom each pushes out the one before."""
    run = run_mn_23()
    log = run.find("connection.log")
    for node in GUIDE.nodes:
        here = [one for one in run.all("tunnel.tried") if GUIDE.node_of(one["remote"]) == node]
        for one in here:
            one.update(tunnel4=here[0]["tunnel4"], tunnel6=here[0]["tunnel6"])
    log["rows"] = [
        next(row for row in log["rows"] if row["profile_id"] == node) for node in GUIDE.nodes
    ]
    verdict = run.judge("MN-23", tmp_path)
    assert verdict.status is Status.UNKNOWN, verdict.text
    assert "client-0, client-1, client-2" in verdict.text
    assert "say that they have one address at node-a: 10.1.0.2" in verdict.text


def unanswered() -> Run:
    run = run_mn_15()
    run.all("tunnel.tried")[0]["ping"]["received"] = 0
    return run


@pytest.mark.parametrize("of", ["node-a", "client", "wire"])
def test_mn_15_an_echo_that_a_busy_host_leaves_without_an_answer_says_nothing(
    tmp_path: Path, of: str
) -> None:
    is_late(unanswered, "MN-15", tmp_path, of, (16.5, 20))


def unanswered_for_long() -> Run:
    """Let clients have begun to ask at 2 s, on a slow machine, and each wait for 8 s."""
    run = unanswered()
    for one in run.all("tunnel.tried"):
        one["ping"].update(began_ns=START_NS + 2 * SECOND, waited_s=8)
    return run


@pytest.mark.parametrize("of", ["node-a", "client", "wire"])
def test_mn_15_an_echo_is_late_from_when_it_was_asked_for(tmp_path: Path, of: str) -> None:
    is_late(unanswered_for_long, "MN-15", tmp_path, of, (3, 9.5))


@pytest.mark.parametrize(("of", "from_s", "until_s"), [("node-a", 12, 16), ("node-b", 3, 9.5)])
def test_mn_15_no_answer_for_longer_than_the_host_was_late_is_no_answer(
    tmp_path: Path, of: str, from_s: float, until_s: float
) -> None:
    judge_mutant(kept(unanswered_for_long(), of, from_s, until_s), "MN-15", tmp_path)


@pytest.mark.parametrize(("of", "until_s"), [("node-b", 20), ("node-a", 17)])
def test_mn_15_a_host_that_was_late_elsewhere_or_for_less_is_no_excuse(
    tmp_path: Path, of: str, until_s: float
) -> None:
    judge_mutant(kept(unanswered(), of, 16.5, until_s), "MN-15", tmp_path)
