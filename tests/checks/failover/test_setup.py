"""FO-02 to 05, 10 and 11: how the pair was prepared, good and broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.checks.failover.crashes import busy, is_late, powered_off
from tests.checks.failover.recording import (
    ADDRESS,
    MAC,
    UCARP,
    VIRTUAL_IP,
    Run,
    node,
    passes,
    rejects,
    unsure,
)
from tests.checks.protocols import encoder

REQUIREMENTS = ["FO-02", "FO-03", "FO-04", "FO-05", "FO-10", "FO-11"]
OUTSIDE = "192.168.71.222"
OWN = [ADDRESS["primary"]]
BOTH = [*OWN, VIRTUAL_IP]


def prepared(directory: Path) -> Run:
    """Everything that comes before the pair runs, as it should be."""
    run = Run(directory, 60)
    run.beats("primary", 0, 60)
    for answer in ("delete", "yes", ""):
        run.event(1, "init.asked", "secondary", answer=answer, status=1, before="a", after="a")
    run.event(2, "init.asked", "secondary", answer="DELETE", status=0, before="a", after="b")
    run.event(3, "init.wiped", "secondary", seeded=5, left=[], role="standby")
    batch = {"stdin": "closed", "status": 0, "seconds": 4.0, "reads_stdin": False}
    run.event(4, "init.batch", "secondary", **batch)
    for origin, target in (("primary", "secondary"), ("secondary", "primary")):
        ssh = {"origin": origin, "target": target, "user": "root", "status": 0}
        run.event(5, "ssh.attempted", origin, **ssh)
    outside = {"virtual_ip": OUTSIDE, "network": "192.168.70.0/24"}
    run.event(11, "commit.attempted", "primary", **outside, accepted=False, error="not in subnet")
    run.event(13, "addresses.held", "primary", held=OWN)
    run.event(20, "commit.done", "primary", node="primary")
    run.event(24, "addresses.held", "primary", held=BOTH)
    run.event(24, "log.line", "primary", file="openvpnas.log", text="state: MASTER")
    return run


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_a_pair_prepared_as_it_should_be_passes(tmp_path: Path, requirement: str) -> None:
    passes(prepared(tmp_path).judge(requirement))


@pytest.mark.parametrize(
    ("requirement", "kind", "change", "reason"),
    [
        ("FO-02", "init.asked", {"before": "a", "after": "b"}, "'delete' wiped"),
        ("FO-02", "init.asked", {"after": "a"}, "'DELETE' did not wipe"),
        ("FO-02", "init.asked", {"status": 1}, "DELETE ended with status 1"),
        ("FO-03", "init.wiped", {"left": ["userprop.db"]}, "left after the wipe: userprop.db"),
        ("FO-03", "init.wiped", {"role": "primary"}, "not standby"),
        ("FO-04", "init.batch", {"reads_stdin": True}, "read its standard input"),
        ("FO-04", "init.batch", {"seconds": 61}, "limit 60 s"),
        ("FO-04", "init.batch", {"status": 1}, "status 1"),
        ("FO-05", "ssh.attempted", {"status": 255}, "status 255"),
        ("FO-10", "commit.attempted", {"accepted": True}, "is accepted"),
        ("FO-10", "commit.attempted", {"error": ""}, "without a word"),
        ("FO-11", "addresses.held", {"held": OWN}, "did not hold the virtual IP"),
        ("FO-11", "log.line", {"text": "BACKUP"}, "no MASTER line"),
        ("FO-11", "log.line", {"text": "Putting MASTER down"}, "no MASTER line"),
        ("FO-11", "log.line", {"text": "node state: MASTER -> BACKUP"}, "no MASTER line"),
    ],
)
def test_each_broken_preparation_is_rejected(
    tmp_path: Path, requirement: str, kind: str, change: dict, reason: str
) -> None:
    rejects(prepared(tmp_path).changed(kind, **change).judge(requirement), reason)


@pytest.mark.parametrize(
    ("requirement", "kind"),
    [
        ("FO-02", "init.asked"),
        ("FO-03", "init.wiped"),
        ("FO-04", "init.batch"),
        ("FO-05", "ssh.attempted"),
        ("FO-10", "commit.attempted"),
        ("FO-10", "addresses.held"),
        ("FO-11", "commit.done"),
        ("FO-11", "addresses.held"),
        ("FO-11", "pair.configured"),
    ],
)
def test_what_was_not_recorded_is_unknown(tmp_path: Path, requirement: str, kind: str) -> None:
    unsure(prepared(tmp_path).without(kind).judge(requirement))


@pytest.mark.parametrize("answer", ["delete", "yes", "", "DELETE"])
def test_an_answer_that_was_not_tried_leaves_it_open(tmp_path: Path, answer: str) -> None:
    unsure(prepared(tmp_path).but(answer=answer).judge("FO-02"), f"the answer {answer!r}")


def test_yes_with_a_capital_wiped(tmp_path: Path) -> None:
    run = prepared(tmp_path)
    run.event(1, "init.asked", "secondary", answer="Yes", status=0, before="a", after="b")
    rejects(run.judge("FO-02"), "'Yes' wiped the configuration")


def test_an_answer_where_nothing_was_left_to_wipe_says_nothing(tmp_path: Path) -> None:
    run = prepared(tmp_path)
    run.event(2.5, "init.asked", "secondary", answer="no", status=1, before="b", after="b")
    unsure(run.judge("FO-02"), "nothing was left to wipe")


def test_a_wipe_of_nothing_says_nothing(tmp_path: Path) -> None:
    unsure(prepared(tmp_path).changed("init.wiped", seeded=0).judge("FO-03"), "nothing was seeded")


def test_an_open_standard_input_says_nothing(tmp_path: Path) -> None:
    run = prepared(tmp_path).changed("init.batch", stdin="a terminal")
    unsure(run.judge("FO-04"), "not closed")


def test_ssh_tried_one_way_only_says_nothing(tmp_path: Path) -> None:
    run = prepared(tmp_path)
    run.events = [event for event in run.events if event[1:3] != ("ssh.attempted", "secondary")]
    unsure(run.judge("FO-05"), "root on secondary reaches root on primary")


def unanswered(directory: Path, said: str) -> Run:
    """Root on primary asked secondary for a shell, and was told this after 20 s."""
    run = prepared(directory)
    data = {"origin": "primary", "target": "secondary", "user": "root"}
    run.event(40, "ssh.attempted", "primary", **data, status=255, seconds=20, detail=f"ssh: {said}")
    return run


@pytest.mark.parametrize("of", ["primary", "secondary", "wire"])
def test_a_shell_that_nobody_could_give_in_time_is_late(tmp_path: Path, of: str) -> None:
    run = unanswered(tmp_path, "connect to host 10.0.1.2 port 22: Connection timed out")
    rejects(run.judge("FO-05"), "status 255: ssh: connect to host")
    is_late(run, "FO-05", of, 20, 40)


def test_a_shell_that_was_refused_is_nobodys_lateness(tmp_path: Path) -> None:
    run = unanswered(tmp_path, "root@10.0.1.2: Permission denied (publickey).")
    rejects(busy(run, "secondary", 20, 40).judge("FO-05"), "status 255")


def test_another_user_than_root_says_nothing(tmp_path: Path) -> None:
    unsure(prepared(tmp_path).changed("ssh.attempted", user="sshuser").judge("FO-05"))


def test_the_two_nodes_are_known_by_name_before_they_are_a_pair(tmp_path: Path) -> None:
    passes(prepared(tmp_path).without("pair.configured").judge("FO-05"))


def test_a_commit_that_failed_for_another_reason_refused_nothing(tmp_path: Path) -> None:
    error = "not committed: SSH from primary to secondary: Network is unreachable"
    run = prepared(tmp_path).changed("commit.attempted", error=error)
    unsure(run.judge("FO-10"), "not said to be for its subnet")


def test_a_virtual_ip_inside_the_subnet_shows_nothing(tmp_path: Path) -> None:
    run = prepared(tmp_path).changed("commit.attempted", virtual_ip=VIRTUAL_IP)
    unsure(run.judge("FO-10"), "no virtual IP outside")


@pytest.mark.parametrize("node", ["primary", "secondary"])
def test_virtual_ip_outside_the_subnet_refused_with_an_error_but_configured_all_the_same(
    tmp_path: Path, node: str
) -> None:
    run = prepared(tmp_path)
    run.event(15, "addresses.held", node, held=[ADDRESS[node], OUTSIDE])
    rejects(run.judge("FO-10"), f"{node} holds it all the same")


@pytest.mark.parametrize(("at", "node"), [(10, "primary"), (13, "secondary")])
def test_addresses_not_read_after_the_attempt_say_nothing(
    tmp_path: Path, at: float, node: str
) -> None:
    run = prepared(tmp_path).without("addresses.held")
    run.event(at, "addresses.held", node, held=[ADDRESS[node]])
    unsure(run.judge("FO-10"), "after the attempt")


def read_at(directory: Path, *readings: tuple[float, list[str]]) -> Run:
    run = prepared(directory).without("addresses.held")
    for at, held in readings:
        run.event(at, "addresses.held", "primary", held=held)
    return run


def test_an_address_read_after_the_limit_only_says_nothing(tmp_path: Path) -> None:
    unsure(read_at(tmp_path, (31, BOTH)).judge("FO-11"), "not read within 10 s")


@pytest.mark.parametrize("kept", ["primary", "scenario"])
def test_an_address_read_late_because_the_host_was_busy_may_be_read_again(
    tmp_path: Path, kept: str
) -> None:
    verdict = busy(read_at(tmp_path, (31, BOTH)), kept, 29.9, 30.9).judge("FO-11")
    unsure(verdict, "not read within 10 s", f"`{kept}` was kept from running for 1.0 s")
    assert verdict.late


def test_an_address_read_later_than_the_host_kept_it_is_no_matter_of_lateness(
    tmp_path: Path,
) -> None:
    verdict = busy(read_at(tmp_path, (31, BOTH)), "primary", 29.9, 30.3).judge("FO-11")
    unsure(verdict, "not read within 10 s")
    assert not verdict.late


def test_an_address_read_before_the_commit_only_says_nothing(tmp_path: Path) -> None:
    unsure(read_at(tmp_path, (15, BOTH)).judge("FO-11"), "not read within 10 s")


def test_addresses_never_read_say_nothing(tmp_path: Path) -> None:
    unsure(read_at(tmp_path).judge("FO-11"), "not read within 10 s")


def test_an_address_that_only_comes_after_the_limit_is_rejected(tmp_path: Path) -> None:
    run = read_at(tmp_path, (28, OWN), (31, BOTH))
    rejects(run.judge("FO-11"), "did not hold the virtual IP")


def test_an_address_held_in_the_last_reading_within_the_limit_passes(tmp_path: Path) -> None:
    passes(read_at(tmp_path, (21, OWN), (28, BOTH)).judge("FO-11"))


@pytest.mark.parametrize("gone", [26, 29.9, 45])
def test_vip_up_then_gone_again_2_s_later_within_the_10_s(tmp_path: Path, gone: float) -> None:
    run = read_at(tmp_path, (24, BOTH), (gone, OWN), (50, BOTH))
    rejects(run.judge("FO-11"), "held the virtual IP, and then no more")


def test_what_the_former_run_still_held_after_the_commit_is_not_lost(tmp_path: Path) -> None:
    run = begun_anew(tmp_path, (0.4, 21), (27.2, 60)).without("addresses.held")
    for at, held in ((20.5, BOTH), (21.2, BOTH), (21.4, OWN), (27.1, BOTH), (50, BOTH)):
        run.event(at, "addresses.held", "primary", held=held)
    passes(run.judge("FO-11"))


def test_what_only_the_former_run_held_does_not_count(tmp_path: Path) -> None:
    run = begun_anew(tmp_path, (0.4, 21), (27.2, 60)).without("addresses.held")
    for at, held in ((20.5, BOTH), (21.4, OWN), (50, OWN)):
        run.event(at, "addresses.held", "primary", held=held)
    rejects(run.judge("FO-11"), "did not hold the virtual IP")


def test_an_address_lost_after_it_began_anew_is_rejected(tmp_path: Path) -> None:
    run = begun_anew(tmp_path, (0.4, 21), (27.2, 60)).without("addresses.held")
    for at, held in ((21.4, OWN), (27.1, BOTH), (27.6, OWN), (28.5, BOTH)):
        run.event(at, "addresses.held", "primary", held=held)
    rejects(run.judge("FO-11"), "held the virtual IP, and then no more")


def test_a_commit_without_restart_is_rejected(tmp_path: Path) -> None:
    run = prepared(tmp_path)
    run.frames = [frame for frame in run.frames if not 20 <= frame[0] < 35]
    rejects(run.judge("FO-11"), "did not advertise within 10 s")


def test_a_primary_that_only_resigns_does_not_advertise(tmp_path: Path) -> None:
    run = prepared(tmp_path)
    run.frames = []
    for at in range(60):
        goodbye = encoder.vrrp(ADDRESS["primary"], vrid=94, priority=0)
        run.frame(at, "primary/wire0", goodbye)
    rejects(run.judge("FO-11"), "did not advertise within 10 s")


def test_a_primary_that_ceases_to_advertise_within_the_10_s_is_rejected(tmp_path: Path) -> None:
    run = prepared(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] < 23]
    rejects(run.judge("FO-11"), "primary advertised, and then was silent for 38.000 s")


def test_a_commit_that_was_not_watched_for_10_s_says_nothing(tmp_path: Path) -> None:
    run = prepared(tmp_path)
    run.seconds = 28
    unsure(run.judge("FO-11"), "recorded for less than 10 s")


@pytest.mark.parametrize("at", [19, 31])
def test_a_master_line_of_before_the_commit_or_after_the_limit_is_none(
    tmp_path: Path, at: float
) -> None:
    run = prepared(tmp_path)
    run.events = [(at, *event[1:]) if event[1] == "log.line" else event for event in run.events]
    rejects(run.judge("FO-11"), "no MASTER line")


def late_to_advertise(directory: Path) -> Run:
    run = prepared(directory)
    run.frames = [frame for frame in run.frames if not 20 <= frame[0] < 31]
    return run


def late_to_hold(directory: Path) -> Run:
    return read_at(directory, (28, OWN), (31, BOTH))


def late_to_say(directory: Path) -> Run:
    run = prepared(directory)
    run.events = [(31, *event[1:]) if event[1] == "log.line" else event for event in run.events]
    return run


@pytest.mark.parametrize("late", [late_to_advertise, late_to_hold, late_to_say])
def test_a_node_that_the_host_kept_from_running_may_be_as_late_as_that(
    tmp_path: Path, late: Callable[[Path], Run]
) -> None:
    verdict = busy(late(tmp_path), "primary", 29.9, 30.9).judge("FO-11")
    unsure(verdict, "`primary` was kept from running for 1.0 s")
    assert verdict.late


@pytest.mark.parametrize("late", [late_to_advertise, late_to_hold, late_to_say])
def test_a_node_that_is_later_than_the_host_kept_it_is_rejected(
    tmp_path: Path, late: Callable[[Path], Run]
) -> None:
    rejects(busy(late(tmp_path), "primary", 29.9, 30.3).judge("FO-11"), "within 10 s")


def test_another_machine_that_was_kept_from_running_explains_nothing(tmp_path: Path) -> None:
    rejects(busy(late_to_hold(tmp_path), "secondary", 29, 31).judge("FO-11"), "within 10 s")


def test_what_never_came_although_it_was_just_long_enough_watched_says_nothing(
    tmp_path: Path,
) -> None:
    run = late_to_advertise(tmp_path)
    run.seconds = 30
    unsure(run.judge("FO-11"), "did not advertise", "was not watched for longer")


def test_a_batch_that_the_host_kept_from_running_may_be_as_late_as_that(tmp_path: Path) -> None:
    run = prepared(tmp_path).changed("init.batch", seconds=61.0)
    run.events = [(59, *event[1:]) if event[1] == "init.batch" else event for event in run.events]
    unsure(busy(run, "secondary", 57, 58).judge("FO-04"), "limit 60 s", "kept from running")
    rejects(run.but(of="secondary").judge("FO-04"), "limit 60 s")


@pytest.mark.parametrize(
    ("requirement", "kind"),
    [("FO-02", "init.asked"), ("FO-03", "init.wiped"), ("FO-04", "init.batch")],
)
def test_an_initialisation_of_the_primary_says_nothing_of_the_secondarys(
    tmp_path: Path, requirement: str, kind: str
) -> None:
    run = prepared(tmp_path)
    run.events = [
        (at, name, "primary" if name == kind else source, *rest)
        for at, name, source, *rest in run.events
    ]
    unsure(run.judge(requirement), f"no {kind} of secondary")


@pytest.mark.parametrize("until", [55, 60])
def test_a_primary_that_falls_silent_after_the_10_s_is_rejected(
    tmp_path: Path, until: float
) -> None:
    run = prepared(tmp_path)
    run.frames = [frame for frame in run.frames if not 45 < frame[0] < until]
    rejects(run.judge("FO-11"), "primary advertised, and then was silent for")


def begun_anew(directory: Path, *runs: tuple[float, float]) -> Run:
    """Let the primary advertise in these spans of seconds, and say MASTER at 27.2 s."""
    run = read_at(directory, (28, BOTH)).without("log.line")
    run.frames = []
    for number, (start, end) in enumerate(runs):
        run.beats("primary", start, end, counter=5000 * number)
    text = "Switching to state: MASTER"
    run.event(27.2, "log.line", "primary", file="openvpnas.log", text=text)
    return run


def test_the_run_of_before_may_advertise_once_more_after_the_commit(tmp_path: Path) -> None:
    passes(begun_anew(tmp_path, (0.4, 21), (27.2, 60)).judge("FO-11"))


@pytest.mark.parametrize(
    "runs",
    [
        ((0.4, 21), (26, 28), (34, 60)),  # silent again, beyond the 10 s
        ((0.4, 14), (21, 23), (29, 60)),  # the former run had ended before the commit
    ],
)
def test_a_silence_that_is_not_the_restarts_is_rejected(
    tmp_path: Path, runs: tuple[tuple[float, float], ...]
) -> None:
    rejects(begun_anew(tmp_path, *runs).judge("FO-11"), "primary advertised, and then was silent")


@pytest.mark.parametrize("anew", [30.4, 32])
def test_one_that_begins_anew_after_the_10_s_is_rejected(tmp_path: Path, anew: float) -> None:
    run = begun_anew(tmp_path, (0.4, 21), (anew, 60))
    rejects(run.judge("FO-11"), "primary did not advertise within 10 s")


def test_one_that_a_busy_host_lets_begin_anew_too_late_is_late(tmp_path: Path) -> None:
    run = busy(begun_anew(tmp_path, (0.4, 21), (31, 60)), "primary", 21, 31)
    verdict = run.judge("FO-11")
    unsure(verdict, "kept from running")
    assert verdict.late


@pytest.mark.parametrize("at", [19.6, 30.3])
def test_a_master_line_that_may_lie_outside_of_the_10_s_says_nothing(
    tmp_path: Path, at: float
) -> None:
    run = prepared(tmp_path).without("log.line")
    text = "Switching to state: MASTER"
    run.event(at, "log.line", "primary", 0.6, file="openvpnas.log", text=text)
    unsure(run.judge("FO-11"), "too coarse")
    run.event(28.4, "log.line", "primary", 0.6, file="openvpnas.log", text=text)
    passes(run.judge("FO-11"))


def test_a_master_line_that_a_busy_host_lets_come_too_near_the_limit_is_late(
    tmp_path: Path,
) -> None:
    run = prepared(tmp_path).without("log.line")
    text = "Switching to state: MASTER"
    run.event(30.3, "log.line", "primary", 0.6, file="openvpnas.log", text=text)
    verdict = busy(run, "primary", 28, 30).judge("FO-11")
    unsure(verdict, "too coarse", "kept from running")
    assert verdict.late


def test_what_a_crash_does_after_the_10_s_is_not_the_commits(tmp_path: Path) -> None:
    run = powered_off(prepared(tmp_path), 45.2)
    run.event(50, "addresses.held", "primary", held=OWN)
    passes(run.judge("FO-11"))


@pytest.mark.parametrize("at", [20.3, 22.2, 29.9])
def test_a_commit_that_a_crash_cuts_short_says_nothing(tmp_path: Path, at: float) -> None:
    unsure(powered_off(prepared(tmp_path), at).judge("FO-11"), "something else was done by then")


def test_a_commit_that_is_made_again_is_judged_each_time(tmp_path: Path) -> None:
    run = begun_anew(tmp_path, (0.4, 21), (27.2, 40), (46.2, 60))
    run.event(39.5, "commit.done", "primary", node="primary")
    run.event(47, "addresses.held", "primary", held=BOTH)
    run.event(46.2, "log.line", "primary", file="openvpnas.log", text="state: MASTER")
    passes(run.judge("FO-11"))
    run.frames = [frame for frame in run.frames if frame[0] < 46]
    rejects(run.judge("FO-11"), "primary did not advertise within 10 s")


@pytest.mark.parametrize("node", ["primary", "secondary"])
def test_virtual_ip_outside_the_subnet_refused_with_an_error_but_seen_on_the_wire(
    tmp_path: Path, node: str
) -> None:
    run = prepared(tmp_path)
    run.frame(15, f"{node}/wire0", encoder.gratuitous(MAC[node], OUTSIDE))
    rejects(run.judge("FO-10"), f"{node} sends ARP from it")


def test_an_address_that_another_host_has_is_not_the_nodes(tmp_path: Path) -> None:
    run = prepared(tmp_path)
    run.frame(15, "elsewhere/wire0", encoder.gratuitous("02:00:00:00:00:07", OUTSIDE))
    run.frame(16, "primary/wire0", encoder.arp(1, MAC["primary"], ADDRESS["primary"], OUTSIDE))
    passes(run.judge("FO-10"))


@pytest.mark.parametrize("at", [11.1, 13, 20.9])
def test_addresses_read_before_a_commit_takes_effect_say_nothing(tmp_path: Path, at: float) -> None:
    run = prepared(tmp_path).without("addresses.held")
    run.event(at, "addresses.held", "primary", held=OWN)
    unsure(run.judge("FO-10"), "10 s after the attempt")


def test_answers_on_a_node_that_is_wiped_already_say_nothing(tmp_path: Path) -> None:
    run = prepared(tmp_path)
    for event in run.events:
        if event[1] == "init.asked" and event[3]["answer"] != "DELETE":
            event[3].update(before="b", after="b")
    unsure(run.judge("FO-02"), "'yes' was answered where nothing was left to wipe")


def test_an_answer_that_wipes_a_node_that_is_wiped_already_further_is_rejected(
    tmp_path: Path,
) -> None:
    run = prepared(tmp_path)
    run.event(2.5, "init.asked", "secondary", answer="Yes", status=0, before="b", after="c")
    rejects(run.judge("FO-02"), "'Yes' wiped the configuration")


def test_delete_once_more_has_nothing_left_to_wipe(tmp_path: Path) -> None:
    run = prepared(tmp_path)
    run.event(2.5, "init.asked", "secondary", answer="DELETE", status=0, before="b", after="b")
    passes(run.judge("FO-02"))


def restarted_at_once(directory: Path, *readings: tuple[float, list[str]]) -> Run:
    """Let the primary begin anew after 4.1 s, as a restart takes that waits for nobody."""
    run = begun_anew(directory, (0.4, 21), (24.5, 60)).without("addresses.held")
    for at, held in readings:
        run.event(at, "addresses.held", "primary", held=held)
    return run


def test_a_restart_that_is_shorter_than_a_peer_waits_takes_the_virtual_ip_away(
    tmp_path: Path,
) -> None:
    readings = (20.5, BOTH), (21.2, BOTH), (21.4, OWN), (24.6, BOTH), (50, BOTH)
    passes(restarted_at_once(tmp_path, *readings).judge("FO-11"))


def test_a_node_that_listens_for_two_periods_has_begun_anew_after_them(tmp_path: Path) -> None:
    nodes = {name: node(name, **{**UCARP, "deadratio": 2}) for name in ADDRESS}
    run = begun_anew(tmp_path, (0.4, 21), (22.3, 60)).without("addresses.held")
    for at, held in ((20.5, BOTH), (21.2, OWN), (22.4, BOTH), (50, BOTH)):
        run.event(at, "addresses.held", "primary", held=held)
    passes(run.changed("pair.configured", nodes=nodes).judge("FO-11"))


def test_an_address_lost_after_a_short_restart_is_rejected(tmp_path: Path) -> None:
    readings = (21.2, BOTH), (21.4, OWN), (24.6, BOTH), (26, OWN), (50, BOTH)
    run = restarted_at_once(tmp_path, *readings)
    rejects(run.judge("FO-11"), "held the virtual IP, and then no more")


def test_an_advertisement_that_is_lost_is_no_restart(tmp_path: Path) -> None:
    run = read_at(tmp_path, (20.5, BOTH), (21.4, OWN), (24.6, BOTH))
    run.frames = [frame for frame in run.frames if frame[0] != 22]
    rejects(run.judge("FO-11"), "held the virtual IP, and then no more")
