"""FO-16 to 23: good heartbeats pass, each broken one is rejected for its reason."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from checks.protocols import tcpdump
from tests.checks.failover.recording import (
    MAC,
    UCARP,
    Run,
    passes,
    rejects,
    steady,
    takeover,
    unsure,
)
from tests.checks.protocols import encoder


@pytest.mark.parametrize("requirement", ["FO-16", "FO-17", "FO-18", "FO-19"])
def test_a_steady_pair_passes(tmp_path: Path, requirement: str) -> None:
    passes(steady(tmp_path).judge(requirement))


@pytest.mark.parametrize("requirement", ["FO-16", "FO-17", "FO-18", "FO-19", "FO-20"])
def test_a_silent_wire_says_nothing(tmp_path: Path, requirement: str) -> None:
    run = steady(tmp_path)
    run.frames.clear()
    unsure(run.judge(requirement))


def twice_as_slow(tmp_path: Path) -> Run:
    run = steady(tmp_path)
    run.frames.clear()
    run.beats("primary", 0.5, 40, period=2.0, advbase=2)
    return run


def test_advbase_2_where_1_is_configured_is_rejected(tmp_path: Path) -> None:
    rejects(twice_as_slow(tmp_path).judge("FO-16"), "15 advertisements", "a gap of 2.000 s")


def test_advbase_2_passes_where_it_is_configured(tmp_path: Path) -> None:
    run = twice_as_slow(tmp_path)
    nodes = {name: {**node, "advbase": 2} for name, node in run.pair["nodes"].items()}
    passes(run.changed("pair.configured", nodes=nodes).judge("FO-16"))


def without_beats(run: Run, *moments: float) -> Run:
    return run.mapped(lambda at, _, raw: [] if at in moments else [(at, raw)])


@pytest.mark.parametrize("moment", [2.5, 31.5])
def test_silence_at_an_edge_of_the_span_is_a_gap_too(tmp_path: Path, moment: float) -> None:
    rejects(without_beats(steady(tmp_path), moment).judge("FO-16"), "a gap of 1.500 s")


def test_a_missing_advertisement_is_a_gap(tmp_path: Path) -> None:
    rejects(without_beats(steady(tmp_path), 15.5).judge("FO-16"), "a gap of 2.000 s")


def test_a_span_too_short_says_nothing(tmp_path: Path) -> None:
    run = steady(tmp_path).without("steady.end")
    run.event(20, "steady.end", "scenario")
    unsure(run.judge("FO-16"), "30 s are needed")


def test_two_masters_in_the_steady_state_are_rejected(tmp_path: Path) -> None:
    run = steady(tmp_path)
    run.beats("secondary", 10.7, 20)
    rejects(run.judge("FO-16"), "two holders of the virtual IP")


def test_another_vhid_on_the_standby_is_rejected(tmp_path: Path) -> None:
    run = steady(tmp_path)
    run.beats("secondary", 10.7, 20, vhid=95)
    rejects(run.judge("FO-17"), "VHID 95")


def vrrp_instead(at: float, _: str, __: bytes) -> list[tuple[float, bytes]]:
    return [(at, encoder.vrrp())]


def patched(offset: int, octets: bytes) -> Callable[[float, str, bytes], list]:
    return lambda at, _, raw: [(at, raw[:offset] + octets + raw[offset + len(octets) :])]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (patched(22, b"\x40"), "TTL 64"),
        (patched(40, b"\x12\x34"), "checksum"),
        (patched(6, bytes.fromhex("00005e00005f")), "source MAC: 00:00:5e:00:00:5f"),
        (vrrp_instead, "VRRPv2"),
    ],
)
def test_a_broken_frame_is_rejected_for_its_fault(tmp_path: Path, change, reason: str) -> None:
    rejects(steady(tmp_path).mapped(change).judge("FO-18"), reason)


def test_another_password_on_one_node_is_rejected(tmp_path: Path) -> None:
    run = steady(tmp_path)
    run.beats("secondary", 10.7, 12, password="other")
    rejects(run.judge("FO-19"), "2 digest(s) of 192.168.70.2", "another password")


def test_the_counter_runs_on_over_a_takeover(tmp_path: Path) -> None:
    passes(takeover(tmp_path).judge("FO-20"))


def rejoined(tmp_path: Path, *, again_at: float) -> Run:
    """Split the pair from 2 s to 5 s; at `again_at` the primary counts as the other did, once."""
    run = takeover(tmp_path)
    run.beats("secondary", 2, 5, counter=7_000_000)
    run.beats("primary", again_at, again_at + 0.5, counter=7_000_004)
    return run


def test_a_split_may_be_told_of_once_more(tmp_path: Path) -> None:
    passes(rejoined(tmp_path, again_at=5.2).judge("FO-20"))


def test_a_counter_of_another_count_later_is_rejected(tmp_path: Path) -> None:
    rejects(rejoined(tmp_path, again_at=8.2).judge("FO-20"), "missing")


def test_without_a_takeover_the_counters_continuity_is_not_shown(tmp_path: Path) -> None:
    unsure(steady(tmp_path).judge("FO-20"), "no takeover")


def test_a_replayed_stream_is_rejected(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.beats("primary", 20.5, 22, counter=1004)
    rejects(run.judge("FO-20"), "replayed")


def test_a_replayed_stream_is_rejected_in_a_lab_that_was_thawed_too(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.event(2.3, "lab.thawed", "lab", uncertainty=0.2)
    run.beats("primary", 20.5, 22, counter=1004)
    rejects(run.judge("FO-20"), "replayed")


def test_a_thawed_lab_counts_on_from_where_it_was_frozen(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] < 25]
    run.event(25.5, "lab.thawed", "lab", uncertainty=0.4)
    run.beats("primary", 25.7, 40, counter=1005)
    passes(run.judge("FO-20"))


def test_a_counter_begun_anew_is_rejected(tmp_path: Path) -> None:
    run = Run(tmp_path, 40)
    run.beats("primary", 0, 10)
    run.beats("secondary", 13, 40, counter=7_000_000)
    rejects(run.judge("FO-20"), "missing")


EVERY_SECOND = tuple(range(7))


def lines(*seconds: float, start: str = "18:15:53", **changes: tuple[str, str]) -> str:
    """Print the guide's line at so many seconds after `start`."""
    text = tcpdump.GUIDE_SAMPLE.replace("00:5f", "00:5e")
    for old, new in changes.values():
        text = text.replace(old, new)
    begun = datetime.strptime(start, "%H:%M:%S")
    stamps = [begun + timedelta(seconds=second) for second in seconds or EVERY_SECOND]
    return "\n".join(text.replace("18:15:53.000605", f"{at:%H:%M:%S.%f}") for at in stamps)


def printed(directory: Path, text: str, *, stopped: bool = True, seconds: int = 8) -> Run:
    run = Run(directory, 10)
    run.event(5, "tcpdump.output", "secondary", text=text, seconds=seconds, service_stopped=stopped)
    return run


def test_the_guides_lines_pass_with_their_erratum(tmp_path: Path) -> None:
    verdict = printed(tmp_path, lines()).judge("FO-21")
    passes(verdict)
    assert tcpdump.GUIDE_SAMPLE_ERRATUM in verdict.reasons


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("prio 0", "prio 100"), "(94, 100, 1)"),
        (("vrid 94", "vrid 95"), "(95, 0, 1)"),
        (("192.168.70.1 >", "192.168.70.7 >"), "no node of the pair"),
        (("VRRPv2", "VRRPv3"), "0 line(s)"),
    ],
)
def test_other_lines_are_rejected(tmp_path: Path, change, reason: str) -> None:
    rejects(printed(tmp_path, lines(change=change)).judge("FO-21"), reason)


def test_a_stopped_secondary_that_sees_the_heartbeat_passes(tmp_path: Path) -> None:
    passes(printed(tmp_path, lines()).judge("FO-41"))


def test_a_heartbeat_seen_over_midnight_passes(tmp_path: Path) -> None:
    passes(printed(tmp_path, lines(start="23:59:57")).judge("FO-41"))


@pytest.mark.parametrize(
    ("moments", "seconds", "reason"),
    [
        ((0, 1, 2, 3), 60, "4 advertisement(s) of primary in 60 s, 48 are needed"),
        ((0, 20, 40, 59), 60, "4 advertisement(s) of primary in 60 s"),
        ((0, 2, 4, 6), 8, "3 in the 5 s from 18:15:53"),
        ((0, 1, 2, 3, 7, 8, 9, 10), 12, "3 in the 5 s from 18:15:54"),
    ],
)
def test_a_heartbeat_that_is_half_lost_is_rejected(
    tmp_path: Path, moments: tuple[float, ...], seconds: int, reason: str
) -> None:
    run = printed(tmp_path, lines(*moments), seconds=seconds)
    rejects(run.judge("FO-41"), reason)


def test_a_listening_of_less_than_five_seconds_says_nothing(tmp_path: Path) -> None:
    unsure(printed(tmp_path, lines(0, 1, 2, 3), seconds=4).judge("FO-41"), "5 s are needed")


def test_a_filter_that_leaves_no_packet_is_rejected(tmp_path: Path) -> None:
    rejects(printed(tmp_path, "0 packets captured").judge("FO-41"), "saw 0 advertisement(s)")


def test_a_running_secondary_does_not_show_the_troubleshooting_step(tmp_path: Path) -> None:
    unsure(printed(tmp_path, lines(), stopped=False).judge("FO-41"))


def moved(directory: Path) -> Run:
    run = Run(directory, 40, vhid=77)
    run.beats("primary", 0, 10)
    run.beats("primary", 12, 40, vhid=77)
    run.event(15, "vhid.settled", "scenario", vhid=77)
    return run


def test_a_vhid_moved_on_both_nodes_passes(tmp_path: Path) -> None:
    passes(moved(tmp_path).judge("FO-22"))


def test_a_vhid_moved_on_one_node_only_is_rejected(tmp_path: Path) -> None:
    run = moved(tmp_path)
    run.beats("secondary", 18, 40)
    rejects(run.judge("FO-22"), "[77, 94]", "2 masters")


def neighbours(directory: Path, other_vhid: int = 95, lines: int = 0) -> Run:
    run = Run(directory, 70)
    run.beats("primary", 0, 70)
    for second in range(70):
        raw = encoder.carp("192.168.70.11", counter=second, vhid=other_vhid, password="x")
        run.frame(second + 0.4, "other/wire0", raw)
    run.event(2, "neighbours.begin", "scenario", vhids=[94, other_vhid])
    run.event(65, "neighbours.end", "scenario", bad_digest_lines=lines)
    return run


def test_two_pairs_with_their_own_vhids_pass(tmp_path: Path) -> None:
    passes(neighbours(tmp_path).judge("FO-23"))


def test_two_pairs_with_one_vhid_are_rejected(tmp_path: Path) -> None:
    verdict = neighbours(tmp_path, other_vhid=94, lines=63).judge("FO-23")
    rejects(verdict, '63 "Bad digest"', "moved between ports")


def test_a_lone_pair_shows_nothing_about_neighbours(tmp_path: Path) -> None:
    run = neighbours(tmp_path)
    run.frames = [frame for frame in run.frames if frame[1] != "other/wire0"]
    unsure(run.judge("FO-23"))


def keepalived(directory: Path) -> Run:
    nodes = {
        name: {"address": f"192.168.70.{number}", "mac": MAC[name], "advert_int": 1, "priority": p}
        for number, (name, p) in enumerate([("primary", 150), ("secondary", 100)], start=1)
    }
    run = Run(directory, 40, engine="keepalived", nodes=nodes)
    for second in range(40):
        run.frame(second, "primary/wire0", encoder.vrrp())
    return run


def test_keepaliveds_own_frames_pass_where_it_is_configured(tmp_path: Path) -> None:
    passes(keepalived(tmp_path).judge("FO-18"))


def test_carp_is_wrong_where_keepalived_is_configured(tmp_path: Path) -> None:
    run = keepalived(tmp_path)
    run.frame(5.5, "secondary/wire0", encoder.carp("192.168.70.2"))
    rejects(run.judge("FO-18"), "the pair runs keepalived")


def test_a_configuration_without_timers_says_nothing(tmp_path: Path) -> None:
    run = steady(tmp_path)
    nodes = {name: {"address": "192.168.70.1", "mac": MAC[name]} for name in MAC}
    unsure(run.changed("pair.configured", nodes=nodes).judge("FO-16"), "advbase")
    assert "advbase" in UCARP
