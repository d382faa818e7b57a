"""FO-28 to 30: what a returning, a rebooting and a restarted node may do, and what is rejected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.checks.failover.crashes import busy, is_late
from tests.checks.failover.recording import (
    ADDRESS,
    NS,
    UCARP,
    VIRTUAL_IP,
    Run,
    node,
    passes,
    rejects,
    stamp,
    takeover,
    unsure,
)

UNEXPLAINED = "nothing that was done explains it"


def returned(directory: Path) -> Run:
    run = takeover(directory)
    run.seconds = 120
    run.beats("secondary", 40.2, 120, counter=2000)
    run.event(45, "node.returned", "scenario", node="primary")
    for at in (45.1, 90):
        run.event(at, "addresses.held", "primary", held=[ADDRESS["primary"]])
    return run


def test_a_node_that_returns_and_stays_standby_passes(tmp_path: Path) -> None:
    passes(returned(tmp_path).judge("FO-28"))


def test_a_returning_node_that_preempts_is_rejected(tmp_path: Path) -> None:
    run = returned(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] < 50]
    run.beats("primary", 50.5, 120, counter=9000)
    verdict = run.judge("FO-28")
    rejects(verdict, "advertisement(s) on its return", UNEXPLAINED)


def test_a_node_that_advertises_while_it_boots_is_rejected(tmp_path: Path) -> None:
    run = returned(tmp_path)
    run.beats("primary", 41.5, 44, counter=9000)
    rejects(run.judge("FO-28"), "3 advertisement(s) on its return")


def test_a_return_of_which_no_address_was_read_says_nothing(tmp_path: Path) -> None:
    unsure(returned(tmp_path).without("addresses.held").judge("FO-28"), "were not read")


def test_a_return_whose_addresses_were_read_too_soon_says_nothing(tmp_path: Path) -> None:
    run = returned(tmp_path)
    run.events = [one for one in run.events if one[0] != 90]
    unsure(run.judge("FO-28"), "were not read after it could have taken the role")


def test_a_return_without_a_takeover_before_it_says_nothing(tmp_path: Path) -> None:
    run = returned(tmp_path).without("fault.injected")
    run.frames.clear()
    run.beats("secondary", 0, 120)
    unsure(run.judge("FO-28"), "no fault was recorded that calls for a takeover")


def test_a_return_while_nobody_is_active_says_nothing(tmp_path: Path) -> None:
    run = returned(tmp_path)
    run.frames = [frame for frame in run.frames if not 60 < frame[0] < 80]
    unsure(run.judge("FO-28"), "nobody was active for")


def test_the_returned_node_holds_the_virtual_ip_at_last(tmp_path: Path) -> None:
    run = returned(tmp_path)
    run.event(100, "addresses.held", "primary", held=[ADDRESS["primary"], VIRTUAL_IP])
    rejects(run.judge("FO-28"), "primary holds the virtual IP 192.168.70.222 after its return")


def test_the_returned_node_answers_arp_for_the_virtual_ip(tmp_path: Path) -> None:
    run = returned(tmp_path)
    for at in range(46, 110):
        run.asked(at, "primary", "secondary")
    rejects(run.judge("FO-28"), "claimed the virtual IP by ARP 64 time(s)", "primary answers ARP")


def test_the_returned_node_answers_arp_once_right_after_its_return(tmp_path: Path) -> None:
    run = returned(tmp_path)
    run.asked(45.5, "primary")
    rejects(run.judge("FO-28"), "primary claimed the virtual IP by ARP 1 time(s)")


def other_virtual_ip(run: Run, *held: str) -> Run:
    run.changed("pair.configured", virtual_ip="192.168.70.223")
    return run.changed("addresses.held", held=[ADDRESS["primary"], *held])


def test_another_virtual_ip_is_configured_than_the_one_in_force(tmp_path: Path) -> None:
    run = other_virtual_ip(returned(tmp_path))
    assert run.judge("FO-28").status != "PASS"


def test_an_empty_reading_of_addresses_is_refused(tmp_path: Path) -> None:
    run = returned(tmp_path).changed("addresses.held", held=[])
    with pytest.raises(ValidationError, match="held"):
        run.judge("FO-28")


def test_a_return_watched_for_too_short_a_time_says_nothing(tmp_path: Path) -> None:
    run = returned(tmp_path)
    run.seconds = 80
    unsure(run.judge("FO-28"), "not 60")


def test_a_paused_node_that_takes_the_role_back_is_rejected(tmp_path: Path) -> None:
    run = takeover(tmp_path, fault="pause")
    run.frames = [frame for frame in run.frames if frame[0] < 25]
    run.beats("primary", 25.3, 40, counter=9000)
    run.changed("fault.injected", fault="pause")
    rejects(run.judge("FO-24"), UNEXPLAINED)


def loop(directory: Path, cycles: int = 8) -> Run:
    run = Run(directory, 100)
    run.beats("secondary", 0.2, 100)
    run.event(5, "reboot.loop.began", "scenario", node="primary")
    for cycle in range(8):
        up = 12 + 10 * cycle
        run.event(up, "node.returned", "scenario", node="primary")
        run.event(up + 6, "addresses.held", "primary", held=[ADDRESS["primary"]])
    run.event(95, "reboot.loop.ended", "scenario", node="primary", cycles=cycles)
    return run


def test_a_reboot_loop_that_moves_nothing_passes(tmp_path: Path) -> None:
    passes(loop(tmp_path).judge("FO-29"))


def test_a_reboot_loop_that_moves_the_role_is_rejected(tmp_path: Path) -> None:
    run = loop(tmp_path)
    run.beats("primary", 40.7, 42)
    rejects(run.judge("FO-29"), "primary sent 2 advertisement(s)")


def test_a_heartbeat_that_a_busy_host_delays_in_a_reboot_loop_says_nothing(tmp_path: Path) -> None:
    run = loop(tmp_path).mapped(lambda at, _, raw: [] if at == 50.2 else [(at, raw)])
    late = {"of": "secondary", "from_ns": stamp(50.3), "kept_ns": int(0.7 * NS)}
    run.event(51.1, "host.late", "host", **late)
    unsure(run.judge("FO-29"), "silent for 2.000 s", "was kept from running")


def test_a_reboot_loop_with_no_active_node_says_nothing(tmp_path: Path) -> None:
    run = loop(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] < 5]
    unsure(run.judge("FO-29"), "it sent no advertisement")


def test_a_heartbeat_that_pauses_in_a_reboot_loop_is_rejected(tmp_path: Path) -> None:
    run = loop(tmp_path).mapped(lambda at, _, raw: [] if at == 50.2 else [(at, raw)])
    rejects(run.judge("FO-29"), "silent for 2.000 s")


def test_fewer_than_eight_cycles_say_nothing(tmp_path: Path) -> None:
    unsure(loop(tmp_path, cycles=3).judge("FO-29"), "8 are needed")


NOT_UP = "was not seen to be up 5.0 s after its return"


def test_a_node_that_is_reset_before_it_could_take_the_role_shows_nothing(tmp_path: Path) -> None:
    run = loop(tmp_path)
    run.events = [(at - 3 if at == 48 else at, *rest) for at, *rest in run.events]
    unsure(run.judge("FO-29"), f"primary {NOT_UP}")


def test_a_node_whose_last_cycle_ends_before_it_could_take_the_role_shows_nothing(
    tmp_path: Path,
) -> None:
    run = loop(tmp_path).without("reboot.loop.ended")
    run.event(86, "reboot.loop.ended", "scenario", node="primary", cycles=8)
    unsure(run.judge("FO-29"), f"primary {NOT_UP}, in cycle 8")


def test_a_reading_after_the_next_return_shows_nothing_about_the_one_before(tmp_path: Path) -> None:
    run = loop(tmp_path)
    run.events = [one for one in run.events if one[0] != 48]
    unsure(run.judge("FO-29"), f"primary {NOT_UP}")


def test_a_reboot_loop_of_which_no_return_was_recorded_shows_nothing(tmp_path: Path) -> None:
    unsure(loop(tmp_path).without("node.returned").judge("FO-29"), "0 returns of primary")


def test_what_the_other_node_does_in_a_reboot_loop_is_no_return(tmp_path: Path) -> None:
    run = loop(tmp_path).changed("node.returned", node="secondary")
    unsure(run.judge("FO-29"), "0 returns of primary")


def test_a_node_that_holds_the_virtual_ip_in_its_reboot_loop_is_rejected(tmp_path: Path) -> None:
    run = loop(tmp_path)
    run.event(49, "addresses.held", "primary", held=[ADDRESS["primary"], VIRTUAL_IP])
    rejects(run.judge("FO-29"), "primary has it among its addresses while secondary is the active")


def failback(directory: Path, silence: float = 3.2) -> Run:
    run = Run(directory, 40)
    counter = run.beats("secondary", 0, 10.2)
    run.event(10.3, "fault.injected", "scenario", fault="service-restart", node="secondary")
    run.beats("primary", 10 + silence, 40, counter=counter)
    return run


def test_restarting_the_active_secondary_moves_the_role_back(tmp_path: Path) -> None:
    passes(failback(tmp_path).judge("FO-30"))


def test_with_the_primary_stopped_the_role_does_not_move(tmp_path: Path) -> None:
    run = failback(tmp_path)
    run.frames.clear()
    run.beats("secondary", 0, 10.2)
    run.beats("secondary", 14.3, 20)
    rejects(run.judge("FO-30"), "primary did not take over in")


@pytest.mark.parametrize("again", [12.4, 14.9])
def test_a_secondary_that_becomes_active_again_is_no_failback(tmp_path: Path, again: float) -> None:
    run = failback(tmp_path)
    run.frames.clear()
    run.beats("secondary", 0, 10.2)
    run.beats("secondary", again, 40, counter=5000)
    rejects(run.judge("FO-30"), "primary did not take over in")


def test_a_restart_that_takes_effect_too_late_is_rejected(tmp_path: Path) -> None:
    run = failback(tmp_path)
    run.frames.clear()
    counter = run.beats("secondary", 0, 20.2)
    run.beats("primary", 23.2, 40, counter=counter)
    rejects(run.judge("FO-30"), "it advertised on for 9.7 s, limit 5 s")


def test_deadratio_1_is_sooner_than_configured(tmp_path: Path) -> None:
    rejects(failback(tmp_path, silence=1.3).judge("FO-30"), "sooner than configured")


def test_a_restarted_node_that_advertises_on_is_rejected(tmp_path: Path) -> None:
    run = failback(tmp_path)
    run.beats("secondary", 14.1, 20, counter=5000)
    rejects(run.judge("FO-30"), "secondary advertised for 5.0 s after the role had moved")


def test_a_restarted_node_that_gives_way_at_once_took_nothing_back(tmp_path: Path) -> None:
    """Its own timer ran out before it had heard the new master: recorded so on real machines."""
    run = failback(tmp_path, silence=3.92)
    run.beats("secondary", 15.03, 16.9, counter=5000)
    passes(run.judge("FO-30"))


def test_a_restarted_node_that_comes_and_goes_is_rejected(tmp_path: Path) -> None:
    run = failback(tmp_path)
    for at in (15, 25, 35):
        run.beats("secondary", at, at + 1, counter=int(5000 + at))
    rejects(run.judge("FO-30"), "secondary advertised for 20.0 s after the role had moved")


def test_a_restarted_node_that_takes_the_role_back_is_rejected(tmp_path: Path) -> None:
    run = failback(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] < 15]
    run.beats("secondary", 15.03, 17, counter=5000)
    rejects(run.judge("FO-30"), "primary was silent for 25.800 s")


def test_a_failback_that_was_not_watched_says_nothing(tmp_path: Path) -> None:
    run = failback(tmp_path)
    run.event(14.5, "fault.watched", "scenario", node="secondary")
    unsure(run.judge("FO-30"), "primary was watched for 1.3 s")


def test_a_restart_of_the_primary_is_no_failback(tmp_path: Path) -> None:
    run = failback(tmp_path).changed("fault.injected", node="primary")
    unsure(run.judge("FO-30"), "0 fail-backs by a restart of the active secondary")


def test_fewer_failbacks_than_were_planned_say_nothing(tmp_path: Path) -> None:
    run = failback(tmp_path)
    run.event(1, "failbacks.planned", "scenario", times=10)
    unsure(run.judge("FO-30"), "1 fail-backs", "10 are needed")


def test_a_restart_command_that_takes_its_time_passes_and_the_whole_is_told(
    tmp_path: Path,
) -> None:
    """On an emulated guest it takes up to 2.5 s, and ucarp advertises until it has ended."""
    run = failback(tmp_path)
    run.frames.clear()
    counter = run.beats("secondary", 0, 13.2)
    run.beats("primary", 16.3, 40, counter=counter)
    verdict = run.judge("FO-30")
    passes(verdict)
    assert "fault to the peer's first advertisement: n=1 min=6.000" in verdict.text


def test_a_primary_slower_than_the_guides_few_seconds_is_rejected(tmp_path: Path) -> None:
    nodes = {name: node(name, **{**UCARP, "deadratio": 6}) for name in ADDRESS}
    run = failback(tmp_path, silence=6.2).changed("pair.configured", nodes=nodes)
    rejects(run.judge("FO-30"), "took 6.200 s", "the guide's few seconds")


def test_a_primary_that_a_busy_host_kept_from_running_says_nothing(tmp_path: Path) -> None:
    run = failback(tmp_path, silence=6.2)
    late = {"of": "primary", "from_ns": stamp(13.2), "kept_ns": int(2.8 * NS)}
    run.event(16.2, "host.late", "host", **late)
    unsure(run.judge("FO-30"), "was kept from running")


def test_a_failed_failback_among_others_is_rejected(tmp_path: Path) -> None:
    run = failback(tmp_path)
    run.event(1, "failbacks.planned", "scenario", times=2)
    run.seconds = 120
    run.event(39, "fault.watched", "scenario", node="secondary")
    run.event(45, "handover.began", "scenario", node="primary")
    run.beats("secondary", 48, 60.2, counter=4000)
    run.event(55, "handover.ended", "scenario", node="primary")
    run.event(60.3, "fault.injected", "scenario", fault="service-restart", node="secondary")
    run.beats("secondary", 64, 120, counter=6000)
    rejects(run.judge("FO-30"), "primary did not take over in")


def handed_back(run: Run) -> Run:
    run.event(107.5, "handover.began", "scenario", node="secondary")
    run.beats("primary", 111.2, 120, counter=3000)
    run.event(118, "handover.ended", "scenario", node="secondary")
    return run


def thawed(run: Run) -> Run:
    lab = {"lab": "lab", "generation": 2, "clock": {"behind_ns": 0}}
    run.event(108, "lab.thawed", "scenario", **lab)
    run.beats("primary", 108.5, 120, counter=1000)
    return run


@pytest.mark.parametrize("after", [handed_back, thawed])
def test_a_role_that_is_moved_back_by_hand_after_the_60_s_passes(
    tmp_path: Path, after: Callable[[Run], Run]
) -> None:
    run = returned(tmp_path)
    run.frames = [one for one in run.frames if one[0] < 108]
    passes(after(run).judge("FO-28"))


def test_a_return_that_was_not_watched_before_a_handover_says_nothing(tmp_path: Path) -> None:
    run = returned(tmp_path)
    run.event(95, "handover.began", "scenario", node="secondary")
    run.event(96, "handover.ended", "scenario", node="secondary")
    unsure(run.judge("FO-28"), "watched for 50 s after its return, not 60")


@pytest.mark.parametrize(("requirement", "build"), [("FO-29", loop), ("FO-30", failback)])
def test_what_the_wire_drops_keeps_no_role(
    tmp_path: Path, requirement: str, build: Callable[[Path], Run]
) -> None:
    run = build(tmp_path)
    run.frames = [
        (at, port, raw, "dropped by rule 1" if 20 < at < 24 else note)
        for at, port, raw, note in run.frames
    ]
    rejects(run.judge(requirement), "was silent for 5.000 s")


def test_a_restarted_node_that_a_busy_host_keeps_from_yielding_says_nothing(
    tmp_path: Path,
) -> None:
    run = failback(tmp_path)
    run.beats("secondary", 14.1, 20, counter=5000)
    verdict = busy(run, "secondary", 14.1, 17).judge("FO-30")
    unsure(verdict, "secondary advertised for 5.0 s after", "`secondary` was kept from running")


def test_a_role_that_goes_back_by_itself_after_the_watch_is_rejected(tmp_path: Path) -> None:
    run = failback(tmp_path)
    run.event(25, "fault.watched", "scenario", node="secondary")
    run.frames = [frame for frame in run.frames if frame[0] < 27]
    run.beats("secondary", 30.2, 40, counter=5000)
    rejects(run.judge("FO-30"), UNEXPLAINED)


def test_a_failback_that_a_busy_host_delays_until_the_restarted_node_is_back_says_nothing(
    tmp_path: Path,
) -> None:
    run = failback(tmp_path)
    run.frames.clear()
    run.beats("secondary", 0, 10.2)
    run.beats("secondary", 15.3, 40, counter=5000)
    rejects(busy(run, "primary", 20, 25).judge("FO-30"), "primary did not take over in")
    is_late(run, "FO-30", "primary", 13.0, 15.3)


def to_a_returned_node(directory: Path) -> Run:
    """Let the returned node take the role, which has the lower address, and so keeps it."""
    run = returned(directory)
    run.frames = [frame for frame in run.frames if frame[0] < 60.5]
    run.beats("primary", 63.9, 120, counter=5000)
    run.announce("primary", 63.9)
    run.beats("secondary", 64.7, 65.2, counter=6000)
    run.events = [one for one in run.events if one[0] != 90]
    run.event(90, "addresses.held", "primary", held=[ADDRESS["primary"], VIRTUAL_IP])
    return run


def in_a_reboot_loop(directory: Path) -> Run:
    run = loop(directory)
    run.frames = [frame for frame in run.frames if frame[0] < 50.5]
    run.beats("primary", 53.9, 100, counter=5000)
    run.beats("secondary", 54.7, 55.2, counter=6000)
    return run


@pytest.mark.parametrize(
    ("requirement", "build", "start"),
    [("FO-28", to_a_returned_node, 60), ("FO-29", in_a_reboot_loop, 50)],
)
def test_a_role_that_moves_because_a_busy_host_keeps_its_holder_says_nothing(
    tmp_path: Path, requirement: str, build: Callable[[Path], Run], start: float
) -> None:
    run = build(tmp_path)
    rejects(run.judge(requirement), UNEXPLAINED)
    rejects(busy(run, "secondary", start + 0.5, start + 1.5).judge(requirement), UNEXPLAINED)
    is_late(run, requirement, "secondary", start + 0.5, start + 4.6)


def test_what_a_returned_node_does_before_a_busy_host_moves_the_role_is_rejected(
    tmp_path: Path,
) -> None:
    run = to_a_returned_node(tmp_path)
    run.asked(50, "primary", "secondary")
    verdict = busy(run, "secondary", 60.5, 64.6).judge("FO-28")
    rejects(verdict, "primary claimed the virtual IP by ARP 1 time(s)")


def test_a_return_while_a_busy_host_silences_the_active_node_says_nothing(tmp_path: Path) -> None:
    run = returned(tmp_path)
    run.frames = [frame for frame in run.frames if not 60 < frame[0] < 66]
    unsure(run.judge("FO-28"), "nobody was active for")
    is_late(run, "FO-28", "secondary", 60, 66)


def test_a_failback_that_is_lost_because_a_busy_host_keeps_the_primary_says_nothing(
    tmp_path: Path,
) -> None:
    run = failback(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] < 25]
    run.beats("secondary", 27.9, 40, counter=5000)
    rejects(run.judge("FO-30"), "secondary advertised for 12.0 s after the role had moved")
    is_late(run, "FO-30", "primary", 24.5, 28)


def test_a_restarted_node_that_gives_way_at_once_passes_on_a_busy_host_too(tmp_path: Path) -> None:
    run = failback(tmp_path, silence=3.92)
    run.beats("secondary", 15.03, 16.9, counter=5000)
    passes(busy(run, "secondary", 13.9, 15.0).judge("FO-30"))
