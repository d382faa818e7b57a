"""MN-14, 24 and 30: what a machine that is gone does to the others, and what it must not do."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from checks.engine.verdict import Status
from checks.multi_node.node_lost import arrival
from evidence.capture import Frame
from evidence.packets import parse
from tests.checks.factories import SECOND, Data, Run, sent, tunnel, udp
from tests.checks.multi_node.lateness import is_late
from tests.checks.multi_node.maintained import (
    DATA,
    RESET,
    User,
    applied,
    at,
    controller_lost,
    frames_from,
    node_lost,
    on,
    opcode,
)
from tests.checks.multi_node.runs import judge_mutant
from tests.checks.sites import GUIDE, THREE


def judged(run: Run, requirement: str, directory: Path, status: Status) -> str:
    verdict = run.judge(requirement, directory)
    assert verdict.status is status, verdict.text
    return verdict.text


def without(run: Run, address: str, *, after_s: float, port: str = "") -> list[Frame]:
    """Return the frames but those of an address after a moment, at one port or at any."""

    def is_left(frame: Frame) -> bool:
        packet = parse(frame.data)
        assert packet is not None
        ends = packet.source, packet.target
        return (
            frame.at_ns <= at(after_s) or address not in ends or port not in ("", frame.interface)
        )

    return [one for one in run.frames if is_left(one)]


# MN-24


def test_the_limit_is_what_the_clients_timers_come_to() -> None:
    assert arrival(GUIDE).maximum_s == 60 + 7 * 15 + 15
    assert arrival(THREE).maximum_s == 60 + 11 * 15 + 15


def test_a_client_by_tcp_that_stays_with_a_dead_node_is_held_to_no_timer(tmp_path: Path) -> None:
    run = node_lost(seconds=300, first="tcp", first_stays=True)
    text = judged(run, "MN-24", tmp_path, Status.UNKNOWN)
    assert "client-0 was connected by TCP, which has no keepalive of its own here" in text
    assert "client-1" not in text


def test_a_client_by_udp_that_stays_with_a_dead_node_is_named(tmp_path: Path) -> None:
    run = node_lost(seconds=300, first_stays=True)
    text = judged(run, "MN-24", tmp_path, Status.FAIL)
    assert "client-0 served by another node than node-a never came" in text


def test_a_client_by_tcp_that_is_served_elsewhere_too_late_is_held_to_no_timer(
    tmp_path: Path,
) -> None:
    run = node_lost(takes_s=200, seconds=300, first="tcp")
    text = judged(run, "MN-24", tmp_path, Status.FAIL)
    assert "client-1 served by another node than node-a took 200" in text
    assert "client-0" not in text


def test_a_client_by_tcp_that_is_served_by_another_node_in_time_is_all_right(
    tmp_path: Path,
) -> None:
    judged(node_lost(first="tcp"), "MN-24", tmp_path, Status.PASS)


def test_the_time_to_the_other_node_is_told_from_the_wire(tmp_path: Path) -> None:
    text = judged(node_lost(), "MN-24", tmp_path, Status.PASS)
    assert "node-a's power cut to another node's service: n=2 min=65.0" in text


def test_a_client_that_goes_nowhere_is_named(tmp_path: Path) -> None:
    """Such as one whose name has one A record, that of the node which died."""
    text = judge_mutant(node_lost(takes_s=1000, seconds=230), "MN-24", tmp_path)
    assert "client-0 served by another node than node-a never came in 209.9 s" in text
    assert "client-2 served" not in text


def test_a_client_that_was_not_watched_long_enough_is_in_doubt(tmp_path: Path) -> None:
    run = node_lost(takes_s=1000, seconds=150)
    for data in run.all("tunnel.tried"):
        data.update(up=True)
    text = judged(run, "MN-24", tmp_path, Status.UNKNOWN)
    assert "client-0 served by another node than node-a was not seen" in text


def test_a_node_that_sends_while_it_is_off_was_not_off(tmp_path: Path) -> None:
    run = node_lost()
    late = replace(frames_from(run, "node-a")[0], at_ns=at(40))
    run.frames.append(late)
    text = judged(run, "MN-24", tmp_path, Status.UNKNOWN)
    assert "and it sent 1 frames meanwhile" in text


def test_a_power_cut_of_a_node_without_clients_shows_nothing(tmp_path: Path) -> None:
    run = node_lost()
    power = run.find("power.switched")
    run.events = [one for one in run.events if one[2] is not power]
    run.events.append(("power.switched", "node-b", {**power, "at_ns": at(95)}))
    assert run.judge("MN-24", tmp_path).status is Status.UNKNOWN


def test_a_client_that_was_sent_again_did_not_go_by_itself(tmp_path: Path) -> None:
    run = node_lost()
    run.events.append(("tunnel.started", "client", {"client": "client-0", "at_ns": at(60)}))
    assert "client-0 was sent to connect once more" in judge_mutant(run, "MN-24", tmp_path)


def test_a_client_that_had_nothing_to_carry_was_a_client_of_the_node(tmp_path: Path) -> None:
    run = node_lost()
    first, last = (one for one in run.all("tunnel.tried") if one["client"] == "client-1")
    run.frames = without(run, first["address6"], after_s=2.2)
    last.update(up=False, detail="Connection timed out")
    text = judge_mutant(run, "MN-24", tmp_path)
    assert "client-1 by udp over IPv6 to node-b: no tunnel: Connection timed out" in text


def test_a_client_that_had_left_the_node_before_was_none_of_its_clients(tmp_path: Path) -> None:
    """It was looked at before, and went to the other node by itself."""
    run = node_lost()
    made = on(run)
    user = User(tunnel("node-a", "udp", 4, 8), "node-a")
    made.started([user], 1)
    made.connect(user, 2)
    made.tried([user], 6)
    user.data |= {"remote": GUIDE.address("node-b", 4)}
    made.connect(user, 9)
    made.carry(user, 19)
    text = judged(run, "MN-24", tmp_path, Status.PASS)
    assert "another node's service: n=2" in text


def served_for_a_moment(*, asks_until_s: float) -> Run:
    """Let another node serve client-0 from 85 to 90 s; then it asks without an answer."""
    run = node_lost(seconds=230)
    last = [one for one in run.all("tunnel.tried") if one["client"] == "client-0"][-1]
    last["at_ns"] = at(89)
    made, user = on(run), User(last, "node-b")
    for number in range(round(asks_until_s) - 90):
        made.send(user, opcode(DATA, 100, "udp"), 91 + number, back=False)
    return run


def test_a_client_that_another_node_serves_for_a_moment_is_not_back(tmp_path: Path) -> None:
    run = served_for_a_moment(asks_until_s=224)
    text = judge_mutant(run, "MN-24", tmp_path)
    assert "client-0 was served for the last time 135 s before it last asked" in text
    assert "client-1 was served" not in text


def test_a_client_that_soon_asks_no_more_was_not_left_without_an_answer(tmp_path: Path) -> None:
    judged(served_for_a_moment(asks_until_s=140), "MN-24", tmp_path, Status.PASS)


def test_a_host_that_kept_the_other_node_from_answering_explains_the_silence(
    tmp_path: Path,
) -> None:
    run = served_for_a_moment(asks_until_s=160)
    late = {"of": "node-b", "from_ns": at(91), "kept_ns": 30 * SECOND, "at_ns": at(150)}
    run.events.append(("host.late", "host", late))
    text = judged(run, "MN-24", tmp_path, Status.UNKNOWN)
    assert "`node-b` was kept from running" in text


# MN-30


def test_a_controller_that_is_off_keeps_new_ones_out_and_leaves_the_others(tmp_path: Path) -> None:
    text = judged(controller_lost(), "MN-30", tmp_path, Status.PASS)
    assert "client-0 stood still for 1.0 s at most" in text


def newcomer(run: Run) -> Data:
    return next(one for one in run.all("tunnel.tried") if one["client"] == "client-2")


def test_a_newcomer_that_gets_in_is_named(tmp_path: Path) -> None:
    run = controller_lost()
    newcomer(run).update(up=True, detail="")
    assert "client-2 by udp over IPv6 to node-a: it got in" in judge_mutant(run, "MN-30", tmp_path)


def test_a_newcomer_that_says_it_is_out_and_is_served_is_named(tmp_path: Path) -> None:
    run = controller_lost()
    data = newcomer(run)
    packet = udp((data["remote"], 1194), (data["address6"], 40000), opcode(DATA, 100, "udp"))
    run.frames.append(replace(sent(packet), at_ns=at(30)))
    assert "client-2 by udp over IPv6 to node-a: node-a served it" in judge_mutant(
        run, "MN-30", tmp_path
    )


def test_a_newcomer_that_no_node_answered_shows_nothing(tmp_path: Path) -> None:
    run = controller_lost()
    run.frames = [
        one for one in run.frames if not at(25) < one.at_ns < at(27) or one.interface[:2] == "cl"
    ]
    text = judged(run, "MN-30", tmp_path, Status.UNKNOWN)
    assert "client-2 by udp over IPv6 to node-a: the node did not answer it at all" in text


def test_a_standing_client_that_has_to_begin_anew_is_named(tmp_path: Path) -> None:
    run = controller_lost()
    data = run.all("tunnel.tried")[-1]
    client, server = (data["address4"], 40000), (data["remote"], 1194)
    anew = udp(client, server, opcode(RESET, 51, "udp"))
    run.frames.append(replace(sent(anew), at_ns=at(50)))
    assert "client-1 by udp over IPv4 to node-b: it had to begin anew" in judge_mutant(
        run, "MN-30", tmp_path
    )


def test_a_standing_client_that_gets_nothing_any_more_is_named(tmp_path: Path) -> None:
    run = controller_lost()
    power = [one for one in run.all("power.switched") if one["on"]]
    power[0]["at_ns"] = at(95)
    run.frames = [one for one in run.frames if one.at_ns < at(22) or "node" not in one.interface]
    verdict = run.judge("MN-30", tmp_path)
    assert "client-0 by udp over IPv4 to node-a: nothing for 68." in verdict.text


def test_a_newcomer_that_gets_in_after_the_return_was_kept_out(tmp_path: Path) -> None:
    run = controller_lost()
    made, user = on(run), User(dict(newcomer(run)), "node-a")
    made.connect(user, 67)
    made.carry(user, 80)
    run.events.append(("tunnel.tried", "client", user.data | {"up": True, "at_ns": at(78)}))
    judged(run, "MN-30", tmp_path, Status.PASS)


def test_a_newcomer_that_was_looked_at_after_the_return_alone_shows_nothing(
    tmp_path: Path,
) -> None:
    run = controller_lost()
    newcomer(run).update(up=True, detail="", at_ns=at(78))
    text = judged(run, "MN-30", tmp_path, Status.UNKNOWN)
    assert "client-2 by udp over IPv6 to node-a: looked at after the controller's return" in text


def test_a_standing_client_that_begins_anew_after_the_return_is_named(tmp_path: Path) -> None:
    """By ping-restart, of what it has not had since the controller went off."""
    run = controller_lost()
    data = next(one for one in run.all("tunnel.tried") if one["client"] == "client-0")
    run.frames = without(run, data["address4"], after_s=22, port="node-a/wire0")
    made, user = on(run), User(data, "node-a")
    made.connect(user, 82)
    made.carry(user, 94)
    data["at_ns"] = at(95)
    text = judge_mutant(run, "MN-30", tmp_path)
    assert "client-0 by udp over IPv4 to node-a: it had to begin anew" in text
    assert "client-0 by udp over IPv4 to node-a: nothing for 6" in text


def test_whoever_gets_in_while_the_controller_stays_off_is_named(tmp_path: Path) -> None:
    run = controller_lost()
    run.events = [one for one in run.events if not (one[0] == "power.switched" and one[2]["on"])]
    text = judge_mutant(run, "MN-30", tmp_path)
    assert "client-4 by tcp over IPv4 to node-a: it got in" in text


def test_a_return_that_nobody_tried_is_not_shown(tmp_path: Path) -> None:
    run = controller_lost()
    late = {"client-4", "client-5"}
    run.events = [one for one in run.events if one[2].get("client") not in late]
    text = judged(run, "MN-30", tmp_path, Status.UNKNOWN)
    assert "not tried after the controller's return: node-a, node-b" in text


# MN-14


def test_the_words_of_a_loud_failure_are_told(tmp_path: Path) -> None:
    text = judged(applied(), "MN-14", tmp_path, Status.PASS)
    assert "node-a, controller off: apply_changes.sh ended with 1: 'ERROR: failure" in text


def third_run(run: Run) -> Data:
    return run.all("script.run", "node-b")[-1]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"status": 0}, "node-b: apply_changes.sh ended with 0"),
        ({"output": " \n"}, "node-b: apply_changes.sh ended with 1, and said nothing"),
    ],
)
def test_a_failure_that_is_not_loud_is_named(wrong: Data, words: str, tmp_path: Path) -> None:
    run = applied()
    third_run(run).update(wrong)
    assert words in judge_mutant(run, "MN-14", tmp_path)


def test_a_run_while_the_controller_was_up_again_shows_no_failure(tmp_path: Path) -> None:
    run = applied()
    third_run(run).update(began_ns=at(66), at_ns=at(70))
    text = judged(run, "MN-14", tmp_path, Status.UNKNOWN)
    assert "not shown: node-b: apply_changes.sh fails loudly while the controller is off" in text


def state_after(run: Run) -> Data:
    return run.all("server.state", "node-a")[1]


@pytest.mark.parametrize(
    ("field", "old", "new", "words"),
    [
        ("units", "active running", "failed failed", "other units run"),
        ("sockets", "*:1194", "*:1195", "other sockets are open"),
    ],
)
def test_what_runs_otherwise_after_the_second_run_is_named(
    field: str, old: str, new: str, words: str, tmp_path: Path
) -> None:
    run = applied()
    state_after(run)[field] = state_after(run)[field].replace(old, new, 1)
    assert f"node-a: {words}" in judge_mutant(run, "MN-14", tmp_path)


def test_a_unit_that_dies_after_the_first_look_is_named(tmp_path: Path) -> None:
    run, first = applied(), state_after(applied())
    units = first["units"].replace("active running", "failed failed", 1)
    later = {**first, "units": units, "at_ns": first["at_ns"] + SECOND}
    run.events.append(("server.state", "node-a", later))
    assert "node-a: other units run" in judge_mutant(run, "MN-14", tmp_path)


def test_a_device_or_a_file_more_is_named(tmp_path: Path) -> None:
    run = applied()
    state_after(run)["links"].append({"ifname": "tun9", "operstate": "UNKNOWN"})
    state_after(run)["files"]["node-a-0.conf"] += "\nduplicate-cn\n"
    text = judge_mutant(run, "MN-14", tmp_path)
    assert "node-a: other devices are there: ['tun9']" in text
    assert "node-a: node-a-0.conf says something else after the second run" in text


def test_other_process_numbers_are_no_change(tmp_path: Path) -> None:
    run = applied()
    state_after(run)["sockets"] = state_after(run)["sockets"].replace("pid=50", "pid=90")
    judged(run, "MN-14", tmp_path, Status.PASS)


def test_one_run_alone_shows_nothing(tmp_path: Path) -> None:
    run = applied()
    run.events.remove(("script.run", "node-a", run.all("script.run", "node-a")[0]))
    text = judged(run, "MN-14", tmp_path, Status.UNKNOWN)
    assert "apply_changes.sh was run 1 times with the controller up, not twice" in text


# The last that a machine sends


@pytest.mark.parametrize(
    ("requirement", "make", "machine", "off_s"),
    [
        ("MN-14", applied, "controller", 40),
        ("MN-24", node_lost, "node-a", 20),
        ("MN-30", controller_lost, "controller", 20),
    ],
)
def test_the_last_that_a_machine_sent_may_reach_the_wire_80_ms_late(
    requirement: str, make: Callable[[], Run], machine: str, off_s: float, tmp_path: Path
) -> None:
    run = make()
    on(run).speak(machine, [off_s + 0.18])  # off by 0.1 s after that at the latest
    judged(run, requirement, tmp_path, Status.PASS)


@pytest.mark.parametrize(
    ("requirement", "make", "machine"),
    [
        ("MN-14", applied, "controller"),
        ("MN-24", node_lost, "node-a"),
        ("MN-30", controller_lost, "controller"),
    ],
)
def test_a_machine_that_was_switched_on_before_its_power_is_cut_stays_off_as_long(
    requirement: str, make: Callable[[], Run], machine: str, tmp_path: Path
) -> None:
    run = make()
    on(run).power(machine, 2, on=True)
    run.events.insert(0, run.events.pop())
    judged(run, requirement, tmp_path, Status.PASS)


# What a busy host delays


@pytest.mark.parametrize(
    ("requirement", "make", "machine", "off_s"),
    [
        ("MN-14", applied, "controller", 40),
        ("MN-24", node_lost, "node-a", 20),
        ("MN-30", controller_lost, "controller", 20),
    ],
)
def test_what_a_busy_wire_reads_after_its_sender_was_off_says_nothing(
    requirement: str, make: Callable[[], Run], machine: str, off_s: float, tmp_path: Path
) -> None:
    def read_late() -> Run:
        run = make()
        on(run).speak(machine, [off_s + 0.4])
        return run

    span_s = off_s - 0.15, off_s + 0.45
    is_late(read_late, requirement, tmp_path, "wire", span_s, Status.UNKNOWN)
