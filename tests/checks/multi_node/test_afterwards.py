"""MN-27: a node that does not serve until the end has not come back, whatever came before."""

from pathlib import Path

import pytest

from checks.engine.verdict import Status
from tests.checks.factories import Run, tunnel
from tests.checks.multi_node.maintained import (
    BEGIN_S,
    EACH_S,
    User,
    at,
    maintenance,
    on,
)
from tests.checks.multi_node.runs import judge_mutant

UNITS = tuple(f"openvpn-server@node-b-{number}.service" for number in (0, 1))
DIES_S, ENDS_S = 34, 130


def silent(run: Run, node: str, *, from_s: float) -> Run:
    """Leave out what a node sent from a moment on."""
    run.frames = [
        one
        for one in run.frames
        if one.at_ns < at(from_s) or not one.interface.startswith(f"{node}/")
    ]
    return run


def node_b_dies_again() -> Run:
    """Let node-b say nothing from 34 s on; clients go on, at node-a by 95 s, to the end."""
    run = silent(maintenance(), "node-b", from_s=DIES_S)
    run.seconds = ENDS_S
    made = on(run)
    last = run.all("tunnel.tried")[4:]
    for data in last:
        data["at_ns"] = at(ENDS_S - 4)
    for number, (data, back_s) in enumerate(zip(last[2:], (95, 36), strict=True)):
        there = tunnel("node-a", data["transport"], data["family"], 10 + number)
        own = {name: data[name] for name in ("client", "address4", "address6")}
        data.update(there | own)
        user = User(data, "node-a")
        made.connect(user, back_s)
        made.carry(user, ENDS_S - 5)
    for data in last[:2]:
        made.carry(User(data, "node-a", since_s=44.8), ENDS_S - 5)
    return run


@pytest.mark.parametrize("change", ["stopped", "failed"])
def test_a_node_whose_unit_ends_after_its_start_is_named(change: str, tmp_path: Path) -> None:
    run = maintenance()
    for unit in UNITS:
        on(run).unit("node-b", unit, change, DIES_S)
    text = judge_mutant(run, "MN-27", tmp_path)
    assert f"node-b: {UNITS[0]} {change} at 22:13:54.000Z, after its start" in text


def test_a_unit_that_fails_and_is_started_again_is_back(tmp_path: Path) -> None:
    """As systemd does what has `Restart=on-failure`, at a boot without a network yet."""
    run = maintenance()
    for unit in UNITS:
        on(run).unit("node-b", unit, "failed", BEGIN_S + 3 * EACH_S + 0.5)
    verdict = run.judge("MN-27", tmp_path)
    assert verdict.status is Status.PASS, verdict.text


def test_a_node_that_leaves_its_clients_to_another_is_named(tmp_path: Path) -> None:
    text = judge_mutant(node_b_dies_again(), "MN-27", tmp_path)
    assert "node-b said nothing more for 9" in text
    assert "and left client-2 and client-3 without an answer" in text


def test_a_node_that_serves_somebody_else_meanwhile_has_not_died(tmp_path: Path) -> None:
    run = node_b_dies_again()
    made = on(run)
    other = User(tunnel("node-b", "udp", 4, 9), "node-b")
    made.connect(other, 37)
    made.carry(other, ENDS_S - 5)
    verdict = run.judge("MN-27", tmp_path)
    assert verdict.status is Status.PASS, verdict.text


def test_a_node_that_was_rebooted_after_its_start_and_whose_units_are_not_enabled_is_named(
    tmp_path: Path,
) -> None:
    run = node_b_dies_again()
    on(run).script("node-b", "reboot", DIES_S - 0.5)
    text = judge_mutant(run, "MN-27", tmp_path)
    assert "and left client-2 and client-3 without an answer" in text


def test_a_reboot_after_which_no_unit_was_seen_started_shows_no_start(tmp_path: Path) -> None:
    run = maintenance()
    on(run).script("node-b", "reboot", DIES_S)
    verdict = run.judge("MN-27", tmp_path)
    assert verdict.status is Status.UNKNOWN, verdict.text
    assert f"{UNITS[0]} was not seen started" in verdict.text
