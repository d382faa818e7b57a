"""MN-18 and MN-19: what was done to a client holds until it is enabled again, and not longer.

Nobody's word is needed that somebody is in: the wire tells who is served.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from checks.engine.verdict import Status
from tests.checks.factories import Data, Run, tunnel_frames
from tests.checks.multi_node.maintained import DATA, User, on, opcode
from tests.checks.multi_node.portal_runs import at, page, run_mn_19
from tests.checks.multi_node.runs import judge_mutant
from tests.checks.sites import GUIDE

OF_A_CLIENT = ("client", "remote", "address4", "address6", "tunnel4", "tunnel6", "ping")
"""What tells clients apart in how they stood."""


def disabled(run: Run) -> Data:
    """Return how the client that is disabled stood at first."""
    return next(one for one in run.all("tunnel.tried") if one["client"] == "client-1")


def try_again(run: Run, started: float, looked: float, **how: object) -> Data:
    """Let the client that was disabled try once more, with a handshake on the wire."""
    again = {**disabled(run), "at_ns": at(looked), **how}
    for number, frame in enumerate(tunnel_frames(again)):
        run.frames.append(replace(frame, at_ns=at(started + 1) + 5_000_000 * number))
    start = {"client": "client-1", "at_ns": at(started)}
    run.events += [("tunnel.started", "client", start), ("tunnel.tried", "client", again)]
    return again


def comes_back(run: Run) -> None:
    """Let the client that was disabled, and is enabled at 41 s, be there from 46 s on."""
    again = try_again(run, 45, 50)
    probe = {"client": "client-1", "asked_ns": at(52), "up": True, "answered": True}
    run.events += [
        ("tunnel.probed", "client", {**probe, "at_ns": at(53)}),
        ("connections.shown", "client", page(GUIDE, 52, 53, [("node-b", again)])),
    ]


@pytest.mark.parametrize("requirement", ["MN-18", "MN-19"])
def test_who_was_enabled_again_may_come_back(requirement: str, tmp_path: Path) -> None:
    run = run_mn_19()
    comes_back(run)
    verdict = run.judge(requirement, tmp_path)
    assert verdict.status is Status.PASS, verdict.text


@pytest.mark.parametrize("requirement", ["MN-18", "MN-19"])
def test_who_was_not_enabled_may_not_come_back(requirement: str, tmp_path: Path) -> None:
    run = run_mn_19()
    comes_back(run)
    run.events = [one for one in run.events if one[2].get("action") != "enable"]
    judge_mutant(run, requirement, tmp_path)


def test_that_another_was_enabled_lets_nobody_back(tmp_path: Path) -> None:
    run = run_mn_19()
    comes_back(run)
    for act in run.all("account.acted"):
        if act["action"] == "enable":
            act["client"] = "client-0"
    judge_mutant(run, "MN-18", tmp_path)


def test_nothing_brings_a_deleted_certificate_back(tmp_path: Path) -> None:
    run = run_mn_19()
    first = next(one for one in run.all("tunnel.tried") if one["client"] == "client-0")
    (enabled,) = [one for one in run.all("account.acted") if one["action"] == "enable"]
    run.events.append(("account.acted", "client", {**enabled, "client": "client-0"}))
    try_again(run, 45, 50, **{name: first[name] for name in OF_A_CLIENT})
    assert "client-0" in judge_mutant(run, "MN-19", tmp_path)


def test_who_gets_in_at_once_and_is_refused_later_was_not_kept_out(tmp_path: Path) -> None:
    run = run_mn_19()
    try_again(run, 22, 24)
    text = judge_mutant(run, "MN-19", tmp_path)
    assert "client-1 by tcp over IPv4 to node-b got in" in text


def test_who_is_refused_twice_was_kept_out(tmp_path: Path) -> None:
    run = run_mn_19()
    try_again(run, 22, 24, up=False, detail="AUTH: Received control message: AUTH_FAILED")
    verdict = run.judge("MN-19", tmp_path)
    assert verdict.status is Status.PASS, verdict.text


def is_served(run: Run, since_s: float, until_s: float) -> None:
    """Let data packets of the client that was disabled go to and fro, whatever it says."""
    made = on(run)
    made.carry(User(disabled(run), "node-b", since_s=since_s), until_s)


def test_who_is_served_at_first_and_refused_in_the_end_was_not_kept_out(tmp_path: Path) -> None:
    run = run_mn_19()
    is_served(run, 26.5, 28)
    text = judge_mutant(run, "MN-19", tmp_path)
    assert "client-1 by tcp over IPv4 to node-b got in: node-b serves it at 22:13:46.510Z" in text


def test_a_tunnel_that_goes_on_whatever_its_client_says_has_not_ended(tmp_path: Path) -> None:
    run = run_mn_19()
    is_served(run, 21.5, 24.5)
    look = next(one for one in run.all("tunnel.probed") if one["client"] == "client-1")
    again = {**look, "asked_ns": at(22), "at_ns": at(23)}
    run.events.append(("tunnel.probed", "client", again))
    text = judge_mutant(run, "MN-18", tmp_path)
    assert "the tunnel of client-1 still works: node-b serves it at 22:13:41.510Z" in text
    assert text.count("node-b serves it") == 1


@pytest.mark.parametrize("requirement", ["MN-18", "MN-19"])
@pytest.mark.parametrize("back", [True, False])
def test_what_is_sent_one_way_serves_nobody(requirement: str, back: bool, tmp_path: Path) -> None:
    """A client asks on until it notices, and a node may send on to who has left."""
    run = run_mn_19()
    made, user = on(run), User(disabled(run), "node-b")
    for number in range(8):
        made.send(user, opcode(DATA, 100, "tcp"), 21.5 + number, back=back)
    verdict = run.judge(requirement, tmp_path)
    assert verdict.status is Status.PASS, verdict.text


@pytest.mark.parametrize("requirement", ["MN-18", "MN-19"])
def test_who_is_enabled_again_is_served(requirement: str, tmp_path: Path) -> None:
    run = run_mn_19()
    is_served(run, 42, 50)
    verdict = run.judge(requirement, tmp_path)
    assert verdict.status is Status.PASS, verdict.text
