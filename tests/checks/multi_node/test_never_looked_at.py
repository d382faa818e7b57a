"""Who was sent to connect, and of whom nothing is known since, may have found no way in."""

from collections.abc import Callable
from pathlib import Path

import pytest

from checks.engine.verdict import Status
from tests.checks.factories import Data, Run, tunnel
from tests.checks.multi_node.maintained import at, controller_lost, maintenance, node_lost
from tests.checks.multi_node.portal_runs import run_mn_16, run_mn_17
from tests.checks.multi_node.runs import run_mn_15, run_mn_21, run_mn_23
from tests.checks.sites import GUIDE

CLIENT = GUIDE.client.name
OF_CLIENTS: dict[str, Callable[[], Run]] = {
    "MN-15": run_mn_15,
    "MN-16": run_mn_16,
    "MN-17": run_mn_17,
    "MN-21": run_mn_21,
    "MN-23": run_mn_23,
    "MN-24": node_lost,
    "MN-25": maintenance,
    "MN-27": maintenance,
    "MN-30": controller_lost,
}
NAMED = "how {} stood once it was sent to connect is not known"


def sent(run: Run, client: str, seconds: float) -> Run:
    run.events.append(("tunnel.started", CLIENT, {"client": client, "at_ns": at(seconds)}))
    return run


def judged(run: Run, requirement: str, directory: Path, status: Status) -> str:
    verdict = run.judge(requirement, directory)
    assert verdict.status is status, verdict.text
    return verdict.text


@pytest.mark.parametrize("requirement", OF_CLIENTS)
def test_a_client_that_was_sent_and_never_looked_at_is_missed(
    requirement: str, tmp_path: Path
) -> None:
    run = sent(OF_CLIENTS[requirement](), "client-77", 1.5)
    assert NAMED.format("client-77") in judged(run, requirement, tmp_path, Status.UNKNOWN)


@pytest.mark.parametrize("requirement", ["MN-15", "MN-21", "MN-23"])
def test_a_client_that_was_sent_once_more_is_looked_at_once_more(
    requirement: str, tmp_path: Path
) -> None:
    run = sent(OF_CLIENTS[requirement](), "client-1", 40)
    assert NAMED.format("client-1") in judged(run, requirement, tmp_path, Status.UNKNOWN)


@pytest.mark.parametrize("requirement", OF_CLIENTS)
def test_a_client_that_was_seen_to_leave_needs_no_look(requirement: str, tmp_path: Path) -> None:
    run = sent(OF_CLIENTS[requirement](), "client-77", 1.5)
    left: Data = {"client": "client-77", "up": False, "after_ns": at(2), "at_ns": at(3)}
    run.events.append(("tunnel.turned", CLIENT, left))
    judged(run, requirement, tmp_path, Status.PASS)


def test_of_a_dead_nodes_clients_the_one_nobody_looked_at_is_missed(tmp_path: Path) -> None:
    """Without a look its addresses are not known, so that the wire tells nothing of it either."""
    run = node_lost()
    run.events = [
        one for one in run.events if (one[0], one[2].get("client")) != ("tunnel.tried", "client-1")
    ]
    assert NAMED.format("client-1") in judged(run, "MN-24", tmp_path, Status.UNKNOWN)


def test_of_sixteen_that_landed_a_seventeenth_that_did_not_is_no_matter_of_luck(
    tmp_path: Path,
) -> None:
    run = sent(run_mn_23(), "client-16", 1.5)
    down = tunnel("node-b", "udp", 4, 16) | {"up": False, "detail": "Connection timed out"}
    run.events.append(("tunnel.tried", CLIENT, down))
    text = judged(run, "MN-23", tmp_path, Status.FAIL)
    assert "client-16 found no node: Connection timed out" in text
