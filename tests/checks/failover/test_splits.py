"""FO-42 to 45 and 48: splits and healing, each rejected for its reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.checks.failover.crashes import busy, is_late
from tests.checks.failover.recording import (
    ADDRESS,
    NS,
    Run,
    node,
    passes,
    rejects,
    stamp,
    unsure,
)
from tests.checks.preflight.test_diagnosis import WORKING
from tests.checks.protocols import encoder


def seen(**changes: object) -> dict[str, object]:
    record = WORKING.model_dump()
    assert changes.keys() <= record.keys()
    return {**record, **changes}


NONE = {"sent": 5, "seen": 0}
FILTERED = seen(adverts=NONE, adverts_own_mac=NONE, adverts_broadcast=NONE)
APART = seen(
    **dict.fromkeys(["adverts", "adverts_own_mac", "adverts_broadcast"], NONE),
    **dict.fromkeys(["multicast", "unicast", "arp_broadcast"], NONE),
)
OBSERVED = {
    "plain": seen(),
    "mac-filter": seen(adverts=NONE),
    "vrrp-filter": FILTERED,
    "two-networks": APART,
}


def split(directory: Path, name: str = "vrrp", hits: int = 60) -> Run:
    """Filter from 10 s to 30 s: two masters from 13.5 s, one again from 31 s."""
    run = Run(directory, 60)
    dropped = "dropped by rule 1"
    run.beats("primary", 0, 10)
    run.beats("primary", 10.1, 30, comment=dropped)
    run.beats("secondary", 13.5, 30, comment=dropped)
    run.beats("secondary", 30.5, 31)
    run.beats("primary", 30.1, 60)
    run.event(10.05, "filter.began", "scenario", filter=name)
    run.event(30, "filter.ended", "scenario", filter=name, hits=hits)
    run.event(5, "preflight.observed", "scenario", profile="vrrp-filter", **FILTERED)
    for at, good in ((4, True), (20, False)):
        rows = [{"name": "heartbeat", "good": good}]
        broken = "" if good else "isolation"
        run.event(at, "validate.shown", "primary", broken=broken, rows=rows)
    return run


@pytest.mark.parametrize(
    ("requirement", "name"),
    [
        ("FO-42", "vrrp"),
        ("FO-43", "vrrp"),
        ("FO-43", "source-mac"),
        ("FO-44", "source-mac"),
        ("FO-45", "isolation"),
    ],
)
def test_a_split_and_its_healing_as_they_should_be_pass(
    tmp_path: Path, requirement: str, name: str
) -> None:
    passes(split(tmp_path, name).judge(requirement))


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


def test_a_split_diagnosed_wrongly_is_rejected(tmp_path: Path) -> None:
    run = split(tmp_path).changed("preflight.observed", **seen())
    rejects(run.judge("FO-42"), "the preflight says carried")


def test_a_guests_own_firewall_must_not_split_the_pair(tmp_path: Path) -> None:
    run = filtered_twice(tmp_path)
    passes(run.judge("FO-42"))
    run.beats("secondary", 43.5, 50)
    rejects(run.judge("FO-42"), "firewall gave 2 masters")


def test_a_guests_own_firewall_that_no_standby_waits_out_says_nothing(tmp_path: Path) -> None:
    run = split(tmp_path)
    run.event(40, "filter.began", "scenario", filter="guest-firewall")
    run.event(42, "filter.ended", "scenario", filter="guest-firewall", hits=2)
    unsure(run.judge("FO-42"), "on for 2.0 s")
    run.beats("secondary", 41.5, 42)
    rejects(run.judge("FO-42"), "firewall gave 2 masters")


def test_a_split_that_does_not_heal_is_rejected(tmp_path: Path) -> None:
    run = split(tmp_path)
    run.beats("secondary", 31.5, 60, password="other")
    rejects(run.judge("FO-43"), "2 masters 3.0 s after the filter's end: primary, secondary")


def test_the_wrong_survivor_is_rejected(tmp_path: Path) -> None:
    run = split(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] < 31]
    run.beats("secondary", 31.5, 60)
    rejects(run.judge("FO-43"), "secondary survived, expected primary")


def test_spoofing_allowed_that_does_not_fix_it_is_rejected(tmp_path: Path) -> None:
    run = split(tmp_path, "source-mac")
    run.beats("secondary", 31.5, 60)
    rejects(run.judge("FO-44"), "2 masters 3.0 s after the filter's end")


def test_a_validate_that_does_not_see_the_isolation_is_rejected(tmp_path: Path) -> None:
    rows = [{"name": "heartbeat", "good": True}]
    run = split(tmp_path, "isolation").changed("validate.shown", rows=rows)
    rejects(run.judge("FO-45"), "all rows read GOOD")


def platforms(directory: Path) -> Run:
    run = Run(directory, 100)
    run.beats("primary", 0, 100)
    for index, (profile, observed) in enumerate(OBSERVED.items()):
        start = 5 + 20 * index
        run.event(start, "profile.began", "scenario", profile=profile)
        hits = 0 if profile == "plain" else 30
        run.event(start + 15, "profile.ended", "scenario", profile=profile, hits=hits)
        run.event(start - 1, "preflight.observed", "scenario", profile=profile, **observed)
        if profile != "plain":
            run.beats("secondary", start + 3.5, start + 15)
    return run


def test_a_platform_table_as_the_guide_has_it_passes(tmp_path: Path) -> None:
    passes(platforms(tmp_path).judge("FO-48"))


def test_a_profile_that_splits_a_plain_network_is_rejected(tmp_path: Path) -> None:
    run = platforms(tmp_path)
    run.beats("secondary", 12.5, 20)
    rejects(run.judge("FO-48"), "plain: 2 master(s), expected 1")


def test_a_master_that_falls_silent_on_a_plain_network_is_rejected(tmp_path: Path) -> None:
    run = platforms(tmp_path)
    run.frames = [frame for frame in run.frames if not 11.5 < frame[0] < 18.5]
    rejects(run.judge("FO-48"), "primary was silent for 8.000 s")


def test_an_intruder_as_the_only_master_of_a_plain_network_is_rejected(tmp_path: Path) -> None:
    run = platforms(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] > 21]
    for second in range(21):
        run.frame(second, "elsewhere/wire0", encoder.carp(ADDRESS["primary"], counter=second))
    rejects(run.judge("FO-48"), "elsewhere/wire0 holds the virtual IP, and neither node")


def test_a_plain_network_that_was_watched_too_shortly_says_nothing(tmp_path: Path) -> None:
    run = platforms(tmp_path).but(profile="plain", hits=0)
    run.event(9, "profile.ended", "scenario", profile="plain", hits=0)
    unsure(run.judge("FO-48"), "plain was on for too short a time")


def test_a_profile_with_two_masters_one_after_the_other_is_rejected(tmp_path: Path) -> None:
    run = platforms(tmp_path)
    run.frames = [frame for frame in run.frames if frame[1][0] == "s" or not 31 < frame[0] < 40]
    rejects(run.judge("FO-48"), "mac-filter: not two masters at once")


def test_a_preflight_that_calls_everything_carried_is_rejected(tmp_path: Path) -> None:
    run = platforms(tmp_path).changed("preflight.observed", **seen())
    rejects(run.judge("FO-48"), "mac-filter: the preflight says carried")


def test_a_profile_left_out_says_nothing(tmp_path: Path) -> None:
    run = platforms(tmp_path)
    run.events = [event for event in run.events if event[3].get("profile") != "two-networks"]
    run.frames = [frame for frame in run.frames if frame[0] < 65 or frame[1][0] == "p"]
    unsure(run.judge("FO-48"), "two-networks")


def test_a_preflight_that_tried_no_controls_says_nothing(tmp_path: Path) -> None:
    idle = {"sent": 0, "seen": 0}
    unsure(
        split(tmp_path)
        .changed("preflight.observed", **seen(adverts=NONE, adverts_own_mac=idle))
        .judge("FO-42"),
        "undecided",
    )


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


def test_a_plain_network_on_which_both_nodes_answer_arp_is_rejected(tmp_path: Path) -> None:
    run = platforms(tmp_path)
    run.asked(15, "primary", "secondary")
    rejects(run.judge("FO-48"), "plain: 2 master(s), expected 1")


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


@pytest.mark.parametrize(
    ("addresses", "lower"),
    [
        (("10.0.1.5", "10.0.2.1"), "secondary"),  # as ucarp 1.5.2 on x86 decides, byte-swapped
        (("10.0.2.1", "10.0.1.5"), "primary"),
        (("10.0.0.1", "10.0.0.2"), "primary"),
    ],
)
def test_the_survivor_is_the_one_that_ucarp_on_x86_really_chooses(
    tmp_path: Path, addresses: tuple[str, str], lower: str
) -> None:
    run = split(tmp_path)
    nodes = {
        name: {**node(name), "address": address}
        for name, address in zip(ADDRESS, addresses, strict=True)
    }
    run.changed("pair.configured", nodes=nodes)
    if lower == "secondary":
        run.frames = [frame for frame in run.frames if frame[0] < 31 or frame[1][0] == "s"]
        run.beats("secondary", 31.5, 60)
    passes(run.judge("FO-43"))
    other = "primary" if lower == "secondary" else "secondary"
    run.frames = [frame for frame in run.frames if frame[0] < 31]
    run.beats(other, 31.5, 60)
    rejects(run.judge("FO-43"), f"{other} survived, expected {lower}")


def test_a_node_that_advertises_more_often_survives(tmp_path: Path) -> None:
    slow = {"engine": "ucarp", "advbase": 1, "advskew": 100, "deadratio": 3}
    nodes = {"primary": node("primary", **slow), "secondary": node("secondary")}
    run = split(tmp_path).changed("pair.configured", nodes=nodes)
    rejects(run.judge("FO-43"), "primary survived, expected secondary")


def test_a_validate_that_was_bad_before_the_isolation_shows_nothing(tmp_path: Path) -> None:
    run = split(tmp_path, "isolation")
    for event in run.events:
        if event[1] == "validate.shown":
            event[3]["rows"] = [{"name": "rsync", "good": False}, *event[3]["rows"]]
    unsure(run.judge("FO-45"), "bad before the nodes were put apart: rsync")


@pytest.mark.parametrize("at", [4, 20])
def test_a_validate_that_was_not_asked_shows_nothing(tmp_path: Path, at: int) -> None:
    run = split(tmp_path, "isolation")
    run.events = [one for one in run.events if one[1] != "validate.shown" or one[0] != at]
    unsure(run.judge("FO-45"), "Validate")


def test_an_isolation_that_turns_the_wrong_row_is_rejected(tmp_path: Path) -> None:
    rows = ("SSH from primary to secondary", "rsync on primary", "rsync on secondary")
    expected = (rows[0], rows[2])
    run = split(tmp_path, "isolation").without("validate.shown")
    run.event(4, "validate.shown", "primary", broken="", rows=read(rows))
    shown = {"broken": "isolation", "expected_bad": expected}
    run.event(20, "validate.shown", "primary", rows=read(rows, *expected), **shown)
    passes(run.judge("FO-45"))
    run.event(21, "validate.shown", "primary", rows=read(rows, rows[1]), **shown)
    rejects(run.judge("FO-45"), f"these read GOOD: {', '.join(expected)}")


def read(rows: tuple[str, ...], *bad: str) -> list[dict[str, object]]:
    return [{"name": name, "good": name not in bad} for name in rows]


@pytest.mark.parametrize("profile", OBSERVED)
def test_a_profile_without_its_preflight_says_nothing(tmp_path: Path, profile: str) -> None:
    run = platforms(tmp_path)
    run.events = [
        one for one in run.events if one[1] != "preflight.observed" or one[3]["profile"] != profile
    ]
    unsure(run.judge("FO-48"), f"not shown: {profile}: the preflight says")


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


def test_a_plain_network_that_drops_frames_shows_nothing(tmp_path: Path) -> None:
    unsure(platforms(tmp_path).changed("profile.ended", hits=3).judge("FO-48"), "dropped 3 frame")


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


def test_a_role_that_a_busy_host_moves_before_a_filter_says_nothing(tmp_path: Path) -> None:
    run = split(tmp_path)
    run.frames = [frame for frame in run.frames if not 5.5 < frame[0] < 10]
    run.beats("secondary", 8.3, 9.9, counter=5000)
    run.beats("primary", 9.5, 10, counter=6000)
    before = run.judge("FO-42")
    unsure(before, "2 holder(s) of the virtual IP before vrrp")
    assert not before.late
    is_late(run, "FO-42", "primary", 5.5, 9.5)


def filtered_twice(directory: Path) -> Run:
    run = split(directory)
    run.event(40, "filter.began", "scenario", filter="guest-firewall")
    run.event(50, "filter.ended", "scenario", filter="guest-firewall", hits=10)
    return run


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
