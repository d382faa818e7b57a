"""What FO-24 and others owe of a whole run: two masters, and a second holder, as each is judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.failover.crashes import busy, is_late
from tests.checks.failover.recording import (
    ADDRESS,
    CLIENT,
    CLIENT_MAC,
    VIRTUAL_IP,
    Run,
    passes,
    rejects,
    takeover,
    unsure,
)
from tests.checks.protocols import encoder

UNEXPLAINED = "nothing that was done explains it"


def test_two_masters_of_which_a_busy_host_kept_one_from_yielding_say_nothing(
    tmp_path: Path,
) -> None:
    run = takeover(tmp_path, "kill-ucarp")
    for number, at in enumerate((14.1, 16.9, 17.9)):
        run.beats("primary", at, at + 0.5, counter=5000 + number)
    rejects(run.judge("FO-24"), "primary and secondary were masters at once for 3.80 s")
    verdict = busy(run, "primary", 14.2, 16.9).judge("FO-24")
    unsure(verdict, "masters at once for 3.80 s", "`primary` was kept from running")
    assert verdict.late


def masters_at_once(directory: Path, *starts: int) -> Run:
    """Let the old node be a second master for a second, after each of `starts`."""
    run = takeover(directory, "kill-ucarp").without("fault.watched")
    run.seconds = 120
    run.beats("secondary", 40.2, 120, counter=1037)
    for start in starts:
        run.beats("primary", start + 0.3, start + 2.2, counter=7000 + start)
    return run


@pytest.mark.parametrize("requirement", ["FO-24", "FO-25", "FO-26"])
def test_two_masters_again_and_again_for_a_second_each_are_rejected(
    tmp_path: Path, requirement: str
) -> None:
    run = masters_at_once(tmp_path, *range(42, 115, 6))
    rejects(run.judge(requirement), "13 times in 73.00 s, and nothing was done meanwhile")


def test_an_election_once_more_after_something_was_done_passes(tmp_path: Path) -> None:
    run = masters_at_once(tmp_path, 42, 62)
    run.event(55, "fault.watched", "scenario", node="primary")
    passes(run.judge("FO-24"))


@pytest.mark.parametrize(("parted", "counts"), [((43, 70), False), ((90, 95), True)])
def test_two_masters_while_the_wire_kept_them_apart_do_not_count(
    tmp_path: Path, parted: tuple[float, float], counts: bool
) -> None:
    run = masters_at_once(tmp_path)
    run.beats("primary", 45.3, 60, counter=7000)
    run.event(parted[0], "filter.began", "scenario", filter="vrrp")
    run.event(parted[1], "filter.ended", "scenario", filter="vrrp", hits=10)
    if counts:
        rejects(run.judge("FO-24"), "primary and secondary were masters at once for 14.")
    else:
        passes(run.judge("FO-24"))


def test_an_election_once_more_after_a_busy_host_kept_them_from_hearing_passes(
    tmp_path: Path,
) -> None:
    run = masters_at_once(tmp_path, 42, 62)
    rejects(run.judge("FO-24"), "2 times in 21.00 s")
    passes(busy(run, "primary", 59.5, 62.2).judge("FO-24"))


def test_an_election_after_each_of_twenty_faults_passes(tmp_path: Path) -> None:
    run = Run(tmp_path, 20 * 20 + 15)
    active, standby = "primary", "secondary"
    run.beats(active, 0, 10.2)
    for number in range(20):
        at = 20 * number + 10
        run.event(at + 0.3, "fault.injected", "scenario", fault="kill-ucarp", node=active)
        run.beats(standby, at + 3.2, at + 20.1, counter=2000 * (number + 1))
        run.beats(active, at + 4.1, at + 5.2, counter=2000 * (number + 1) + 1000)
        run.event(at + 15, "fault.watched", "scenario", node=active)
        active, standby = standby, active
    passes(run.judge("FO-24"))


def holding(run: Run, *seconds: float) -> Run:
    """Let `ip addr` show the virtual IP on the old node."""
    for at in seconds:
        run.event(at, "addresses.held", "primary", held=[ADDRESS["primary"], VIRTUAL_IP])
    return run


@pytest.mark.parametrize("requirement", ["FO-24", "FO-25", "FO-26"])
def test_an_old_node_that_has_the_virtual_ip_among_its_addresses_is_rejected(
    tmp_path: Path, requirement: str
) -> None:
    run = holding(takeover(tmp_path, "kill-ucarp"), 20, 35)
    rejects(run.judge(requirement), "primary has it among its addresses while secondary is")


@pytest.mark.parametrize("fault", ["link-cut", "carrier-loss"])
def test_what_a_node_has_that_is_cut_off_nobody_can_reach(tmp_path: Path, fault: str) -> None:
    passes(holding(takeover(tmp_path, fault), 20, 35).judge("FO-24"))


def test_the_virtual_ip_is_the_active_nodes_to_have(tmp_path: Path) -> None:
    run = holding(takeover(tmp_path), 5, 10.2)
    run.event(20, "addresses.held", "secondary", held=[ADDRESS["secondary"], VIRTUAL_IP])
    passes(run.judge("FO-24"))


@pytest.mark.parametrize("requirement", ["FO-24", "FO-25", "FO-26"])
def test_an_answer_of_an_old_node_that_a_busy_host_keeps_from_letting_go_says_nothing(
    tmp_path: Path, requirement: str
) -> None:
    run = takeover(tmp_path, "kill-ucarp")
    run.asked(17, "primary", "secondary")
    rejects(run.judge(requirement), "primary answers ARP for it while secondary is the active node")
    rejects(busy(run, "primary", 8, 12).judge(requirement), "primary answers ARP for it")
    is_late(run, requirement, "primary", 13.2, 17)


def test_an_intruders_answer_is_no_busy_hosts(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    reply = encoder.arp(2, "02:00:00:00:00:07", VIRTUAL_IP, CLIENT, to=CLIENT_MAC)
    run.frame(17, "elsewhere/wire0", reply)
    rejects(busy(run, "secondary", 13.2, 17).judge("FO-24"), "at elsewhere/wire0 answers ARP")


def repeated(directory: Path) -> Run:
    """Fail at 10.3 s, thaw the lab at 30 s: the primary is active again, counting as before."""
    run = takeover(directory)
    run.frames = [frame for frame in run.frames if frame[0] < 30]
    run.beats("primary", 30.5, 40, counter=1000)
    run.without("fault.watched").event(29, "fault.watched", "scenario", node="primary")
    return run


def thaw(run: Run, at: float) -> None:
    run.event(at, "lab.thawed", "scenario", lab="lab", generation=2, clock={"behind_ns": 0})


def test_a_thawed_lab_is_no_fail_back(tmp_path: Path) -> None:
    run = repeated(tmp_path)
    thaw(run, 30)
    passes(run.judge("FO-24"))


def test_a_thaw_excuses_nothing_that_comes_after_it(tmp_path: Path) -> None:
    run = repeated(tmp_path)
    thaw(run, 30)
    run.frames = [frame for frame in run.frames if frame[0] < 33]
    run.beats("secondary", 33, 40, counter=1003)
    rejects(run.judge("FO-24"), UNEXPLAINED)


def test_the_same_without_a_thaw_is_a_forced_fail_back(tmp_path: Path) -> None:
    rejects(repeated(tmp_path).judge("FO-24"), UNEXPLAINED)


def handed_over(directory: Path, node: str) -> Run:
    """Move the role back to the primary by hand at 30 s, after the takeover of 10.3 s."""
    run = repeated(directory)
    run.event(29.2, "handover.began", "scenario", node=node)
    run.event(35, "handover.ended", "scenario", node=node)
    return run


def test_a_role_that_was_handed_over_is_explained(tmp_path: Path) -> None:
    passes(handed_over(tmp_path, "secondary").judge("FO-24"))


def test_a_handover_explains_no_change_away_from_the_other_node(tmp_path: Path) -> None:
    rejects(handed_over(tmp_path, "primary").judge("FO-24"), UNEXPLAINED)


def test_a_cut_off_node_that_still_believes_to_be_active_holds_nothing(tmp_path: Path) -> None:
    run = takeover(tmp_path, fault="link-cut")
    run.beats("primary", 10.4, 40, counter=1011, comment="dropped: primary/wire0 is cut")
    passes(run.judge("FO-24"))


def test_two_masters_for_6_s_each_time_in_pieces_of_2_9_s_with_2_s_between(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] < 25]
    run.beats("secondary", 25.2, 40, counter=1030)
    for start in (25.3, 30.2):
        run.beats("primary", start, start + 2.9, counter=7000)
    rejects(run.judge("FO-24"), "primary and secondary were masters at once for")


def slow_to_advertise(directory: Path) -> Run:
    """Let the new holder's up script add the virtual IP 0.8 s before it first advertises."""
    run = takeover(directory, silence=4.2)
    run.asked(13.4, "secondary")
    return run


@pytest.mark.parametrize("requirement", ["FO-24", "FO-25", "FO-26"])
def test_a_new_holder_that_has_the_virtual_ip_a_while_before_it_advertises_passes(
    tmp_path: Path, requirement: str
) -> None:
    run = slow_to_advertise(tmp_path)
    passes(run.judge(requirement))
    passes(busy(run, "secondary", 13.45, 14.2).judge(requirement))


@pytest.mark.parametrize("at", [8, 10.1, 11])
def test_a_standby_that_answers_before_the_active_node_can_be_taken_for_dead_is_rejected(
    tmp_path: Path, at: float
) -> None:
    run = slow_to_advertise(tmp_path)
    run.asked(at, "secondary")
    rejects(run.judge("FO-26"), "secondary answers ARP for it while primary is the active node")


def test_another_machine_that_answers_after_a_crash_is_no_new_holder(tmp_path: Path) -> None:
    run = slow_to_advertise(tmp_path)
    reply = encoder.arp(2, "02:00:00:00:00:07", VIRTUAL_IP, CLIENT, to=CLIENT_MAC)
    run.frame(13.4, "elsewhere/wire0", reply)
    rejects(run.judge("FO-24"), "at elsewhere/wire0 answers ARP")


def test_a_node_that_a_busy_host_keeps_from_advertising_what_it_has_says_nothing(
    tmp_path: Path,
) -> None:
    run = takeover(tmp_path, silence=2.6)
    run.asked(11.8, "secondary")
    rejects(run.judge("FO-24"), "secondary answers ARP for it while primary is the active node")
    is_late(run, "FO-24", "secondary", 11.8, 12.6)


def test_an_old_node_that_answers_long_after_two_takeovers_is_told_of_each(tmp_path: Path) -> None:
    run = repeated(tmp_path)
    thaw(run, 30)
    for at in (20, 37):
        run.asked(at, "primary", "secondary")
    rejects(
        run.judge("FO-24"),
        "primary answers ARP for it while secondary is the active node: 1 time(s)",
        "secondary answers ARP for it while primary is the active node: 1 time(s)",
    )
