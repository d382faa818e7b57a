"""MN-30: who was in when the controller went off stands; who was only on the way in is new."""

from pathlib import Path

import pytest

from checks.engine.verdict import Status
from tests.checks.factories import Run, tunnel
from tests.checks.multi_node.maintained import DETAIL, User, controller_lost, on
from tests.checks.multi_node.runs import judge_mutant

OFF_S, ON_S = 20, 60
NAME = "client-8 by {} over IPv4 to node-a"


def on_its_way(transport: str = "udp", *, served_from_s: float | None = None) -> Run:
    """Let one more client be sent 2 s before the controller goes off, and shake hands by then."""
    run = controller_lost()
    made, user = on(run), User(tunnel("node-a", transport, 4, 8), "node-a")
    made.started([user], OFF_S - 2)
    made.connect(user, OFF_S - 1)
    user.since_s = served_from_s
    made.carry(user, ON_S + 20)
    made.tried([user], ON_S - 19, DETAIL)
    return run


def judged(run: Run, directory: Path, status: Status) -> str:
    verdict = run.judge("MN-30", directory)
    assert verdict.status is status, verdict.text
    return verdict.text


def test_a_client_on_its_way_that_is_refused_was_none_that_stood(tmp_path: Path) -> None:
    judged(on_its_way(), tmp_path, Status.PASS)


def test_a_client_on_its_way_that_gets_in_without_the_controller_is_named(tmp_path: Path) -> None:
    text = judge_mutant(on_its_way(served_from_s=OFF_S + 16), "MN-30", tmp_path)
    assert f"{NAME.format('udp')}: it got in" in text


@pytest.mark.parametrize(("transport", "after_s"), [("udp", 2), ("tcp", 16)])
def test_who_may_have_been_let_in_just_before_is_in_doubt(
    transport: str, after_s: float, tmp_path: Path
) -> None:
    run = on_its_way(transport, served_from_s=OFF_S + after_s)
    text = judged(run, tmp_path, Status.UNKNOWN)
    assert f"{NAME.format(transport)}: it may have been let in just before" in text


def test_a_client_on_its_way_that_was_looked_at_before_alone_shows_nothing(tmp_path: Path) -> None:
    run = on_its_way()
    last = [one for one in run.all("tunnel.tried") if one["client"] == "client-8"][-1]
    last["at_ns"] -= 22 * 10**9
    text = judged(run, tmp_path, Status.UNKNOWN)
    assert f"{NAME.format('udp')}: not looked at while the controller was off" in text


def test_a_client_that_had_nothing_to_carry_and_was_up_stands(tmp_path: Path) -> None:
    run = on_its_way("tcp", served_from_s=OFF_S + 16)
    made = on(run)
    (first,) = [one for one in run.all("tunnel.tried") if one["client"] == "client-8"]
    user = User({name: it for name, it in first.items() if name != "at_ns"}, "node-a", since_s=1)
    made.tried([user], OFF_S - 0.5)
    made.tried([user], ON_S + 16)
    judged(run, tmp_path, Status.PASS)
