"""MN-25: which rows of the controller's log are whose, and what the wire took of their bytes."""

from dataclasses import replace
from pathlib import Path

from checks.engine.verdict import Status
from tests.checks.factories import Data, Run, tunnel
from tests.checks.multi_node.maintained import (
    BEGIN_S,
    CONTROL,
    RESET,
    User,
    at,
    frames_from,
    maintenance,
    on,
    opcode,
)
from tests.checks.multi_node.runs import judge_mutant


def last_rows(run: Run) -> list[Data]:
    return run.all("connections.logged")[2]["rows"]


def passes(run: Run, directory: Path) -> None:
    verdict = run.judge("MN-25", directory)
    assert verdict.status is Status.PASS, verdict.text


def come_afterwards(run: Run) -> User:
    """Let a client connect for the first time after the maintenance, and be looked at."""
    made = on(run)
    user = User(tunnel("node-a", "udp", 4, 9), "node-a")
    made.started([user], 36)
    made.connect(user, 37)
    made.carry(user, 44)
    made.tried([user], 45)
    return user


def test_a_client_that_comes_after_the_maintenance_is_open_in_the_log(tmp_path: Path) -> None:
    run = maintenance()
    last_rows(run).append(come_afterwards(run).rows[-1])
    passes(run, tmp_path)


def test_a_client_that_is_connected_and_not_open_in_the_log_is_in_doubt(tmp_path: Path) -> None:
    run = maintenance()
    come_afterwards(run)
    verdict = run.judge("MN-25", tmp_path)
    assert verdict.status is Status.UNKNOWN, verdict.text
    assert "client-9 is connected, and the log does not hold it as open" in verdict.text


def test_a_session_has_no_bytes_of_a_handshake_that_failed_before_it(tmp_path: Path) -> None:
    run = maintenance()
    made, first = on(run), dict(run.all("tunnel.tried")[0])
    del first["at_ns"]
    user = User(first, "node-a")
    made.send(user, opcode(RESET, 50, "udp"), 1.2, back=False)
    made.send(user, opcode(CONTROL, 1200, "udp"), 1.3, back=True)
    made.tried([user], 1.8, "TLS handshake failed")
    passes(run, tmp_path)


def test_two_rows_of_one_address_are_not_both_of_who_is_connected(tmp_path: Path) -> None:
    run = maintenance()
    is_open = next(one for one in last_rows(run) if one["disconnected_at"] is None)
    last_rows(run).append({**is_open, "connected_at": "2023-11-14T22:13:41+00:00"})
    text = judge_mutant(run, "MN-25", tmp_path)
    assert "since 2023-11-14T22:13:41+00:00 is left open in the log" in text


def test_the_end_of_a_connection_may_reach_the_wire_80_ms_late(tmp_path: Path) -> None:
    run = maintenance()
    ends_ns = at(BEGIN_S + 0.5)
    for unit in run.all("unit.changed", "node-a"):
        if unit["change"] == "stopped":
            unit["at_ns"] = ends_ns
    told = [one for one in frames_from(run, "node-a") if one.at_ns == ends_ns]
    for frame in told:
        run.frames[run.frames.index(frame)] = replace(frame, at_ns=ends_ns + 80_000_000)
    passes(run, tmp_path)
