"""What scenarios record of tokens, syncs and databases; the machines answer a script."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from checks.failover.survival import KEPT
from checks.failover.syncing import SYNCED
from evidence.history import History, read_history
from scenarios.failover import observe, takeover, test_logs_and_sync, test_sessions, test_survival
from scenarios.failover.faults import Moment
from tests.scenarios.failover_pair import ScriptedMachine

EXPIRED = "--auth-gen-token: auth-token from client expired"
NOT_NOW = "Timestamp (946684800) of auth-token is out of the renewal window"
FAILED = "TLS: Username/auth-token authentication failed for username 'alice'"
EARLY, LATE = "2000-01-01T00:00:00+0000", "2099-01-01T00:00:00+0000"
BETWEEN_NS = 10**18


def node(*lines: tuple[str, str]) -> Any:
    text = "\n".join(f'{at} [stdout#info] [OVPN 0] OUT: "a:1 {line}"' for at, line in lines)
    return ScriptedMachine("secondary", {"node.log": text})


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Any]:
    with History(tmp_path / "history.jsonl", "it") as history:
        yield SimpleNamespace(history=history)


def test_a_tokens_refusal_is_told_by_what_the_node_logged_since_the_fault() -> None:
    secondary = node(
        (EARLY, NOT_NOW),
        (LATE, EXPIRED),
        (LATE, "VERIFY OK: depth=0, CN=alice"),
        (LATE, FAILED),
        (LATE, FAILED),
    )
    assert observe.token_reason(secondary, BETWEEN_NS) == f"{EXPIRED}; {FAILED}"


def test_a_node_that_logged_nothing_since_the_fault_gives_no_reason() -> None:
    assert observe.token_reason(node((EARLY, EXPIRED)), BETWEEN_NS) == ""


def test_a_clients_log_of_an_earlier_case_does_not_judge_the_next(
    pair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    up, refused = "Initialization Sequence Completed", "AUTH_FAILED"
    logged = [up, refused, up]
    outside: Any = SimpleNamespace(log=lambda _name: "\n".join(logged))
    pair.machine = lambda _name: node((LATE, EXPIRED))

    def provoked(_pair: object, _fault: object, _probe: object, watch: takeover.Meanwhile) -> None:
        logged.append(up)
        watch("secondary", Moment(BETWEEN_NS, 0))

    monkeypatch.setattr(test_sessions, "provoke", provoked)
    probe: Any = None
    test_sessions.try_token(pair, outside, probe, "lifetime-over", time.monotonic() - 50)
    event = read_history(pair.history.path).events("token.tried")[-1]
    assert (event["accepted"], event["reason"]) == (True, EXPIRED)
    assert event["age_s"] >= 50


def test_a_sync_is_dated_between_two_looks_at_the_standby(pair: Any) -> None:
    before_ns = time.time_ns()
    test_survival.record_sync(pair, "primary", 7, before_ns)
    event = read_history(pair.history.path).events("sync.completed")[-1]
    assert event.at_ns - event.uncertainty_ns == before_ns
    assert before_ns <= event.at_ns + event.uncertainty_ns <= time.time_ns()
    assert (event["serial"], event["period_s"]) == (7, test_survival.PERIOD_S)


def test_a_change_touches_every_item_that_must_be_seen_to_arrive() -> None:
    primary = ScriptedMachine("primary", {})
    changed: Any = SimpleNamespace(machine=lambda _name: primary)
    test_logs_and_sync.change(changed, "primary")
    (script,) = primary.asked
    actions = {"users": "UserPropPut", "revocations": "RevokeUser", "configuration": "ConfigPut"}
    assert actions.keys() == SYNCED
    assert all(action in script for action in actions.values())


class Here:
    """A machine that is this one."""

    def run(self, command: str, *, stdin: str = "") -> SimpleNamespace:
        done = subprocess.run(
            ["sh", "-c", command], input=stdin, capture_output=True, text=True, check=True
        )
        assert done.stderr == ""
        return SimpleNamespace(stdout=done.stdout)


def hashes(directory: Path) -> dict[str, str]:
    return observe.hashes(cast(Any, Here()), str(directory))


def write(database: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def test_users_are_hashed_whatever_order_they_were_written_in(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    rows = [
        "INSERT INTO properties VALUES ('a', 'b', 'c')",
        "INSERT INTO properties VALUES (1, 2, 3)",
    ]
    for place, order in ((one, rows), (other, rows[::-1])):
        place.mkdir()
        assert set(hashes(place).values()) == {"absent"}
        write(place / "userprop.db", "CREATE TABLE properties (user, key, value)")
        empty = hashes(place)
        write(place / "userprop.db", *order)
        assert {item for item in empty if hashes(place)[item] != empty[item]} == {"users"}
    assert hashes(one) == hashes(other)


def test_serials_are_read_in_their_order(tmp_path: Path) -> None:
    write(tmp_path / "userprop.db", "CREATE TABLE properties (user, key, value)")
    assert test_survival.serials(cast(Any, Here()), str(tmp_path)) == []
    write(
        tmp_path / "userprop.db",
        "INSERT INTO properties VALUES ('writer', 'serial_10', '')",
        "INSERT INTO properties VALUES ('writer', 'serial_9', '')",
        "INSERT INTO properties VALUES ('alice', 'serial_7', '')",
    )
    assert test_survival.serials(cast(Any, Here()), str(tmp_path)) == [9, 10]


def test_a_key_that_is_set_changes_the_configurations_hash_alone(tmp_path: Path) -> None:
    write(tmp_path / "config.db", "CREATE TABLE config (key, value)")
    before = hashes(tmp_path)
    write(tmp_path / "config.db", "INSERT INTO config VALUES ('auth.sessiontoken.lifetime', '601')")
    after = hashes(tmp_path)
    assert {item for item in after if after[item] != before[item]} == {"configuration"}


def test_a_licence_and_a_session_secret_are_absent_until_there_are_some(tmp_path: Path) -> None:
    write(tmp_path / "config.db", "CREATE TABLE config (key, value)")
    write(
        tmp_path / "certs.db",
        "CREATE TABLE secrets (name, value)",
        "CREATE TABLE certificates (serial, common_name, revoked_at)",
    )
    assert {hashes(tmp_path)[item] for item in KEPT} == {"absent"}
    write(tmp_path / "config.db", "INSERT INTO config VALUES ('subscription.bundle', 'LAB-46-x')")
    write(tmp_path / "certs.db", "INSERT INTO secrets VALUES ('auth-token.key', 'k')")
    assert "absent" not in {hashes(tmp_path)[item] for item in KEPT}
