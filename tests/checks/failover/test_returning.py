"""FO-28 to 30: what a returning, a rebooting and a restarted node may do, and what is rejected."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.failover.recording import (
    ADDRESS,
    Run,
    passes,
    rejects,
    takeover,
    unsure,
)


def returned(directory: Path) -> Run:
    run = takeover(directory)
    run.seconds = 120
    run.beats("secondary", 40.2, 120, counter=2000)
    run.event(45, "node.returned", "scenario", node="primary")
    run.event(90, "addresses", "primary", held=[ADDRESS["primary"]])
    return run


def test_a_node_that_returns_and_stays_standby_passes(tmp_path: Path) -> None:
    passes(returned(tmp_path).judge("FO-28"))


def test_a_returning_node_that_preempts_is_rejected(tmp_path: Path) -> None:
    run = returned(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] < 50]
    run.beats("primary", 50.5, 120, counter=9000)
    verdict = run.judge("FO-28")
    rejects(verdict, "advertisement(s) on its return", "a change of role that nothing explains")


def test_a_node_that_advertises_while_it_boots_is_rejected(tmp_path: Path) -> None:
    run = returned(tmp_path)
    run.beats("primary", 41.5, 44, counter=9000)
    rejects(run.judge("FO-28"), "3 advertisement(s) on its return")


def test_a_return_of_which_no_address_was_read_says_nothing(tmp_path: Path) -> None:
    unsure(returned(tmp_path).without("addresses").judge("FO-28"), "were not read")


def test_a_return_watched_for_too_short_a_time_says_nothing(tmp_path: Path) -> None:
    run = returned(tmp_path)
    run.seconds = 80
    unsure(run.judge("FO-28"), "not 60")


def test_a_paused_node_that_takes_the_role_back_is_rejected(tmp_path: Path) -> None:
    run = takeover(tmp_path, fault="pause")
    run.frames = [frame for frame in run.frames if frame[0] < 25]
    run.beats("primary", 25.3, 40, counter=9000)
    run.changed("fault.begin", fault="pause")
    rejects(run.judge("FO-24"), "a change of role that nothing explains")


def loop(directory: Path, cycles: int = 8) -> Run:
    run = Run(directory, 100)
    run.beats("secondary", 0.2, 100)
    run.event(5, "reboot.loop.begin", "scenario", node="primary")
    run.event(95, "reboot.loop.end", "scenario", node="primary", cycles=cycles)
    return run


def test_a_reboot_loop_that_moves_nothing_passes(tmp_path: Path) -> None:
    passes(loop(tmp_path).judge("FO-29"))


def test_a_reboot_loop_that_moves_the_role_is_rejected(tmp_path: Path) -> None:
    run = loop(tmp_path)
    run.beats("primary", 40.7, 42)
    rejects(run.judge("FO-29"), "4 change(s) of role")


def test_a_heartbeat_that_pauses_in_a_reboot_loop_is_rejected(tmp_path: Path) -> None:
    run = loop(tmp_path).mapped(lambda at, _, raw: [] if at == 50.2 else [(at, raw)])
    rejects(run.judge("FO-29"), "silent for 2.000 s")


def test_fewer_than_eight_cycles_say_nothing(tmp_path: Path) -> None:
    unsure(loop(tmp_path, cycles=3).judge("FO-29"), "8 are needed")


def failback(directory: Path, silence: float = 3.2) -> Run:
    run = Run(directory, 40)
    counter = run.beats("secondary", 0, 10.2)
    run.event(10.3, "fault.begin", "scenario", fault="service-restart", node="secondary")
    run.beats("primary", 10 + silence, 40, counter=counter)
    return run


def test_restarting_the_active_secondary_moves_the_role_back(tmp_path: Path) -> None:
    passes(failback(tmp_path).judge("FO-30"))


def test_with_the_primary_stopped_the_role_does_not_move(tmp_path: Path) -> None:
    run = failback(tmp_path)
    run.frames.clear()
    run.beats("secondary", 0, 10.2)
    run.beats("secondary", 14.3, 20)
    rejects(run.judge("FO-30"), "never came")


@pytest.mark.parametrize("again", [12.4, 14.9])
def test_a_secondary_that_becomes_active_again_is_no_failback(tmp_path: Path, again: float) -> None:
    run = failback(tmp_path)
    run.frames.clear()
    run.beats("secondary", 0, 10.2)
    run.beats("secondary", again, 40, counter=5000)
    rejects(run.judge("FO-30"), "never came")


def test_a_restart_that_takes_effect_too_late_is_rejected(tmp_path: Path) -> None:
    run = failback(tmp_path)
    run.frames.clear()
    counter = run.beats("secondary", 0, 20.2)
    run.beats("primary", 23.2, 40, counter=counter)
    rejects(run.judge("FO-30"), "took 12.900 s")


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
    rejects(run.judge("FO-30"), "primary fell silent after the role had moved to it")


def test_a_failback_that_was_not_watched_says_nothing(tmp_path: Path) -> None:
    run = failback(tmp_path)
    run.event(14.5, "fault.over", "scenario", node="secondary")
    unsure(run.judge("FO-30"), "watched for 1.3 s")


def test_a_restart_of_the_primary_is_no_failback(tmp_path: Path) -> None:
    run = failback(tmp_path).changed("fault.begin", node="primary")
    unsure(run.judge("FO-30"), "no restart of the active secondary was recorded")
