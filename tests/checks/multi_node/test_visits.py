"""MN-15 to 17, 21, 23: a client may visit several nodes, and leave them; each visit is judged."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from checks.engine.verdict import Status
from evidence.capture import Frame
from tests.checks.factories import Data, Run, sent, tcp, tunnel, tunnel_frames
from tests.checks.multi_node.portal_runs import at, bye, page, run_mn_16, run_mn_17
from tests.checks.multi_node.runs import judge_mutant, run_mn_15, run_mn_21, run_mn_23
from tests.checks.multi_node.test_leaving import CLIENT, judged, turned
from tests.checks.sites import GUIDE

AWAY = "SIGTERM[hard,] received, process exiting"
TO_LEAVE: dict[str, Callable[[], Run]] = {
    "MN-15": run_mn_15,
    "MN-16": run_mn_16,
    "MN-17": run_mn_17,
    "MN-21": run_mn_21,
    "MN-23": run_mn_23,
}


def looked_at_once_more(run: Run, *, left: bool) -> Run:
    """Let each client be looked at when it has no tunnel any more."""
    for one in run.all("tunnel.tried"):
        down = {**one, "at_ns": at(34), "up": False, "detail": AWAY}
        if left:
            run.events.append(turned(one, up=False, after=30, seen=32))
        run.events.append(("tunnel.tried", CLIENT, down))
    return run


@pytest.mark.parametrize("requirement", TO_LEAVE)
def test_who_has_left_lost_no_tunnel(requirement: str, tmp_path: Path) -> None:
    run = looked_at_once_more(TO_LEAVE[requirement](), left=True)
    judged(run, requirement, tmp_path, Status.PASS)


@pytest.mark.parametrize("requirement", [one for one in TO_LEAVE if one != "MN-17"])
def test_who_did_not_leave_and_has_no_tunnel_is_named(requirement: str, tmp_path: Path) -> None:
    run = looked_at_once_more(TO_LEAVE[requirement](), left=False)
    assert AWAY in judge_mutant(run, requirement, tmp_path)


def dated(frames: list[Frame], seconds: float) -> list[Frame]:
    return [replace(one, at_ns=at(seconds + 0.01 * number)) for number, one in enumerate(frames)]


def visit(run: Run, node: str, seconds: float) -> Data:
    """Send client-0 to another node at some moment, and look at it 5 s later."""
    own = run.all("tunnel.tried")[0]
    there = tunnel(node, "udp", 4, 9)
    data = there | {name: own[name] for name in ("client", "address4", "address6")}
    begun = {"client": own["client"], "at_ns": at(seconds)}
    run.events.append(("tunnel.started", CLIENT, begun))
    run.events.append(("tunnel.tried", CLIENT, {**data, "at_ns": at(seconds + 5)}))
    run.frames += dated(tunnel_frames(data), seconds + 1)
    return data


# MN-15


def in_turn(*, lost: int | None = None) -> Run:
    """Let one client try every way in, one after the other; one of them may not let it in."""
    run = run_mn_15()
    tried = run.all("tunnel.tried")
    first, run.frames = tried[0], []
    for number, (begun, one) in enumerate(zip(run.all("tunnel.started"), tried, strict=True)):
        one.update({name: first[name] for name in ("client", "address4", "address6")})
        begun.update(client=first["client"], at_ns=at(2 + 10 * number))
        one["at_ns"] = at(5 + 10 * number)
        if number == lost:
            one.update(up=False, detail="TLS key negotiation failed")
        run.frames += dated(tunnel_frames(one), 3 + 10 * number)
    return run


def test_one_client_may_try_every_way_in(tmp_path: Path) -> None:
    judged(in_turn(), "MN-15", tmp_path, Status.PASS)


def test_a_way_that_did_not_let_it_in_is_not_shown(tmp_path: Path) -> None:
    judged(in_turn(lost=3), "MN-15", tmp_path, Status.UNKNOWN)


def test_the_last_way_that_did_not_let_it_in_is_named(tmp_path: Path) -> None:
    assert "TLS key negotiation failed" in judge_mutant(in_turn(lost=7), "MN-15", tmp_path)


@pytest.mark.parametrize("requirement", ["MN-15", "MN-21"])
def test_a_client_that_never_had_a_peer_shows_no_way_in(requirement: str, tmp_path: Path) -> None:
    run = TO_LEAVE[requirement]()
    data = tunnel("node-b", "udp", 4, 16)
    data |= {"up": False, "transport": "", "remote": "", "detail": "RESOLVE: Cannot resolve"}
    run.events.append(("tunnel.started", CLIENT, {"client": data["client"]}))
    run.events.append(("tunnel.tried", CLIENT, data))
    text = judged(run, requirement, tmp_path, Status.UNKNOWN)
    assert "client-16 never had a node to connect to: RESOLVE: Cannot resolve" in text


# MN-16


def asked_at_two_nodes(comes_from: str = "node-b") -> Run:
    """Let client-0 ask at node-a first, and at node-b, to which it is sent at 30 s, later."""
    run = run_mn_16()
    visit(run, "node-b", 30)
    logged = run.find("web.logged")
    for family in (4, 6):
        path = f"/again-{family}"
        asked = {"client": "client-0", "family": family, "path": path, "status": 404}
        run.events.append(("web.asked", CLIENT, {**asked, "detail": "", "at_ns": at(40)}))
        address = GUIDE.address(comes_from, family)
        logged["requests"].append({"address": address, "path": path, "status": 404})
    return run


def test_what_a_client_asks_for_comes_from_the_node_that_it_visits(tmp_path: Path) -> None:
    judged(asked_at_two_nodes(), "MN-16", tmp_path, Status.PASS)


def test_what_comes_from_a_node_that_was_left_is_named(tmp_path: Path) -> None:
    text = judge_mutant(asked_at_two_nodes("node-a"), "MN-16", tmp_path)
    assert "which belongs to node-a, not from 145.0.6.73" in text


def test_a_request_without_answer_that_came_is_in_doubt(tmp_path: Path) -> None:
    run = run_mn_16()
    run.all("web.asked")[2].update(status=0, detail="curl: (28) timed out")
    text = judged(run, "MN-16", tmp_path, Status.UNKNOWN)
    assert "got no answer (curl: (28) timed out), but the log of it says 404" in text


def test_a_request_without_answer_that_came_from_inside_is_named(tmp_path: Path) -> None:
    run = run_mn_16()
    run.all("web.asked")[2].update(status=0, detail="curl: (28) timed out")
    run.find("web.logged")["requests"][2]["address"] = "10.2.0.3"
    run.frames.append(sent(tcp(("10.2.0.3", 40000), ("145.0.6.10", 80), b"GET")))
    assert "asked from 10.2.0.3" in judge_mutant(run, "MN-16", tmp_path)


# MN-17


def listed_at_two_nodes(*, under: str = "node-b", at_first: bool = True) -> Run:
    """Let client-0, who left node-a at 31 s, be at node-b from 45 s to 71 s."""
    run = run_mn_17()
    there = visit(run, "node-b", 45)
    run.events += [
        turned(there, up=True, after=45.2, seen=47),
        turned(there, up=False, after=70, seen=72),
    ]
    run.frames.append(bye(there, 71, GUIDE))
    if not at_first:
        run.all("connections.shown")[0]["profiles"]["node-a"] = []
        run.events.append(("connections.shown", CLIENT, page(GUIDE, 20, 21, [])))
    run.events += [
        ("connections.shown", CLIENT, page(GUIDE, 48, 49, [(under, there)])),
        ("connections.shown", CLIENT, page(GUIDE, 72.1, 73, [])),
    ]
    return run


def test_a_client_that_visits_two_nodes_is_listed_at_each(tmp_path: Path) -> None:
    judged(listed_at_two_nodes(), "MN-17", tmp_path, Status.PASS)


def test_a_client_that_is_listed_under_the_node_that_it_left_is_named(tmp_path: Path) -> None:
    text = judge_mutant(listed_at_two_nodes(under="node-a"), "MN-17", tmp_path)
    assert "client-0, a client of node-b, stands under node-a" in text


def test_a_client_that_is_listed_at_the_second_node_alone_is_named(tmp_path: Path) -> None:
    text = judge_mutant(listed_at_two_nodes(at_first=False), "MN-17", tmp_path)
    assert "it is not so that client-0 stands under node-a" in text
