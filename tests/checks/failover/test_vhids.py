"""FO-22, 23: a VHID that moves on both nodes, neighbours on the LAN, and each way it goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.checks.failover.crashes import busy, is_late, powered_off
from tests.checks.failover.recording import ADDRESS, Run, passes, rejects, unsure
from tests.checks.failover.strangers import OTHER, PORT, STRANGERS, a_carp_pair, a_vrrp_router
from tests.checks.protocols import encoder


def moved(directory: Path, to: int = 77) -> Run:
    run = Run(directory, 40, vhid=to)
    run.beats("primary", 0, 10)
    run.beats("primary", 12, 40, vhid=to)
    run.event(15, "vhid.moved", "scenario", vhid=to)
    return run


def test_a_vhid_moved_on_both_nodes_passes(tmp_path: Path) -> None:
    passes(moved(tmp_path).judge("FO-22"))


def test_a_vhid_moved_on_one_node_only_is_rejected(tmp_path: Path) -> None:
    run = moved(tmp_path)
    run.beats("secondary", 18, 40)
    rejects(run.judge("FO-22"), "[77, 94]", "2 masters")


def test_a_copied_source_address_does_not_hide_the_second_master(tmp_path: Path) -> None:
    run = moved(tmp_path)
    for second in range(20, 40):
        raw = encoder.carp(ADDRESS["primary"], counter=second, vhid=77)
        run.frame(second + 0.3, "secondary/wire0", raw)
    rejects(run.judge("FO-22"), "2 masters")


def test_a_pair_that_begins_with_another_vhid_is_rejected(tmp_path: Path) -> None:
    run = moved(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] > 11]
    run.beats("primary", 0, 10, vhid=95)
    rejects(run.judge("FO-22"), "the default VHID is 95")


def test_a_master_that_falls_silent_after_the_move_is_rejected(tmp_path: Path) -> None:
    run = moved(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] < 22]
    rejects(run.judge("FO-22"), "fell silent")


def test_a_master_that_pauses_after_the_move_is_rejected(tmp_path: Path) -> None:
    run = moved(tmp_path)
    run.frames = [frame for frame in run.frames if not 22 < frame[0] < 27]
    rejects(run.judge("FO-22"), "fell silent")


def test_a_pair_that_is_silent_after_the_move_is_rejected(tmp_path: Path) -> None:
    run = moved(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] < 11]
    rejects(run.judge("FO-22"), "0 masters after it")


def into_the_other_role(directory: Path) -> Run:
    """Let the other node be the master after the move; the configuration is that of before."""
    run = Run(directory, 40)
    run.beats("primary", 0, 10)
    run.beats("secondary", 12, 40, vhid=77)
    run.event(15, "vhid.moved", "scenario", vhid=77)
    run.asked(25, "secondary")
    return run


def started_at_once(directory: Path, both_until: float = 17.7) -> Run:
    run = Run(directory, 40, vhid=77)
    run.beats("primary", 0, 10)
    run.event(15, "vhid.moved", "scenario", vhid=77)
    run.beats("secondary", 16.6, both_until, vhid=77, counter=5000)
    run.beats("primary", 16.9, 40, vhid=77, counter=5001)
    return run


@pytest.mark.parametrize("build", [into_the_other_role, started_at_once])
def test_either_node_may_be_the_master_after_the_move(
    tmp_path: Path, build: Callable[[Path], Run]
) -> None:
    passes(build(tmp_path).judge("FO-22"))


def test_two_masters_for_longer_than_an_election_after_the_move_are_rejected(
    tmp_path: Path,
) -> None:
    rejects(started_at_once(tmp_path, both_until=22).judge("FO-22"), "2 masters after it")


def test_a_role_that_moves_after_the_move_is_rejected(tmp_path: Path) -> None:
    run = moved(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] < 15.5]
    run.beats("secondary", 19.5, 40, vhid=77)
    rejects(run.judge("FO-22"), "secondary became the master long after it")


@pytest.mark.parametrize("vhid", [77, 94])
def test_an_intruder_after_the_move_is_rejected(tmp_path: Path, vhid: int) -> None:
    run = into_the_other_role(tmp_path)
    raw = encoder.carp(ADDRESS["primary"], counter=1005, vhid=vhid)
    run.frame(16.5, "elsewhere/wire0", raw)
    rejects(run.judge("FO-22"), "elsewhere/wire0" if vhid == 77 else "[77, 94]")


def test_a_standby_with_a_vhid_of_its_own_before_the_move_is_rejected(tmp_path: Path) -> None:
    run = moved(tmp_path)
    run.beats("secondary", 0.5, 9, vhid=95)
    rejects(run.judge("FO-22"), "before the change VHIDs [95] are seen")


def test_a_move_that_was_not_watched_says_nothing(tmp_path: Path) -> None:
    run = moved(tmp_path).without("vhid.moved")
    run.event(36, "vhid.moved", "scenario", vhid=77)
    unsure(run.judge("FO-22"), "less than 5 s")


def test_a_pair_that_was_not_heard_before_the_move_says_nothing_of_the_default(
    tmp_path: Path,
) -> None:
    run = moved(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] > 15]
    unsure(run.judge("FO-22"), "nothing was recorded before the change")


def test_a_move_to_the_default_shows_nothing(tmp_path: Path) -> None:
    unsure(moved(tmp_path, to=94).judge("FO-22"), "by default")


def test_no_move_says_nothing(tmp_path: Path) -> None:
    unsure(moved(tmp_path).without("vhid.moved").judge("FO-22"), "no vhid.moved")


@pytest.mark.parametrize("name", STRANGERS)
def test_an_unrelated_advertiser_beside_a_pair_that_moves_passes(tmp_path: Path, name: str) -> None:
    passes(STRANGERS[name](moved(tmp_path)).judge("FO-22"))


def test_another_pair_that_uses_the_new_vhid_is_named(tmp_path: Path) -> None:
    verdict = a_carp_pair(moved(tmp_path), vhid=77).judge("FO-22")
    passes(verdict)
    assert verdict.text.count("another pair uses VHID 77") == 1


def neighbours(directory: Path, other_vhid: int = 95, lines: int = 0) -> Run:
    run = Run(directory, 70)
    run.beats("primary", 0, 70)
    for second in range(70):
        raw = encoder.carp("192.168.70.21", counter=second, vhid=other_vhid, password="x")
        run.frame(second + 0.4, "other/wire0", raw)
    vhids = [94, other_vhid]
    run.event(2, "neighbours.began", "scenario", vhids=vhids)
    run.event(65, "neighbours.ended", "scenario", vhids=vhids, bad_digest_lines=lines)
    return run


def test_two_pairs_with_their_own_vhids_pass(tmp_path: Path) -> None:
    passes(neighbours(tmp_path).judge("FO-23"))


def test_two_pairs_with_one_vhid_are_rejected(tmp_path: Path) -> None:
    verdict = neighbours(tmp_path, other_vhid=94, lines=63).judge("FO-23")
    rejects(verdict, '63 "Bad digest"', "moved between ports")


def test_a_virtual_mac_that_moves_is_rejected_without_a_line_in_any_log(tmp_path: Path) -> None:
    rejects(neighbours(tmp_path, other_vhid=94).judge("FO-23"), "moved between ports")


def test_a_role_that_moves_meanwhile_moves_the_virtual_mac(tmp_path: Path) -> None:
    run = neighbours(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] < 30 or frame[1] == "other/wire0"]
    run.beats("secondary", 31, 70)
    rejects(run.judge("FO-23"), "moved between ports 1 time(s)")


def test_a_strangers_virtual_mac_that_moves_is_none_of_the_two_pairs(tmp_path: Path) -> None:
    run = neighbours(tmp_path)
    for at, router in ((5, "a"), (20, "a"), (30, "b"), (50, "b")):
        raw = encoder.gratuitous("00:00:5e:00:01:33", OTHER)
        run.frame(at + 0.2, f"router-{router}/wire0", raw)
    passes(run.judge("FO-23"))


@pytest.mark.parametrize("port", ["other/wire0", "primary/wire0"])
def test_a_lone_pair_shows_nothing_about_neighbours(tmp_path: Path, port: str) -> None:
    run = neighbours(tmp_path)
    run.frames = [frame for frame in run.frames if frame[1] != port]
    unsure(run.judge("FO-23"), "not active all the time")


def test_a_vrrp_router_with_the_same_number_is_no_neighbour(tmp_path: Path) -> None:
    run = neighbours(tmp_path)
    run.frames = [frame for frame in run.frames if frame[1] != "other/wire0"]
    unsure(a_vrrp_router(run, vrid=95).judge("FO-23"), "not active all the time")


def test_a_neighbour_that_falls_silent_shows_nothing(tmp_path: Path) -> None:
    run = neighbours(tmp_path)
    run.frames = [frame for frame in run.frames if frame[1] != "other/wire0" or frame[0] < 30]
    unsure(run.judge("FO-23"), "the other pair, VHID 95, was not active all the time")


def test_neighbours_that_were_watched_for_less_than_a_minute_say_nothing(tmp_path: Path) -> None:
    run = neighbours(tmp_path).without("neighbours.ended")
    run.event(50, "neighbours.ended", "scenario", vhids=[94, 95], bad_digest_lines=0)
    unsure(run.judge("FO-23"), "60 s are needed")


def test_neighbours_that_nobody_watched_say_nothing(tmp_path: Path) -> None:
    unsure(neighbours(tmp_path).without("neighbours.began").judge("FO-23"), "no neighbours.began")


def test_a_third_pair_with_the_pairs_vhid_is_named_and_is_not_the_neighbour(tmp_path: Path) -> None:
    verdict = a_carp_pair(neighbours(tmp_path), vhid=94).judge("FO-23")
    passes(verdict)
    assert verdict.text.count("another pair uses VHID 94") == 1


@pytest.mark.parametrize("vhid", [94, 95])
def test_a_neighbour_whose_frames_the_wire_drops_disturbs_nobody_and_shows_nothing(
    tmp_path: Path, vhid: int
) -> None:
    run = neighbours(tmp_path, other_vhid=vhid)
    run.frames = [
        (at, port, raw, "dropped by rule 1" if port == "other/wire0" else note)
        for at, port, raw, note in run.frames
    ]
    unsure(run.judge("FO-23"), f"the other pair, VHID {vhid}, was not active all the time")


def test_a_second_holder_by_arp_after_the_move_is_rejected(tmp_path: Path) -> None:
    run = moved(tmp_path)
    for at in range(25, 35):
        run.asked(at, "primary", "secondary")
    rejects(run.judge("FO-22"), "secondary answers ARP for it while primary is the active node")


def test_a_neighbour_that_a_busy_host_silences_is_watched_again(tmp_path: Path) -> None:
    run = neighbours(tmp_path)
    run.frames = [one for one in run.frames if one[1] != "other/wire0" or not 30 < one[0] < 34]
    before = run.judge("FO-23")
    unsure(before, "was not active all the time")
    assert not before.late
    is_late(run, "FO-23", "scenario", 29.5, 34.3)


def test_a_master_that_a_busy_host_silences_after_the_move_says_nothing(tmp_path: Path) -> None:
    run = moved(tmp_path)
    run.frames = [frame for frame in run.frames if not 22 < frame[0] < 27]
    rejects(busy(run, "secondary", 22.1, 26.9).judge("FO-22"), "fell silent")
    is_late(run, "FO-22", "primary", 22.1, 26.9)


@pytest.mark.parametrize("back", [25.9, 40])
def test_a_role_that_moves_because_a_busy_host_keeps_the_master_says_nothing(
    tmp_path: Path, back: float
) -> None:
    run = moved(tmp_path)
    run.frames = [frame for frame in run.frames if not 22 < frame[0] < back]
    run.beats("secondary", 25.2, 26.3 if back < 40 else 40, vhid=77, counter=5000)
    rejects(run.judge("FO-22"), "2 masters after it")
    is_late(run, "FO-22", "primary", 21.5, 26)


def test_a_crash_after_the_move_moves_the_role_and_not_the_vhid(tmp_path: Path) -> None:
    passes(powered_off(moved(tmp_path), 30.2, vhid=77).judge("FO-22"))


def test_a_standby_whose_vhid_was_not_moved_is_seen_after_a_crash(tmp_path: Path) -> None:
    rejects(powered_off(moved(tmp_path), 30.2).judge("FO-22"), "VHIDs [77, 94] are seen")


def thawed(run: Run) -> Run:
    """Thaw the lab at 30 s: its pair has the default VHID once more."""
    run.frames = [frame for frame in run.frames if frame[0] < 30]
    run.event(30, "lab.thawed", "scenario", lab="lab", generation=2, clock={"behind_ns": 0})
    run.beats("primary", 30.5, 40)
    return run


def test_the_lab_that_is_thawed_after_the_move_is_that_of_before(tmp_path: Path) -> None:
    passes(thawed(moved(tmp_path)).judge("FO-22"))


def test_a_crash_right_after_the_move_leaves_too_little_of_it(tmp_path: Path) -> None:
    unsure(powered_off(moved(tmp_path), 18.2, vhid=77).judge("FO-22"), "less than 5 s")


def test_a_virtual_mac_that_a_busy_host_moves_is_late(tmp_path: Path) -> None:
    run = neighbours(tmp_path)
    run.frames = [one for one in run.frames if one[1] != "primary/wire0" or not 29 < one[0] < 34.4]
    run.beats("secondary", 32.5, 36, counter=5000)
    rejects(run.judge("FO-23"), "moved between ports")
    is_late(run, "FO-23", "primary", 29.5, 34.3)


def test_a_virtual_mac_that_moves_once_more_than_a_busy_host_explains_is_rejected(
    tmp_path: Path,
) -> None:
    run = neighbours(tmp_path)
    run.frames = [one for one in run.frames if one[1] != "primary/wire0" or not 29 < one[0] < 34.4]
    run.beats("secondary", 32.5, 36, counter=5000)
    run.beats("secondary", 50.5, 51)
    rejects(busy(run, "primary", 29.5, 34.3).judge("FO-23"), "moved between ports")


def test_a_crash_that_moves_the_role_is_no_matter_of_neighbours(tmp_path: Path) -> None:
    run = neighbours(tmp_path)
    others = [frame for frame in run.frames if frame[1] == "other/wire0"]
    powered_off(run, 30.2).frames += [frame for frame in others if frame[0] > 30.2]
    unsure(run.judge("FO-23"), "watched for 28 s")
    run.beats("secondary", 10.5, 11)
    rejects(run.judge("FO-23"), "moved between ports")


@pytest.mark.parametrize("lines", [1, 63])
def test_digests_refused_beside_a_third_pair_with_the_pairs_vhid_say_nothing(
    tmp_path: Path, lines: int
) -> None:
    verdict = a_carp_pair(neighbours(tmp_path, lines=lines), vhid=94).judge("FO-23")
    unsure(verdict, f'{lines} "Bad digest" line(s)', "a third pair uses VHID 94")


def test_a_third_pair_refuses_digests_only_while_it_is_there(tmp_path: Path) -> None:
    run = a_carp_pair(neighbours(tmp_path, lines=63), vhid=94)
    whole = run.frames
    run.frames = [one for one in whole if one[1] != PORT or 20 < one[0] < 40]
    unsure(run.judge("FO-23"), "a third pair uses VHID 94")
    run.frames = [one for one in whole if one[1] != PORT or not 2 <= one[0] < 65]
    rejects(run.judge("FO-23"), '63 "Bad digest" line(s)')


@pytest.mark.parametrize("third", [None, 95, 96])
def test_digests_refused_without_a_third_pair_of_the_pairs_vhid_are_rejected(
    tmp_path: Path, third: int | None
) -> None:
    run = neighbours(tmp_path, lines=63)
    if third is not None:
        a_carp_pair(run, vhid=third)
    rejects(run.judge("FO-23"), '63 "Bad digest" line(s)')


def test_a_standby_that_has_the_new_vhid_long_before_the_move_is_rejected(tmp_path: Path) -> None:
    run = moved(tmp_path)
    run.beats("secondary", 0.5, 12, vhid=77)
    why = "VHID 77 is seen 8.5 s before the last advertisement with 94"
    rejects(run.judge("FO-22"), why)
    rejects(thawed(run).judge("FO-22"), why)


def test_a_move_and_another_one_in_a_thawed_lab_passes(tmp_path: Path) -> None:
    run = thawed(moved(tmp_path))
    run.seconds = 80
    run.beats("primary", 40.5, 50)
    run.beats("primary", 53, 80, vhid=77)
    run.event(55, "vhid.moved", "scenario", vhid=77)
    passes(run.judge("FO-22"))


def test_a_third_pair_with_the_neighbours_vhid_moves_its_virtual_mac_and_says_nothing(
    tmp_path: Path,
) -> None:
    run = a_carp_pair(neighbours(tmp_path), vhid=95)
    unsure(run.judge("FO-23"), "VHID 95 came in at several ports by turns")
    run.frame(30.2, "primary/wire0", encoder.gratuitous("00:00:5e:00:00:5f"))
    rejects(run.judge("FO-23"), "moved between ports 2 time(s)")


def test_a_neighbour_whose_role_moves_once_is_no_third_pair(tmp_path: Path) -> None:
    run = neighbours(tmp_path)
    run.frames = [
        (at, "other-2/wire0" if port == "other/wire0" and at > 30 else port, raw, note)
        for at, port, raw, note in run.frames
    ]
    rejects(run.judge("FO-23"), "moved between ports 1 time(s)")


def restarted_one_after_the_other(directory: Path) -> Run:
    """Restart the active primary, and, once the secondary has taken over, the secondary."""
    run = Run(directory, 40, vhid=77)
    run.beats("primary", 0, 5)
    run.beats("secondary", 8.2, 14, counter=5000)
    run.beats("primary", 9, 40, vhid=77, counter=6000)
    run.event(15, "vhid.moved", "scenario", vhid=77)
    return run


def test_nodes_that_are_restarted_one_after_the_other_pass(tmp_path: Path) -> None:
    passes(restarted_one_after_the_other(tmp_path).judge("FO-22"))


def test_a_node_that_keeps_the_default_vhid_beside_the_new_one_is_rejected(
    tmp_path: Path,
) -> None:
    run = restarted_one_after_the_other(tmp_path)
    run.beats("primary", 5.5, 14.5, counter=8000)
    rejects(run.judge("FO-22"), "VHID 77 is seen 4.5 s before the last advertisement with 94")
