"""FO-42 to 45 and 48: the cause, the survivor, Validate and the platforms, each as it should be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.failover.parted import NONE, OBSERVED, filtered_twice, platforms, seen, split
from tests.checks.failover.recording import ADDRESS, node, passes, rejects, unsure
from tests.checks.protocols import encoder


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


def test_the_wrong_survivor_is_rejected(tmp_path: Path) -> None:
    run = split(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] < 31]
    run.beats("secondary", 31.5, 60)
    rejects(run.judge("FO-43"), "secondary survived, expected primary")


def test_a_validate_that_does_not_see_the_isolation_is_rejected(tmp_path: Path) -> None:
    rows = [{"name": "heartbeat", "good": True}]
    run = split(tmp_path, "isolation").changed("validate.shown", rows=rows)
    rejects(run.judge("FO-45"), "all rows read GOOD")


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


def test_a_plain_network_on_which_both_nodes_answer_arp_is_rejected(tmp_path: Path) -> None:
    run = platforms(tmp_path)
    run.asked(15, "primary", "secondary")
    rejects(run.judge("FO-48"), "plain: 2 master(s), expected 1")


# Recorded evidence that was judged wrongly once, a sentence each.


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


def test_a_plain_network_that_drops_frames_shows_nothing(tmp_path: Path) -> None:
    unsure(platforms(tmp_path).changed("profile.ended", hits=3).judge("FO-48"), "dropped 3 frame")
