"""What scenarios ask of the pair's machines, and record: logs, Validate, log-in checks."""

from __future__ import annotations

import json
import time

import pytest

from evidence.events.setup import ValidateShown
from evidence.events.takeover import AddressesHeld, LogLine
from evidence.moment import NS
from lab.clock import ClockOffset
from lab.errors import LabError
from scenarios.failover import observe, tunnels, validation
from tests.scenarios.failover_stage import Stage


def test_log_lines_are_dated_to_the_middle_of_their_second() -> None:
    text = (
        '2022-04-29T10:51:22+0530 [stdout#info] [FAILOVER] OUT: "Switching to state: MASTER"\nx\n'
    )
    ((at_ns, line),) = observe.dated(text)
    assert (at_ns, line) == (1651209682 * 10**9 + 5 * 10**8, "Switching to state: MASTER")


def test_a_guests_log_lines_are_dated_by_the_wire(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thawed lab is behind: what its guests date is brought to this host's time."""
    now_ns = time.time_ns()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S+0000", time.gmtime(now_ns / NS - 4150))
    secondary = stage.lab["secondary"]
    secondary.script = {"openvpnas.log": f'{stamp} [stdout#info] [FAILOVER] OUT: "line"'}
    monkeypatch.setattr(secondary, "clock", lambda: ClockOffset(4150 * NS, NS // 10))
    observe.log_lines(stage.pair, "secondary", now_ns)
    (line,) = stage.recorded(LogLine)
    assert abs(line.at_ns - now_ns) <= line.uncertainty_ns + NS // 10
    assert line.uncertainty_ns == NS // 2 + NS // 10


def test_the_subscription_is_a_python_value_not_json() -> None:
    assert observe.python_value("{'name': 'LAB-1', 'error': None}\n")["error"] is None


def test_validates_answer_becomes_rows(stage: Stage) -> None:
    rows = [
        {"name": validation.TO_SECONDARY, "status": "GOOD", "detail": ""},
        {"name": validation.TO_PRIMARY, "status": "UNKNOWN", "detail": ""},
    ]
    answer = {"good": False, "rows": rows, "problems": []}
    stage.lab["primary"].script = {"FailoverValidate": json.dumps(answer)}
    validation.validate(stage.pair, "no-rsync", (validation.TO_PRIMARY,))
    (shown,) = stage.recorded(ValidateShown)
    assert [row.good for row in shown.rows] == [True, False]
    assert (shown.broken, shown.expected_bad) == ("no-rsync", (validation.TO_PRIMARY,))


def test_a_validate_without_rows_is_no_reading(stage: Stage) -> None:
    stage.lab["primary"].script = {"FailoverValidate": json.dumps({"rows": []})}
    with pytest.raises(LabError, match="shows no rows"):
        validation.validate(stage.pair)
    assert not stage.recorded(ValidateShown)


@pytest.mark.parametrize(
    ("broken", "node"), [("no-rsync", "secondary"), ("no-rsync-on-primary", "primary")]
)
def test_rsync_is_taken_from_the_node_that_is_named_and_given_back(
    stage: Stage, broken: str, node: str
) -> None:
    machines = stage.lab.machines
    answer = json.dumps({"rows": [{"name": validation.ON_PRIMARY, "status": "GOOD"}]})
    for machine in machines.values():
        machine.script = {"command -v rsync": "/usr/bin/rsync\n", "FailoverValidate": answer}
    validation.validate_with(stage.pair, broken)
    moved = [
        (name, command)
        for name, machine in machines.items()
        for command in machine.asked
        if command.startswith("mv ")
    ]
    assert moved == [
        (node, "mv /usr/bin/rsync /usr/bin/rsync.away"),
        (node, "mv /usr/bin/rsync.away /usr/bin/rsync"),
    ]


def test_what_is_broken_before_a_validate_turns_each_row_bad_once() -> None:
    expected = {row for _, rows in validation.PREREQUISITES.values() for row in rows}
    assert expected == {*validation.ALL_OF_PARTNER, validation.ON_PRIMARY}


def test_a_port_is_blocked_on_the_wire_only_as_long_as_it_should_be(stage: Stage) -> None:
    with validation.port_blocked(stage.pair):
        assert len(stage.lab.wire.rules()) == 1
    assert stage.lab.wire.rules() == []


def test_log_in_checks_are_counted_for_one_client_since_a_moment(stage: Stage) -> None:
    line = '{} [stdout#info] [AUTH] OUT: "auth-user-pass-verify user={!r} cn={!r} accepted: x"'
    lines = [
        line.format("2000-01-01T00:00:00+0000", "alice", "alice"),
        line.format("2099-01-01T00:00:00+0000", "", "robot_AUTOLOGIN"),
        line.format("2099-01-01T00:00:00+0000", "alice", "alice"),
    ]
    said = {"node.log": "\n".join(lines)}
    stage.lab["secondary"].script = said
    robot = tunnels.RoamingClient("robot", "udp", 0, autologin=True)
    alice = tunnels.RoamingClient("alice", "udp", 1)
    since = 10**18
    assert tunnels.verify_calls(stage.pair, "secondary", robot, since) == [""]
    assert tunnels.verify_calls(stage.pair, "secondary", alice, since) == ["alice"]


def test_a_node_that_watches_its_addresses_ceases_to_whatever_happens_meanwhile(
    stage: Stage,
) -> None:
    primary = stage.lab.machines["primary"]
    with pytest.raises(KeyboardInterrupt), observe.address_changes(stage.pair, "primary"):
        raise KeyboardInterrupt
    started, ended = primary.asked[-2:]
    assert "ip -4 monitor address" in started
    assert "kill -- " in ended
    assert "rm -f /run/address-changes" in ended
    assert not stage.recorded(AddressesHeld)
