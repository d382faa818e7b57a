"""MN-25: a client that a node has sent away may go to one that stops next, and is told there."""

from dataclasses import replace
from pathlib import Path

import pytest

from checks.engine.verdict import Status
from checks.multi_node.deployment import Deployment
from tests.checks.factories import Data, Run, tunnel
from tests.checks.multi_node.lateness import is_late
from tests.checks.multi_node.maintained import BEGIN_S, User, at, frames_from, maintenance, on
from tests.checks.multi_node.runs import judge_mutant
from tests.checks.sites import GUIDE, THREE

AGAIN_S, TOLD_S = BEGIN_S + 0.8, BEGIN_S + 2.8
ROW = "the connection of 10.2.0.{} to node-b since 2023-11-14T22:13:31+00:00"


def fled(site: Deployment = GUIDE, transport: str = "udp") -> Run:
    """Let client-0, whom node-a has told, be at node-b until that stops as well."""
    run = maintenance(site=site)
    first = next(one for one in run.all("tunnel.tried") if one["client"] == "client-0")
    there = tunnel("node-b", transport, first["family"], 30, site)
    own = {name: first[name] for name in ("client", "address4", "address6")}
    made, user = on(run), User(there | own, "node-b")
    made.connect(user, AGAIN_S)
    made.close(user, TOLD_S)
    for log in run.all("connections.logged")[1:]:
        log["rows"].append(dict(user.rows[-1]))
    return run


def row(run: Run, log: int) -> Data:
    found: Data = run.all("connections.logged")[log]["rows"][-1]
    return found


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("site", [GUIDE, THREE], ids=["two nodes", "three"])
def test_a_client_that_is_told_by_both_nodes_is_all_right(
    site: Deployment, transport: str, tmp_path: Path
) -> None:
    verdict = fled(site, transport).judge("MN-25", tmp_path)
    assert verdict.status is Status.PASS, verdict.text


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_client_that_the_second_node_does_not_tell_is_named(
    transport: str, tmp_path: Path
) -> None:
    run = fled(transport=transport)
    (told,) = [one for one in frames_from(run, "node-b") if one.at_ns == at(TOLD_S)]
    run.frames.remove(told)
    text = judge_mutant(run, "MN-25", tmp_path)
    assert "client-0 was not told: the wire took no message of node-b to it" in text
    assert "message of node-a" not in text


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_message_of_the_second_node_that_the_host_kept_is_late(
    transport: str, tmp_path: Path
) -> None:
    def late() -> Run:
        run = fled(transport=transport)
        (told,) = [one for one in frames_from(run, "node-b") if one.at_ns == at(TOLD_S)]
        moved = replace(told, at_ns=at(BEGIN_S + 5))
        run.frames[run.frames.index(told)] = moved
        return run

    is_late(late, "MN-25", tmp_path, "node-b", (BEGIN_S + 3, BEGIN_S + 5))


@pytest.mark.parametrize("wrong", [{"lost": True}, {"bytes_transferred": None}])
def test_a_second_disconnect_that_is_logged_without_its_bytes_is_named(
    wrong: Data, tmp_path: Path
) -> None:
    run = fled()
    row(run, 1).update(wrong)
    text = judge_mutant(run, "MN-25", tmp_path)
    assert f"{ROW.format(32)} was closed without its bytes" in text


def test_a_second_connection_that_the_log_does_not_have_is_named(tmp_path: Path) -> None:
    run = fled()
    for log in run.all("connections.logged")[1:]:
        log["rows"].pop()
    text = judge_mutant(run, "MN-25", tmp_path)
    assert "client-0 went to node-b, and the log has 0 such connections" in text


def test_a_row_that_was_closed_before_the_maintenance_is_no_matter_of_it(tmp_path: Path) -> None:
    run = maintenance()
    former = {
        "profile_id": "node-b",
        "ip4": "10.2.0.40",
        "connected_at": "2023-11-14T21:00:00+00:00",
        "disconnected_at": "2023-11-14T21:30:00+00:00",
        "bytes_transferred": None,
        "lost": True,
    }
    for log in run.all("connections.logged"):
        log["rows"].append(former)
    verdict = run.judge("MN-25", tmp_path)
    assert verdict.status is Status.PASS, verdict.text
