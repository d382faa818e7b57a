"""What scenarios record of tokens, syncs and databases; the machines answer a script."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import pytest

from evidence.event import Event
from evidence.events.session import TokenLogged, TokenTried
from evidence.events.setup import CommitAttempted
from evidence.events.sync import SyncCompleted, WriteAcknowledged
from evidence.events.takeover import AddressesHeld, GuestCaptured, TunnelCarried, TunnelWatched
from evidence.history import History, read_history
from evidence.moment import NS, Moment
from evidence.secret import Secrets
from lab.clock import ClockOffset
from lab.errors import DeadlinePassed
from lab.topology import read_topology
from provision.failover.site import Site
from scenarios.failover import (
    observe,
    takeover,
    test_logs_and_sync,
    test_sessions,
    test_setup,
    test_survival,
    test_takeover,
    tunnels,
    validation,
)
from scenarios.failover.test_logs_and_sync import SYNCED
from scenarios.failover.test_survival import KEPT
from tests.scenarios.failover_pair import ScriptedMachine

EXPIRED = "--auth-gen-token: auth-token from client expired"
NOT_NOW = "Timestamp (946684800) of auth-token is out of the renewal window"
FAILED = "TLS: Username/auth-token authentication failed for username 'alice'"
VERIFIED = "VERIFY OK: depth=0, CN=alice"
EARLY, LATE = "2000-01-01T00:00:00+0000", "2099-01-01T00:00:00+0000"
BETWEEN_NS = 10**18


def logged(client: str, *texts: str) -> tuple[TokenLogged, ...]:
    return tuple(TokenLogged(client=client, text=text) for text in texts)


def node(*lines: tuple[str, str]) -> Any:
    text = "\n".join(f'{at} [stdout#info] [OVPN 0] OUT: "a:1 {line}"' for at, line in lines)
    return ScriptedMachine("secondary", {"node.log": text})


E = TypeVar("E", bound=Event)


def recorded(pair: Any, kind: type[E]) -> list[E]:
    return read_history(pair.history.path).of(kind)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Any]:
    with History(tmp_path / "history.jsonl", "it") as history:
        yield SimpleNamespace(history=history)


def test_a_tokens_refusal_is_told_by_what_the_node_logged_since_the_fault() -> None:
    secondary = node(
        (EARLY, NOT_NOW),
        (LATE, EXPIRED),
        (LATE, VERIFIED),
        (LATE, FAILED),
        (LATE, FAILED),
    )
    assert observe.tokens_logged(secondary, BETWEEN_NS) == logged("alice", EXPIRED, FAILED)


def test_what_is_logged_of_another_clients_token_is_that_clients() -> None:
    text = "\n".join(
        f'{LATE} [stdout#info] [OVPN 0] OUT: "{line}"'
        for line in (
            "198.51.100.101:4000 VERIFY OK: depth=0, CN=alice",
            "198.51.100.102:4000 VERIFY OK: depth=0, O=x, CN=bob",
            f"198.51.100.101:4000 {FAILED}",
            f"198.51.100.102:4000 {EXPIRED}",
            f"carol/198.51.100.103:4000 {EXPIRED}",
            f"198.51.100.104:4000 {NOT_NOW}",
        )
    )
    secondary: Any = ScriptedMachine("secondary", {"node.log": text})
    assert observe.tokens_logged(secondary, BETWEEN_NS) == (
        *logged("alice", FAILED),
        *logged("bob", EXPIRED),
        *logged("carol", EXPIRED),
        *logged("198.51.100.104:4000", NOT_NOW),
    )


def test_a_node_that_logged_nothing_since_the_fault_gives_no_reason() -> None:
    assert observe.tokens_logged(node((EARLY, EXPIRED)), BETWEEN_NS) == ()


def test_a_clients_log_of_an_earlier_case_does_not_judge_the_next(
    pair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    up, refused = "Initialization Sequence Completed", "AUTH_FAILED"
    lines = [up, refused, up]
    outside: Any = SimpleNamespace(log=lambda _name: "\n".join(lines))
    pair.machine = lambda _name: node((LATE, VERIFIED), (LATE, EXPIRED))

    def provoked(_pair: object, _fault: object, _probe: object, watch: takeover.Meanwhile) -> None:
        lines.append(up)
        watch("secondary", Moment(BETWEEN_NS, 0))

    monkeypatch.setattr(test_sessions, "provoke", provoked)
    probe: Any = None
    test_sessions.try_token(pair, outside, probe, "lifetime-over", time.monotonic() - 50)
    (tried,) = recorded(pair, TokenTried)
    assert (tried.client, tried.accepted) == ("alice", True)
    assert tried.logged == logged("alice", EXPIRED)
    assert tried.age_s >= 50


def test_a_sync_is_dated_between_two_looks_at_the_standby(pair: Any) -> None:
    before_ns = time.time_ns()
    test_survival.record_sync(pair, "primary", 7, before_ns)
    (sync,) = recorded(pair, SyncCompleted)
    assert sync.at_ns - sync.uncertainty_ns == before_ns
    assert before_ns <= sync.at_ns + sync.uncertainty_ns <= time.time_ns()
    assert (sync.serial, sync.period_s) == (7, test_survival.PERIOD_S)


def test_a_change_touches_every_item_that_must_be_seen_to_arrive() -> None:
    primary = ScriptedMachine("primary", {})
    changed: Any = SimpleNamespace(machine=lambda _name: primary)
    test_logs_and_sync.change(changed, "primary")
    (script,) = primary.asked
    actions = {
        "users": "UserPropPut",
        "certificates": "GetAutologin",
        "revocations": "RevokeUser",
        "configuration": "ConfigPut",
    }
    assert actions.keys() == set(SYNCED)
    assert all(action in script for action in actions.values())


def test_a_refused_commit_is_followed_by_what_both_nodes_hold(
    pair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = {"primary": ["192.168.70.1", "192.168.70.222"], "secondary": ["192.168.70.2"]}
    links = {
        name: json.dumps([{"addr_info": [{"local": one} for one in each]}])
        for name, each in held.items()
    }
    pair.machine = lambda name: ScriptedMachine(name, {"ip -j -4 addr": links[name]})
    pair.make_active, pair.site = (lambda _name: None), Site.of(read_topology("failover"))
    pair.virtual_ip = pair.site.virtual_ip
    monkeypatch.setattr(
        validation, "ask", lambda *_: (False, "error: outside the subnet of the nodes\n")
    )
    monkeypatch.setattr(test_setup, "pause", lambda _seconds: None)
    test_setup.test_a_virtual_ip_outside_the_nodes_subnet_is_refused(pair, lambda _id: None)
    (tried,) = recorded(pair, CommitAttempted)
    assert (tried.accepted, tried.error) == (False, "error: outside the subnet of the nodes")
    after = {one.source: list(one.held) for one in recorded(pair, AddressesHeld)}
    assert after == held


def test_a_guests_capture_says_from_when_until_when_it_listened(pair: Any) -> None:
    machine: Any = ScriptedMachine("secondary", {"takeover.said": "listening on wire0\n"})
    machine.get = lambda _path: b"pcap"
    began_ns = time.time_ns()
    with test_takeover.captured_inside(machine, pair.history):
        inside_ns = time.time_ns()
    (captured,) = recorded(pair, GuestCaptured)
    assert began_ns <= captured.from_ns <= inside_ns <= captured.until_ns <= time.time_ns()
    assert captured.clock.uncertainty_ns == machine.clock().uncertainty_ns
    assert (pair.history.path.parent / captured.path).read_bytes() == b"pcap"
    started, *_, ended = machine.asked
    assert "tcpdump" in started
    assert "kill" in ended


ROBOT = tunnels.RoamingClient("robot", "udp", 0, autologin=True)
BEHIND_NS = 4150 * NS


def echo(at_s: float, took_ms: float = 1.5) -> str:
    """Return a line of `ping -D` on a guest whose clock is behind the wire's."""
    return f"[{at_s - 4150:.6f}] 64 bytes from 172.27.224.1: icmp_seq=1 ttl=64 time={took_ms} ms"


@pytest.fixture
def roaming(pair: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give the machine outside, whose client's pings are `printed`."""
    machine: Any = ScriptedMachine("client", {})
    machine.printed = []
    machine.script = {"robot-udp.pings": lambda _: "\n".join(machine.printed)}
    machine.clock = lambda: ClockOffset(BEHIND_NS, NS // 10)
    pair.lab, pair.site = {"client": machine}, Site.of(read_topology("failover"))
    monkeypatch.setattr(tunnels, "pause", lambda _seconds: None)
    return machine


def test_a_client_is_back_with_what_was_sent_after_the_fault(pair: Any, roaming: Any) -> None:
    roaming.printed = [
        "PING 172.27.224.1",
        echo(9_000.9),
        echo(9_001.2, 900.0),  # it came after the fault, but had been sent before
        echo(9_001.05),  # the guest's clock may be off by so much
        echo(9_040.5, 20.0),
    ]
    outside = tunnels.Outside(pair)
    assert outside.wait_until_back([ROBOT], 9_001 * NS) == {ROBOT: True}
    (back,) = recorded(pair, TunnelCarried)
    assert (back.source, back.client, back.protocol) == ("robot-udp", "outside", "udp")
    assert abs(back.at_ns - 9_040_500_000_000) < 1_000_000
    assert back.at_ns - (back.sent_ns or 0) == 20_000_000
    assert back.uncertainty_ns == NS // 10


def test_all_clients_are_waited_for_at_once(pair: Any, roaming: Any) -> None:
    """Who is back early is seen then: its first packet is not among the last ones for ever."""
    late = tunnels.RoamingClient("late", "tcp", 0, autologin=True)
    of_late, of_robot = iter(["", ""]), iter([echo(9_040.5)])

    def looked_at_late(_: str) -> str:
        said = next(of_late, echo(9_200.5))
        if said:
            next(of_robot, None)  # the machine's time goes on, whoever is waited for
        return said

    roaming.script = {
        "late-tcp.pings": looked_at_late,
        "robot-udp.pings": lambda _: next(of_robot, echo(9_400.5)),
    }
    outside = tunnels.Outside(pair)
    assert all(outside.wait_until_back([late, ROBOT], 9_001 * NS).values())
    back = {one.source: one.at_ns // NS for one in recorded(pair, TunnelCarried)}
    assert back == {"late-tcp": 9_200, "robot-udp": 9_040}


def test_the_last_packet_of_a_client_is_recorded_at_the_end_of_the_watch(
    pair: Any, roaming: Any
) -> None:
    roaming.printed = [echo(9_040.5)]
    outside = tunnels.Outside(pair)
    outside.wait_until_back([ROBOT], 9_001 * NS)
    roaming.printed += [echo(9_041.0 + 0.5 * number) for number in range(10)]
    looked_ns = time.time_ns()
    outside.see_whether_they_stay({ROBOT: True}, 9_001 * NS)
    first, last = recorded(pair, TunnelCarried)
    assert round((last.at_ns - first.at_ns) / NS, 1) == 5.0
    assert round((first.silent_ns or 0) / NS, 1) == 39.5
    assert (first.looked_until_ns, last.silent_ns) == (None, None)
    assert looked_ns <= (last.looked_until_ns or 0) <= time.time_ns()


def test_the_first_packet_after_each_interruption_is_recorded(pair: Any, roaming: Any) -> None:
    roaming.printed = [echo(9_040.5), echo(9_041.0)]
    outside = tunnels.Outside(pair)
    outside.wait_until_back([ROBOT], 9_001 * NS)
    roaming.printed += [echo(9_043.0), echo(9_060.0), echo(9_060.5), echo(9_063.0)]
    outside.see_whether_they_stay({ROBOT: True}, 9_001 * NS)
    seen = [
        (round(one.at_ns / NS, 1), round((one.silent_ns or 0) / NS, 1), bool(one.looked_until_ns))
        for one in recorded(pair, TunnelCarried)
    ]
    assert seen == [(9_040.5, 39.5, False), (9_060.0, 17.0, False), (9_063.0, 2.5, True)]


def test_a_client_that_comes_back_after_all_is_recorded_from_its_first_packet_on(
    pair: Any, roaming: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunnels, "BACK_S", 0.05)
    outside = tunnels.Outside(pair)
    back = outside.wait_until_back([ROBOT], 9_001 * NS)
    roaming.printed = [echo(9_105.0), echo(9_105.5)]
    outside.see_whether_they_stay(back, 9_001 * NS)
    first, last = recorded(pair, TunnelCarried)
    assert round((first.silent_ns or 0) / NS) == 104
    assert last.looked_until_ns


def test_a_client_that_does_not_come_back_leaves_nothing_that_looks_like_it(
    pair: Any, roaming: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunnels, "BACK_S", 0.05)
    roaming.printed = [echo(9_000.9), echo(9_001.05)]
    outside = tunnels.Outside(pair)
    assert outside.wait_until_back([ROBOT], 9_001 * NS) == {ROBOT: False}
    outside.see_whether_they_stay({ROBOT: False}, 9_001 * NS)
    assert not recorded(pair, TunnelCarried)


def test_a_tunnel_is_watched_from_its_first_packet_on(
    pair: Any, roaming: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunnels, "_ECHO_S", 0.05)
    pair.active, pair.machine = (lambda: "primary"), (lambda name: ScriptedMachine(name, {}))
    roaming.script["state"] = "robot-udp up"
    outside = tunnels.Outside(pair)
    with pytest.raises(DeadlinePassed, match="a first echo to robot-udp"):
        outside.connect(ROBOT)
    assert not recorded(pair, TunnelWatched)
    roaming.printed = [echo(9_000.9)]
    tunnels.Outside(pair).connect(ROBOT)
    (watched,) = recorded(pair, TunnelWatched)
    assert (watched.source, watched.protocol) == ("robot-udp", "udp")


def test_a_password_goes_beside_the_profile_and_among_the_secrets(pair: Any, roaming: Any) -> None:
    told: dict[str, str | bytes] = {}
    roaming.run = lambda command, *, stdin="", **_more: told.update({command: stdin})
    profile = "client\nauth-user-pass\n"
    tunnels.Outside(pair).start({"carol": profile}, {"carol": ("carol", "carol-once-001")})
    ((command, archive),) = told.items()
    assert "once" not in command
    assert b"carol\ncarol-once-001\n" in cast(bytes, archive)
    assert profile.encode() in cast(bytes, archive)
    known = [(one.of, one.value) for one in Secrets(pair.history.path.parent).known()]
    assert known == [("password of carol", "carol-once-001")]


class Here:
    """A machine that is this one."""

    name = "here"

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


def test_each_write_is_read_with_its_value(tmp_path: Path) -> None:
    write(tmp_path / "userprop.db", "CREATE TABLE properties (user, key, value)")
    assert test_survival.writes(cast(Any, Here()), str(tmp_path)) == {}
    write(
        tmp_path / "userprop.db",
        "INSERT INTO properties VALUES ('writer', 'serial_10', 'ten')",
        "INSERT INTO properties VALUES ('writer', 'serial_9', 'nine')",
        "INSERT INTO properties VALUES ('alice', 'serial_7', '')",
    )
    found = test_survival.writes(cast(Any, Here()), str(tmp_path))
    assert found == {9: "nine", 10: "ten"}


def test_a_write_is_told_from_the_same_one_made_again(pair: Any) -> None:
    pair.sacli = lambda *_words: ""
    for _ in range(2):
        test_survival.write(pair, "primary", 7)
    first, again = recorded(pair, WriteAcknowledged)
    assert first.serial == again.serial == 7
    assert first.value != again.value


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
        "CREATE TABLE certificates (serial, common_name, certificate, revoked_at)",
    )
    assert {hashes(tmp_path)[item] for item in KEPT} == {"absent"}
    write(tmp_path / "config.db", "INSERT INTO config VALUES ('subscription.bundle', 'LAB-46-x')")
    write(tmp_path / "certs.db", "INSERT INTO secrets VALUES ('auth-token.key', 'k')")
    assert "absent" not in {hashes(tmp_path)[item] for item in KEPT}
