"""MN-17, 24, 25, 27 and 30: who has left is no client any more, and may come again."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from checks.engine.verdict import Status
from tests.checks.factories import Data, Run, tunnel, tunnel_frames
from tests.checks.multi_node.maintained import (
    User,
    at,
    controller_lost,
    maintenance,
    node_lost,
    on,
)
from tests.checks.multi_node.portal_runs import bye, page, run_mn_17
from tests.checks.multi_node.runs import judge_mutant
from tests.checks.sites import GUIDE

CLIENT = GUIDE.client.name


def judged(run: Run, requirement: str, directory: Path, status: Status) -> str:
    verdict = run.judge(requirement, directory)
    assert verdict.status is status, verdict.text
    return verdict.text


# MN-17


def turned(one: Data, *, up: bool, after: float, seen: float) -> tuple[str, str, Data]:
    data = {"client": one["client"], "up": up, "after_ns": at(after), "at_ns": at(seen)}
    return "tunnel.turned", CLIENT, data


def second_visit(*, listed: bool, leaves: bool = True) -> Run:
    """Let both clients, who left at 31 s, be connected once more from 45 s to 71 s."""
    run = run_mn_17()
    tunnels = [*zip(GUIDE.nodes, run.all("tunnel.tried"), strict=True)]
    for number, (_, one) in enumerate(tunnels):
        run.events += [
            ("tunnel.started", CLIENT, {"client": one["client"], "at_ns": at(45)}),
            turned(one, up=True, after=45.2, seen=47),
            ("tunnel.tried", CLIENT, {**one, "at_ns": at(65)}),
        ]
        for later, frame in enumerate(tunnel_frames(one)):
            run.frames.append(replace(frame, at_ns=at(46 + 0.1 * later + 0.01 * number)))
        if leaves:
            run.events.append(turned(one, up=False, after=70, seen=72))
            run.frames.append(bye(one, 71, GUIDE))
    there = tunnels if listed else []
    run.events += [
        ("connections.shown", CLIENT, page(GUIDE, 48, 49, there)),
        ("connections.shown", CLIENT, page(GUIDE, 60, 61, there)),
        ("connections.shown", CLIENT, page(GUIDE, 72.1, 73, [] if leaves else there)),
    ]
    return run


@pytest.mark.parametrize("leaves", [True, False])
def test_a_client_that_comes_again_is_listed_again(leaves: bool, tmp_path: Path) -> None:
    judged(second_visit(listed=True, leaves=leaves), "MN-17", tmp_path, Status.PASS)


@pytest.mark.parametrize("leaves", [True, False])
def test_a_client_that_is_not_listed_when_it_comes_again_is_named(
    leaves: bool, tmp_path: Path
) -> None:
    text = judge_mutant(second_visit(listed=False, leaves=leaves), "MN-17", tmp_path)
    assert "after 13.0 s, not the 5 s that are allowed, it is not so that client-0 stands" in text


def test_a_client_whose_leaving_was_not_recorded_may_have_left_at_any_time(tmp_path: Path) -> None:
    run = second_visit(listed=True)
    first = [one for one in run.all("tunnel.turned") if one["at_ns"] == at(32)]
    run.events = [one for one in run.events if one[2] not in first]
    text = judged(run, "MN-17", tmp_path, Status.UNKNOWN)
    assert "when client-0 left was not recorded" in text


def test_a_client_that_is_told_to_leave_twice_has_left_once(tmp_path: Path) -> None:
    run = run_mn_17()
    for one in run.all("tunnel.tried"):
        run.events.append(turned(one, up=False, after=80, seen=81))
    judged(run, "MN-17", tmp_path, Status.PASS)


# MN-24, 25, 27, 30


def with_one_who_leaves(run: Run) -> Run:
    """Let one more client of node-a be up at 3 s, leave at 4 s, and be down at 5 s."""
    made = on(run)
    user = User(tunnel("node-a", "udp", 4, 8), "node-a")
    made.started([user], 1)
    made.connect(user, 2)
    made.carry(user, 4)
    made.tried([user], 3)
    user.since_s = None
    run.events.append(turned(user.data, up=False, after=4, seen=4.5))
    made.tried([user], 5, "SIGTERM[hard,] received, process exiting")
    ended = "2023-11-14T22:13:24+00:00"
    row = user.rows[-1] | {"disconnected_at": ended, "bytes_transferred": user.octets}
    for log in run.all("connections.logged"):
        log["rows"].append(row)
    return run


AWAY = {
    "MN-24": node_lost,
    "MN-25": maintenance,
    "MN-27": maintenance,
    "MN-30": controller_lost,
}


@pytest.mark.parametrize("requirement", AWAY)
def test_who_had_left_before_is_no_client_any_more(requirement: str, tmp_path: Path) -> None:
    judged(with_one_who_leaves(AWAY[requirement]()), requirement, tmp_path, Status.PASS)


def sent_again(run: Run) -> None:
    run.events.append(("tunnel.started", CLIENT, {"client": "client-8", "at_ns": at(4.8)}))


def comes_up_again(run: Run) -> None:
    run.events.append(turned({"client": "client-8"}, up=True, after=4.6, seen=4.8))


def was_never_seen_to_leave(run: Run) -> None:
    run.events = [one for one in run.events if one[0] != "tunnel.turned"]


@pytest.mark.parametrize("change", [sent_again, comes_up_again, was_never_seen_to_leave])
@pytest.mark.parametrize("requirement", AWAY)
def test_who_came_again_or_never_left_is_a_client(
    requirement: str, change: Callable[[Run], None], tmp_path: Path
) -> None:
    run = with_one_who_leaves(AWAY[requirement]())
    change(run)
    if requirement == "MN-30" and change is sent_again:  # and not in by when it went off
        text = judged(run, requirement, tmp_path, Status.UNKNOWN)
        assert "client-8 by udp over IPv4 to node-a: not looked at while" in text
    else:
        assert "client-8" in judge_mutant(run, requirement, tmp_path)


def test_who_left_and_gets_in_while_the_controller_is_off_is_named(tmp_path: Path) -> None:
    run = with_one_who_leaves(controller_lost())
    made, user = on(run), User(tunnel("node-a", "udp", 4, 8), "node-a")
    made.started([user], 30)
    made.connect(user, 31)
    made.carry(user, 50)
    made.tried([user], 45)
    text = judge_mutant(run, "MN-30", tmp_path)
    assert "client-8 by udp over IPv4 to node-a: it got in" in text
