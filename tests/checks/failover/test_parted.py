"""Two masters while the wire keeps the nodes apart, and one again: each broken one is rejected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.checks.failover.crashes import busy, is_late
from tests.checks.failover.parted import filtered_twice, platforms, split
from tests.checks.failover.recording import ADDRESS, NS, Run, passes, rejects, stamp, unsure
from tests.checks.protocols import encoder


@pytest.mark.parametrize(
    ("requirement", "name"), [("FO-42", "vrrp"), ("FO-44", "source-mac"), ("FO-45", "isolation")]
)
def test_a_filter_that_hit_no_frame_says_nothing(
    tmp_path: Path, requirement: str, name: str
) -> None:
    unsure(split(tmp_path, name, hits=0).judge(requirement), "hit no frame")


def ceased(run: Run, at: float) -> Run:
    """Let the primary fall silent for good at a moment."""
    run.frames = [frame for frame in run.frames if frame[0] < at or frame[1][0] != "p"]
    return run


@pytest.mark.parametrize(
    ("requirement", "name"), [("FO-42", "vrrp"), ("FO-44", "source-mac"), ("FO-45", "isolation")]
)
def test_two_masters_one_after_the_other_are_no_split(
    tmp_path: Path, requirement: str, name: str
) -> None:
    rejects(ceased(split(tmp_path, name), 11).judge(requirement), "not two masters at once")


@pytest.mark.parametrize(
    ("requirement", "name"), [("FO-42", "vrrp"), ("FO-44", "source-mac"), ("FO-45", "isolation")]
)
def test_a_split_that_ends_under_the_filter_is_rejected(
    tmp_path: Path, requirement: str, name: str
) -> None:
    rejects(ceased(split(tmp_path, name), 15).judge(requirement), "to its end")


def test_two_masters_later_than_five_seconds_are_rejected(tmp_path: Path) -> None:
    run = split(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] > 16 or frame[1][0] == "p"]
    rejects(run.judge("FO-42"), "not two masters at once 5 s after", "1.4 s later")


def test_a_standby_that_becomes_master_in_the_fifth_second_passes(tmp_path: Path) -> None:
    run = split(tmp_path)
    run.frames = [frame for frame in run.frames if frame[1][0] == "p" or frame[0] > 30]
    run.beats("secondary", 14.9, 30, comment="dropped by rule 1")
    passes(run.judge("FO-42"))


@pytest.mark.parametrize("end", [14, 15.5])
def test_a_filter_on_for_too_short_a_time_says_nothing(tmp_path: Path, end: float) -> None:
    run = split(tmp_path).without("filter.ended").without("validate.shown")
    run.event(end, "filter.ended", "scenario", filter="vrrp", hits=9)
    unsure(run.judge("FO-42"), "too short a time")


def test_two_masters_one_after_the_other_leave_nothing_to_heal(tmp_path: Path) -> None:
    unsure(ceased(split(tmp_path), 11).judge("FO-43"), "no two masters to heal")


@pytest.mark.parametrize("requirement", ["FO-43", "FO-44"])
@pytest.mark.parametrize("seconds", [31, 34])
def test_a_healing_judged_too_soon_says_nothing(
    tmp_path: Path, requirement: str, seconds: float
) -> None:
    run = split(tmp_path, "source-mac")
    run.seconds = seconds
    run.frames = [frame for frame in run.frames if frame[0] <= seconds]
    unsure(run.judge(requirement), "too short a time after the filter's end")


@pytest.mark.parametrize(
    ("requirement", "name"), [("FO-42", "vrrp"), ("FO-44", "source-mac"), ("FO-45", "isolation")]
)
def test_a_filter_that_leaves_one_master_is_rejected(
    tmp_path: Path, requirement: str, name: str
) -> None:
    run = split(tmp_path, name)
    run.frames = [frame for frame in run.frames if not frame[1].startswith("secondary")]
    rejects(run.judge(requirement), "not two masters at once")


def test_a_split_that_does_not_heal_is_rejected(tmp_path: Path) -> None:
    run = split(tmp_path)
    run.beats("secondary", 31.5, 60, password="other")
    rejects(run.judge("FO-43"), "2 masters 3.0 s after the filter's end: primary, secondary")


def test_spoofing_allowed_that_does_not_fix_it_is_rejected(tmp_path: Path) -> None:
    run = split(tmp_path, "source-mac")
    run.beats("secondary", 31.5, 60)
    rejects(run.judge("FO-44"), "2 masters 3.0 s after the filter's end")


def test_a_profile_with_two_masters_one_after_the_other_is_rejected(tmp_path: Path) -> None:
    run = platforms(tmp_path)
    run.frames = [frame for frame in run.frames if frame[1][0] == "s" or not 31 < frame[0] < 40]
    rejects(run.judge("FO-48"), "mac-filter: not two masters at once")


def test_a_split_in_pieces_is_none(tmp_path: Path) -> None:
    run = split(tmp_path)
    run.frames = [frame for frame in run.frames if frame[1][0] == "s" or not 17 < frame[0] < 23]
    rejects(run.judge("FO-42"), "not two masters at once 5 s after its begin")


@pytest.mark.parametrize(
    ("requirement", "name"), [("FO-42", "vrrp"), ("FO-44", "source-mac"), ("FO-45", "isolation")]
)
def test_two_masters_before_the_filter_show_nothing(
    tmp_path: Path, requirement: str, name: str
) -> None:
    run = split(tmp_path, name)
    run.beats("secondary", 8.5, 10)
    unsure(run.judge(requirement), "2 holder(s) of the virtual IP before")


def test_a_split_that_a_busy_host_delays_says_nothing(tmp_path: Path) -> None:
    run = split(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] > 16 or frame[1][0] == "p"]
    unexplained = run.judge("FO-42")
    rejects(unexplained, "1.4 s later")
    late = {"of": "secondary", "from_ns": stamp(13), "kept_ns": int(2 * NS)}
    run.event(16, "host.late", "host", **late)
    unsure(run.judge("FO-42"), "was kept from running")


def test_a_healing_that_a_busy_host_delays_says_nothing(tmp_path: Path) -> None:
    run = split(tmp_path)
    run.beats("secondary", 31.5, 34)
    rejects(run.judge("FO-43"), "2 masters 3.0 s after")
    run.event(33.4, "host.late", "host", of="secondary", from_ns=stamp(32.4), kept_ns=NS)
    unsure(run.judge("FO-43"), "was kept from running")


@pytest.mark.parametrize("requirement", ["FO-43", "FO-44"])
def test_a_second_master_long_after_the_healing_is_rejected(
    tmp_path: Path, requirement: str
) -> None:
    run = split(tmp_path, "source-mac")
    run.beats("secondary", 55.5, 58)
    rejects(run.judge(requirement), "2 masters 3.0 s after the filter's end")


def test_what_is_filtered_next_ends_the_healing(tmp_path: Path) -> None:
    run = split(tmp_path)
    run.event(50, "filter.began", "wire", filter="isolation")
    run.event(59, "filter.ended", "wire", filter="isolation", hits=9)
    run.beats("secondary", 53.5, 59)
    run.beats("secondary", 59.5, 60)
    verdict = run.judge("FO-43")
    unsure(verdict, "too short a time after the filter's end")
    assert "2 masters" not in verdict.text


@pytest.mark.parametrize("requirement", ["FO-43", "FO-44"])
def test_a_loser_that_goes_on_answering_arp_after_the_healing_is_rejected(
    tmp_path: Path, requirement: str
) -> None:
    run = split(tmp_path, "source-mac")
    for at in range(40, 59):
        run.asked(at, "primary", "secondary")
    rejects(run.judge(requirement), "2 masters 3.0 s after the filter's end: primary, secondary")


def test_a_survivor_that_falls_silent_is_rejected(tmp_path: Path) -> None:
    run = split(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] < 50]
    rejects(run.judge("FO-43"), "primary was silent for")


# Recorded evidence that was judged wrongly once, a sentence each.


@pytest.mark.parametrize("requirement", ["FO-43", "FO-44"])
def test_after_healing_both_advertise_one_from_the_others_address(
    tmp_path: Path, requirement: str
) -> None:
    run = split(tmp_path, "source-mac")
    for at in range(31, 60):
        copied = encoder.carp(ADDRESS["primary"], counter=5000 + at)
        run.frame(at + 0.5, "secondary/wire0", copied)
    rejects(run.judge(requirement), "2 masters", "primary, secondary")


def test_a_profile_that_hit_no_frame_says_nothing(tmp_path: Path) -> None:
    unsure(platforms(tmp_path).changed("profile.ended", hits=0).judge("FO-48"), "hit no frame")


@pytest.mark.parametrize("requirement", ["FO-43", "FO-44"])
def test_a_survivor_that_is_silent_for_a_while_is_rejected(
    tmp_path: Path, requirement: str
) -> None:
    run = split(tmp_path, "source-mac")
    run.frames = [frame for frame in run.frames if not 45 < frame[0] < 51]
    rejects(run.judge(requirement), "primary was silent for")


def test_a_survivor_whom_nobody_can_hear_has_not_healed_the_pair(tmp_path: Path) -> None:
    run = split(tmp_path)
    run.frames = [(at, port, raw, "dropped by rule 1") for at, port, raw, _ in run.frames]
    rejects(run.judge("FO-43"), "primary was silent for")


def thinned_at_the_end(directory: Path, name: str) -> Run:
    """Let the secondary send nothing in the last 2.5 s of a filter, and go on after it."""
    run = split(directory, name)
    run.frames = [one for one in run.frames if one[1][0] == "p" or not 28 < one[0] < 30]
    return run


@pytest.mark.parametrize(
    ("requirement", "name"), [("FO-42", "vrrp"), ("FO-44", "source-mac"), ("FO-45", "isolation")]
)
def test_a_split_of_which_a_busy_host_silences_one_at_the_end_says_nothing(
    tmp_path: Path, requirement: str, name: str
) -> None:
    run = thinned_at_the_end(tmp_path, name)
    rejects(run.judge(requirement), "not two masters at once from 5 s")
    rejects(busy(run, "primary", 28.4, 30.4).judge(requirement))
    is_late(run, requirement, "secondary", 28.4, 30.4)


def test_two_masters_of_which_a_busy_host_silences_one_leave_something_to_heal(
    tmp_path: Path,
) -> None:
    run = thinned_at_the_end(tmp_path, "vrrp")
    before = run.judge("FO-43")
    unsure(before, "no two masters to heal after vrrp")
    assert not before.late
    is_late(run, "FO-43", "secondary", 28.4, 30.4)


@pytest.mark.parametrize(
    ("requirement", "build", "ended"),
    [
        ("FO-42", filtered_twice, (30, "filter.ended")),
        ("FO-48", platforms, (40, "profile.ended")),
    ],
)
def test_what_has_no_end_is_not_given_that_of_another_filter_or_profile(
    tmp_path: Path, requirement: str, build: Callable[[Path], Run], ended: tuple[float, str]
) -> None:
    passes(build(tmp_path).judge(requirement))
    run = build(tmp_path)
    run.events = [event for event in run.events if event[:2] != ended]
    unsure(run.judge(requirement), "without its end")


@pytest.mark.parametrize("requirement", ["FO-43", "FO-44"])
def test_a_lab_that_is_thawed_after_the_healing_may_have_another_master(
    tmp_path: Path, requirement: str
) -> None:
    run = split(tmp_path, "source-mac")
    run.frames = [frame for frame in run.frames if frame[0] < 50]
    run.event(50, "lab.thawed", "scenario", lab="lab", generation=2, clock={"behind_ns": 0})
    run.beats("secondary", 50.5, 60, counter=7000)
    passes(run.judge(requirement))
    run.beats("secondary", 45.5, 48, counter=6000)
    rejects(run.judge(requirement), "2 masters 3.0 s after the filter's end")
