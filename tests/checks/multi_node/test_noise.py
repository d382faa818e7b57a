"""What a busy host, a stalled node or a look at the wrong time does is no fault of a deployment."""

from pathlib import Path

import pytest

from checks.engine.verdict import Status
from checks.multi_node.guide import DAEMON_PORT
from evidence.capture import Frame
from evidence.packets import parse
from tests.checks.factories import Data, Run, tcp, tunnel
from tests.checks.multi_node.access_runs import KNOCKER_PORT, SYN_ACK, run_mn_10, run_mn_11
from tests.checks.multi_node.installed_runs import run_mn_31
from tests.checks.multi_node.lateness import is_late, kept
from tests.checks.multi_node.maintained import (
    DATA,
    User,
    at,
    controller_lost,
    maintenance,
    node_lost,
    on,
    opcode,
)
from tests.checks.multi_node.portal_runs import page, run_mn_19
from tests.checks.multi_node.runs import judge_mutant, run_http, run_mn_15
from tests.checks.multi_node.test_afterwards import ENDS_S, node_b_dies_again
from tests.checks.multi_node.test_kept_out import disabled
from tests.checks.multi_node.test_leaving import CLIENT, judged, turned, with_one_who_leaves
from tests.checks.sites import GUIDE

# MN-07, MN-08, MN-10, MN-11


@pytest.mark.parametrize("requirement", ["MN-07", "MN-08"])
def test_an_answer_that_a_stalled_controller_could_not_give_is_late(
    requirement: str, tmp_path: Path
) -> None:
    def unanswered() -> Run:
        run = run_http()
        for one in run.all("api.answered"):
            if one["credentials"] == ("none" if requirement == "MN-07" else "wrong"):
                one.update(status=0, body="", at_ns=at(90), detail="curl: (28) timed out")
        return run

    is_late(unanswered, requirement, tmp_path, "controller", (20, 90))


def test_a_connection_that_was_refused_is_not_late(tmp_path: Path) -> None:
    run = run_http()
    run.all("api.answered")[0].update(status=0, body="", at_ns=at(90), detail="curl: (7) refused")
    judge_mutant(kept(run, "controller", 20, 90), "MN-07", tmp_path)


@pytest.mark.parametrize("shown", ["none", "other-ca", "server"])
def test_a_daemon_that_says_nothing_has_not_refused(shown: str, tmp_path: Path) -> None:
    run = run_mn_10()
    next(x for x in run.all("daemon.tried") if x["shown"] == shown)["detail"] = "timed out"
    text = judged(run, "MN-10", tmp_path, Status.UNKNOWN)
    assert "vpn-daemon of node-a over IPv4 did not refuse" in text


def silent_knock() -> Run:
    """Let the client's knock at node-a over IPv4 be answered by nobody."""
    run = run_mn_11()
    client, node = GUIDE.client.address(4), GUIDE.address("node-a", 4)
    for one in run.all("ports.knocked", "client"):
        if (one["node"], one["family"]) == ("node-a", 4):
            one["knocks"][0]["said"] = "silent"
    knock = tcp((client, KNOCKER_PORT), (node, DAEMON_PORT), b"", 0x02)
    number = next(n for n, one in enumerate(run.frames) if one.data[:54] == knock[:54])
    del run.frames[number + 1]
    return run


def test_a_knock_that_nobody_answers_is_kept_out(tmp_path: Path) -> None:
    judged(silent_knock(), "MN-11", tmp_path, Status.PASS)


def test_a_knock_that_is_let_in_when_nobody_waits_any_more_is_named(tmp_path: Path) -> None:
    run = silent_knock()
    ends = (GUIDE.address("node-a", 4), DAEMON_PORT), (GUIDE.client.address(4), KNOCKER_PORT)
    run.frames.append(Frame(at(60), "node-a/wire0", tcp(*ends, b"", SYN_ACK), ""))
    assert "client at tcp/41194 of node-a over IPv4 is let in" in judge_mutant(
        run, "MN-11", tmp_path
    )


def test_the_silence_of_a_node_that_did_not_run_keeps_nobody_out(tmp_path: Path) -> None:
    run = kept(silent_knock(), "node-a", 1, 99)
    text = judged(run, "MN-11", tmp_path, Status.UNKNOWN)
    assert "client at tcp/41194 of node-a over IPv4: silent, but `node-a` was kept" in text


# MN-15


def test_a_tunnel_that_a_stalled_node_could_not_make_is_late(tmp_path: Path) -> None:
    def down() -> Run:
        run = run_mn_15()
        run.all("tunnel.tried")[0].update(
            up=False, at_ns=at(64), detail="TLS key negotiation failed to occur within 60 seconds"
        )
        return run

    is_late(down, "MN-15", tmp_path, "node-a", (1, 64))


def test_who_was_refused_was_answered(tmp_path: Path) -> None:
    run = run_mn_15()
    run.all("tunnel.tried")[0].update(up=False, at_ns=at(64), detail="AUTH_FAILED")
    judge_mutant(kept(run, "node-a", 1, 64), "MN-15", tmp_path)


# MN-18, MN-19


def test_a_tunnel_that_ended_when_its_client_was_sent_anew_was_ended_by_nobody(
    tmp_path: Path,
) -> None:
    run = run_mn_19()
    for probe in run.all("tunnel.probed"):
        if probe["client"] == "client-1":
            probe.update(up=True, answered=True)
            after = {**probe, "up": False, "answered": False}
    run.events += [
        ("tunnel.probed", CLIENT, {**after, "asked_ns": at(31), "at_ns": at(32)}),
        ("connections.shown", CLIENT, page(GUIDE, 33, 34, [])),
    ]
    assert "the tunnel of client-1 still works" in judge_mutant(run, "MN-18", tmp_path)


@pytest.mark.parametrize(("transport", "status"), [("udp", Status.PASS), ("tcp", Status.FAIL)])
def test_nobody_tells_a_client_over_udp_that_its_tunnel_has_ended(
    transport: str, status: Status, tmp_path: Path
) -> None:
    run = run_mn_19()
    if transport == "udp":
        over = User(tunnel("node-b", "udp", 4, 1), "node-b")
        disabled(run).update(over.data)
        made = on(run)
        made.connect(over, 3)
        made.carry(over, 17)
        inside = [over.data["tunnel4"], over.data["tunnel6"]]
        run.all("connections.shown")[0]["profiles"]["node-b"][0]["addresses"] = inside
    for probe in run.all("tunnel.probed"):
        if probe["client"] == "client-1":
            probe["up"] = True
    text = judged(run, "MN-18", tmp_path, status)
    assert status is Status.PASS or "still works, says its client" in text


def test_who_had_left_before_was_disconnected_by_nobody(tmp_path: Path) -> None:
    run = run_mn_19()
    run.events.append(turned(disabled(run), up=False, after=16.2, seen=16.5))
    text = judged(run, "MN-18", tmp_path, Status.UNKNOWN)
    assert "client-1 had no tunnel before it was disconnected" in text


def test_who_was_never_let_in_shows_nothing_when_it_is_refused(tmp_path: Path) -> None:
    run = run_mn_19()
    disabled(run).update(up=False, detail="Connection timed out")
    text = judged(run, "MN-19", tmp_path, Status.UNKNOWN)
    assert "client-1 by tcp over IPv4 to node-b: no tunnel: Connection timed out" in text


# MN-24, MN-30


def sends_on(run: Run, user: User, *seconds: float) -> None:
    """Let a node go on sending to a client that has left it."""
    for second in seconds:
        on(run).send(user, opcode(DATA, 20, "udp"), second, back=True)


def test_what_a_node_sends_to_who_has_left_it_is_no_service(tmp_path: Path) -> None:
    run = with_one_who_leaves(controller_lost())
    user = User(tunnel("node-a", "udp", 4, 8), "node-a")
    sends_on(run, user, 14, 24, 34, 44)
    made, user.port = on(run), 40001
    made.started([user], 30)
    made.connect(user, 31)
    user.since_s = None
    made.tried([user], 45, "AUTH: Received control message: AUTH_FAILED")
    judged(run, "MN-30", tmp_path, Status.PASS)


def test_what_another_node_sends_on_brings_nobody_there(tmp_path: Path) -> None:
    run = node_lost(takes_s=200, seconds=300)
    asks, packet = User(tunnel("node-a", "udp", 4, 0), "node-a"), opcode(DATA, 100, "udp")
    on(run).send(asks, packet, 24, back=False)  # the node that is off, and nobody else
    sends_on(run, User(tunnel("node-b", "udp", 4, 0), "node-b"), 25, 35)
    text = judge_mutant(run, "MN-24", tmp_path)
    assert "client-0 served by another node than node-a took 200" in text


def test_who_was_sent_when_the_controller_may_not_have_been_back_may_be_refused(
    tmp_path: Path,
) -> None:
    run = controller_lost()
    made, user = on(run), User(tunnel("node-a", "udp", 4, 8), "node-a")
    made.started([user], 57)
    made.connect(user, 58)
    user.since_s = None
    made.tried([user], 64, "AUTH: Received control message: AUTH_FAILED")
    text = judged(run, "MN-30", tmp_path, Status.UNKNOWN)
    assert "client-8 by udp over IPv4 to node-a: the controller may not have been back" in text


@pytest.mark.parametrize(("asks", "status"), [(False, Status.PASS), (True, Status.FAIL)])
def test_a_session_over_tcp_is_silent_while_there_is_nothing_to_carry(
    asks: bool, status: Status, tmp_path: Path
) -> None:
    run = controller_lost()
    for switched in run.all("power.switched"):
        if switched["on"]:
            switched["at_ns"] = at(90)
    for one in run.all("tunnel.started"):
        if one["at_ns"] == at(66):
            one["at_ns"] = at(96)
    later = [one for one in run.all("tunnel.tried") if one["at_ns"] == at(75)]
    run.events = [one for one in run.events if one[2] not in later]
    made, user = on(run), User(tunnel("node-a", "tcp", 4, 8), "node-a")
    made.started([user], 1)
    made.connect(user, 2)
    made.carry(user, 19)
    made.tried([user], 18)
    if asks:
        made.send(user, opcode(DATA, 100, "tcp"), 22, back=False)
    user.since_s = 96.5
    made.carry(user, 97)
    made.tried([user], 97)
    verdict = run.judge("MN-30", tmp_path)
    said = "client-8 by tcp over IPv4 to node-a: nothing for"
    assert (said in verdict.text) == (status is Status.FAIL), verdict.text


# MN-25, MN-27


def test_a_node_that_nobody_asks_may_have_nobody_to_serve(tmp_path: Path) -> None:
    run = node_b_dies_again()
    run.frames = [
        one for one in run.frames if one.at_ns < at(28) or "node-b" not in _ends(run, one.data)
    ]
    made = on(run)
    for data in run.all("tunnel.tried")[6:]:
        made.carry(User(data, "node-a", since_s=31), 40)
    text = judged(run, "MN-27", tmp_path, Status.UNKNOWN)
    assert "nobody asked node-b for anything after start_node.sh on node-b" in text


def _ends(run: Run, data: bytes) -> set[str]:
    packet = parse(data)
    assert packet is not None
    return {run.site.node_of(one or "") or "" for one in (packet.source, packet.target)}


def test_who_is_served_for_a_moment_and_left_unanswered_is_not_back(tmp_path: Path) -> None:
    run = maintenance()
    run.seconds = 2 * ENDS_S
    made = on(run)
    first, second = run.all("tunnel.tried")[4:6]
    made.carry(User(second, "node-a", since_s=44.8), 2 * ENDS_S - 5)
    for number in range(150):
        packet = opcode(DATA, 100, first["transport"])
        made.send(User(first, "node-a"), packet, 50 + number, back=False)
    text = judge_mutant(run, "MN-27", tmp_path)
    assert "client-0 was served for the last time" in text


def test_a_second_maintenance_is_judged_by_its_own_steps(tmp_path: Path) -> None:
    run = maintenance()
    planned = run.find("maintenance.planned")
    earlier: Data = {**planned, "at_ns": at(2)}
    run.events.insert(0, ("maintenance.planned", "scenario", earlier))
    for number, node in enumerate(GUIDE.nodes):
        on(run).script(node, "start_node.sh", 2.1 + number, lasts_s=1)
    judged(run, "MN-25", tmp_path, Status.PASS)


def test_who_came_back_after_its_last_look_may_stand_open_in_the_log(tmp_path: Path) -> None:
    run = maintenance()
    last = run.all("tunnel.tried")[-1]
    last.update(up=False, at_ns=at(30), detail="no answer")
    text = judged(run, "MN-25", tmp_path, Status.UNKNOWN)
    assert "client-3 was served there, but not looked at since" in text


# MN-31


def test_what_was_not_looked_for_after_a_conversion_is_not_gone(tmp_path: Path) -> None:
    run = run_mn_31()
    after = run.all("installation.shown")[1]
    after["asked"] = [one for one in after["asked"] if not one.startswith("vpn-user")]
    after["present"] = [one for one in after["present"] if one in after["asked"]]
    text = judged(run, "MN-31", tmp_path, Status.UNKNOWN)
    assert "vpn-user-portal-add-user was not looked for" in text
