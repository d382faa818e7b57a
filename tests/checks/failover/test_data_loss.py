"""FO-46: what outlives a crash, and what a history must hold for that to be said."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.failover.crashes import busy, crashed, never_left, unheard
from tests.checks.failover.recording import Run, passes, rejects, unsure

PERIOD_S = 20
WRITTEN = range(1, 45)  # one each 2 s


def values(serials: range) -> dict[int, str]:
    return {serial: f"value {serial}" for serial in serials}


def written(directory: Path, syncs: tuple[float, ...] = (4, 30, 56, 82)) -> Run:
    """Write from 6 s to 92 s, lose the node at 93 s; what the last sync held is there."""
    run = crashed(directory, at=93, seconds=120)
    for serial, value in values(WRITTEN).items():
        run.event(4 + 2 * serial, "write.acknowledged", "primary", serial=serial, value=value)
    held = 0
    for at in syncs:
        held = max((one for one in WRITTEN if 4 + 2 * one <= at - 6), default=0)
        run.event(at, "sync.completed", "primary", 0.5, serial=held, period_s=PERIOD_S)
    for item in ("licence", "session secret"):
        run.event(100, "running.compared", "secondary", item=item, staged="a", running="a")
    run.event(100, "writes.found", "secondary", values=values(range(1, held + 1)))
    return run


def seen_on(run: Run, node: str, *kinds: str) -> Run:
    run.events = [
        (at, kind, node if kind in kinds else source, *rest)
        for at, kind, source, *rest in run.events
    ]
    return run


def test_what_was_synced_and_is_there_passes_with_the_window_counted(tmp_path: Path) -> None:
    verdict = written(tmp_path).judge("FO-46")
    passes(verdict)
    assert "8 of 8 write(s)" in verdict.text
    assert "10.0 s" in verdict.text
    assert "licence" in verdict.text


def test_a_write_of_the_last_sync_that_is_not_there_is_rejected(tmp_path: Path) -> None:
    run = written(tmp_path).changed("writes.found", values=values(range(2, 37)))
    rejects(run.judge("FO-46"), "1 write(s) lost", "[1]")


def test_nothing_that_was_found_is_everything_lost(tmp_path: Path) -> None:
    rejects(written(tmp_path).changed("writes.found", values={}).judge("FO-46"), "36 write(s) lost")


def test_without_a_takeover_nothing_is_said(tmp_path: Path) -> None:
    unsure(never_left(written(tmp_path)).judge("FO-46"), "no fault was recorded")


def test_a_crash_after_which_nobody_took_over_is_rejected(tmp_path: Path) -> None:
    rejects(unheard(written(tmp_path)).judge("FO-46"), "secondary did not take over")


def test_survivors_that_were_counted_before_the_crash_say_nothing(tmp_path: Path) -> None:
    run = written(tmp_path)
    run.events = [(90, *event[1:]) if event[0] == 100 else event for event in run.events]
    unsure(run.judge("FO-46"), "synced write(s) are on secondary")


def test_one_sync_and_no_other_is_rejected(tmp_path: Path) -> None:
    rejects(written(tmp_path, (4,)).judge("FO-46"), "no sync for 88 s", "period is 20 s")
    rejects(written(tmp_path, (30,)).judge("FO-46"), "no sync for 62 s", "period is 20 s")


def test_a_single_sync_in_a_short_while_says_nothing(tmp_path: Path) -> None:
    run = written(tmp_path, (30,))
    run.events = [event for event in run.events if event[0] < 50 or event[0] > 92]
    unsure(run.judge("FO-46"), "1 completed syncs")


def test_syncs_three_times_as_rare_as_configured_are_rejected(tmp_path: Path) -> None:
    # No more than twice the gap before it: what was seen is no measure of what was configured.
    rejects(written(tmp_path, (4, 30, 90)).judge("FO-46"), "no sync for 59 s")


def test_a_sync_that_takes_its_time_on_a_slow_machine_passes(tmp_path: Path) -> None:
    passes(written(tmp_path, (4, 38, 72)).judge("FO-46"))
    passes(written(tmp_path, (4, 39.5, 75)).judge("FO-46"))
    rejects(written(tmp_path, (4, 40.5, 76)).judge("FO-46"), "no sync for 36 s")


@pytest.mark.parametrize("kind", ["write.acknowledged", "sync.completed", "writes.found"])
def test_what_was_not_recorded_is_unknown(tmp_path: Path, kind: str) -> None:
    run = written(tmp_path).without(kind)
    if kind == "write.acknowledged":
        run.changed("writes.found", values={})
    unsure(run.judge("FO-46"))


def test_no_write_since_the_last_sync_leaves_no_window_to_measure(tmp_path: Path) -> None:
    run = written(tmp_path)
    run.events = [
        event for event in run.events if event[1] != "write.acknowledged" or event[0] < 77
    ]
    unsure(run.judge("FO-46"), "writes after the last sync")


def test_no_write_before_the_last_sync_leaves_nothing_to_survive(tmp_path: Path) -> None:
    run = written(tmp_path).changed("sync.completed", serial=0).changed("writes.found", values={})
    run.events = [
        event for event in run.events if event[1] != "write.acknowledged" or event[0] > 83
    ]
    unsure(run.judge("FO-46"), "writes before the last sync")


def test_what_the_old_node_does_after_its_crash_is_not_counted(tmp_path: Path) -> None:
    run = written(tmp_path)
    late = {"serial": 45, "value": "value 45"}
    run.event(110, "write.acknowledged", "primary", **late)
    run.event(111, "sync.completed", "primary", serial=45, period_s=PERIOD_S)
    verdict = run.judge("FO-46")
    passes(verdict)
    assert "8 of 8 write(s)" in verdict.text


@pytest.mark.parametrize("item", ["licence", "session secret"])
def test_a_licence_or_session_secret_that_is_not_the_staged_one_is_rejected(
    tmp_path: Path, item: str
) -> None:
    run = written(tmp_path)
    for event in run.events:
        if event[3].get("item") == item:
            event[3]["running"] = "b"
    rejects(run.judge("FO-46"), f"{item}: what runs on secondary is not what was staged")


@pytest.mark.parametrize("change", [{"staged": "absent", "running": "absent"}, {"item": "users"}])
def test_a_licence_that_was_not_there_shows_nothing(tmp_path: Path, change: dict[str, str]) -> None:
    unsure(written(tmp_path).changed("running.compared", **change).judge("FO-46"), "licence")


def test_a_sync_that_the_host_kept_from_running_may_be_as_late_as_that(tmp_path: Path) -> None:
    run = written(tmp_path, (4, 44, 78))
    unsure(busy(run, "secondary", 38, 43).judge("FO-46"), "no sync for 39 s", "kept from running")
    run.without("host.late")
    rejects(busy(run, "secondary", 6, 16).judge("FO-46"), "no sync for 39 s")


def test_a_writer_that_goes_on_at_the_node_that_took_over_passes(tmp_path: Path) -> None:
    run = written(tmp_path)
    run.event(98, "write.acknowledged", "secondary", serial=45, value="value 45")
    run.changed("writes.found", values={**values(range(1, 37)), 45: "value 45"})
    passes(run.judge("FO-46"))


def test_a_write_that_no_sync_held_may_be_made_again_and_is_lost_all_the_same(
    tmp_path: Path,
) -> None:
    run = written(tmp_path)
    run.event(98, "write.acknowledged", "secondary", serial=40, value="made again")
    run.changed("writes.found", values={**values(range(1, 37)), 40: "made again"})
    verdict = run.judge("FO-46")
    passes(verdict)
    assert "8 of 8 write(s)" in verdict.text


def test_a_synced_write_that_was_lost_and_made_again_is_rejected(tmp_path: Path) -> None:
    run = written(tmp_path)
    run.event(98, "write.acknowledged", "secondary", serial=7, value="made again")
    run.changed("writes.found", values={**values(range(1, 37)), 7: "made again"})
    rejects(run.judge("FO-46"), "1 write(s) have another value", "[7]")


def test_a_write_that_was_acknowledged_after_the_look_is_one_that_nobody_wrote(
    tmp_path: Path,
) -> None:
    run = written(tmp_path)
    run.event(110, "write.acknowledged", "secondary", serial=45, value="value 45")
    run.changed("writes.found", values={**values(range(1, 37)), 45: "value 45"})
    rejects(run.judge("FO-46"), "that nobody wrote")


def failed_twice(directory: Path, found: range = range(45, 81)) -> Run:
    """Let the primary fail, get the role back by hand at 150 s, write on, and fail again.

    What was lost the first time (writes 37 to 44) was counted then.
    """
    run = written(directory)
    run.seconds = 260
    run.beats("secondary", 120.2, 150.3, counter=2000)
    run.event(150.4, "handover.began", "scenario", node="secondary")
    run.beats("primary", 153.6, 243.7, counter=3000)
    run.event(156, "handover.ended", "scenario", node="secondary")
    for serial, value in values(range(45, 85)).items():
        at = 160 + 2 * (serial - 45)
        run.event(at, "write.acknowledged", "primary", serial=serial, value=value)
    for at, held in ((158, 36), (184, 54), (210, 67), (236, 80)):
        run.event(at, "sync.completed", "primary", 0.5, serial=held, period_s=PERIOD_S)
    run.event(243.8, "fault.injected", "scenario", fault="power-off", node="primary")
    run.beats("secondary", 246.9, 260, counter=4000)
    run.event(259, "fault.watched", "scenario", node="primary")
    for item in ("licence", "session secret"):
        run.event(250, "running.compared", "secondary", item=item, staged="b", running="b")
    there = {**values(range(1, 37)), **values(found)}
    run.event(250, "writes.found", "secondary", values=there)
    return run


def test_a_node_that_fails_again_is_not_to_have_what_its_first_crash_lost(tmp_path: Path) -> None:
    passes(failed_twice(tmp_path).judge("FO-46"))


def test_a_synced_write_that_is_lost_the_second_time_is_rejected(tmp_path: Path) -> None:
    rejects(failed_twice(tmp_path, range(46, 81)).judge("FO-46"), "1 write(s) lost", "[45]")


def test_a_node_whose_peer_advertised_in_an_election_only_held_the_role_all_the_time(
    tmp_path: Path,
) -> None:
    run = written(tmp_path).changed("writes.found", values=values(range(2, 37)))
    run.beats("secondary", 50.5, 52, counter=9000)
    rejects(run.judge("FO-46"), "1 write(s) lost", "[1]")


def test_what_was_synced_before_the_lab_was_thawed_is_that_of_another_run(tmp_path: Path) -> None:
    run = written(tmp_path)
    run.event(2, "sync.completed", "primary", serial=44, period_s=PERIOD_S)
    rejects(run.judge("FO-46"), "8 write(s) lost")
    run.event(3, "lab.thawed", "scenario", lab="lab", generation=2, clock={"behind_ns": 0})
    passes(run.judge("FO-46"))


def test_a_look_before_the_new_node_has_loaded_is_no_loss(tmp_path: Path) -> None:
    run = written(tmp_path)
    licence = {"item": "licence", "staged": "a", "running": "old"}
    run.event(97, "running.compared", "secondary", **licence)
    run.event(97, "writes.found", "secondary", values={})
    passes(run.judge("FO-46"))


def test_what_is_lost_in_a_later_look_is_lost(tmp_path: Path) -> None:
    run = written(tmp_path)
    run.event(110, "writes.found", "secondary", values={})
    rejects(run.judge("FO-46"), "36 write(s) lost")


def test_a_licence_that_is_gone_in_the_end_is_rejected(tmp_path: Path) -> None:
    run = written(tmp_path)
    licence = {"item": "licence", "staged": "a", "running": "old"}
    run.event(101, "running.compared", "secondary", **licence)
    rejects(run.judge("FO-46"), "licence: what runs on secondary is not what was staged")
