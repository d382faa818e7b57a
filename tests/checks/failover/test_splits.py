"""FO-42 to 46 and 48: splits, healing and survival, each rejected for its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.preflight.diagnosis import Observations, Probe
from tests.checks.failover.recording import Run, passes, rejects, unsure

WORKING = Observations(
    sender="192.168.70.1/24",
    receiver="192.168.70.2/24",
    vhid=94,
    adverts=Probe(5, 5),
    adverts_own_mac=Probe(5, 5),
    adverts_broadcast=Probe(5, 5),
    multicast=Probe(5, 5),
    unicast=Probe(5, 5),
    arp_broadcast=Probe(5, 5),
    source_macs=("00:00:5e:00:00:5e",),
)


def seen(**changes: object) -> dict[str, object]:
    record = WORKING.as_record()
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
    run.event(10.05, "filter.begin", "scenario", filter=name)
    run.event(30, "filter.end", "scenario", filter=name, hits=hits)
    run.event(5, "preflight.observations", "scenario", profile="vrrp-filter", **FILTERED)
    rows = [{"name": "heartbeat", "good": False}]
    run.event(20, "validate.rows", "primary", broken="isolation", rows=rows, expected_bad=[])
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
    rejects(ceased(split(tmp_path, name), 15).judge(requirement), "not two masters at once")


def test_two_masters_later_than_five_seconds_are_rejected(tmp_path: Path) -> None:
    run = split(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] > 16 or frame[1][0] == "p"]
    rejects(run.judge("FO-42"), "not two masters at once 5 s after")


def test_a_standby_that_becomes_master_in_the_fifth_second_passes(tmp_path: Path) -> None:
    run = split(tmp_path)
    run.frames = [frame for frame in run.frames if frame[1][0] == "p" or frame[0] > 30]
    run.beats("secondary", 14.9, 30, comment="dropped by rule 1")
    passes(run.judge("FO-42"))


@pytest.mark.parametrize("end", [14, 15.5])
def test_a_filter_on_for_too_short_a_time_says_nothing(tmp_path: Path, end: float) -> None:
    run = split(tmp_path).without("filter.end").without("validate.rows")
    run.event(end, "filter.end", "scenario", filter="vrrp", hits=9)
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
    run = split(tmp_path).changed("preflight.observations", **seen())
    rejects(run.judge("FO-42"), "the preflight says carried")


def test_a_guests_own_firewall_must_not_split_the_pair(tmp_path: Path) -> None:
    run = split(tmp_path)
    run.event(40, "filter.begin", "scenario", filter="guest-firewall")
    run.event(50, "filter.end", "scenario", filter="guest-firewall", hits=10)
    passes(run.judge("FO-42"))
    run.beats("secondary", 43.5, 50)
    rejects(run.judge("FO-42"), "firewall gave 2 masters")


def test_a_split_that_does_not_heal_is_rejected(tmp_path: Path) -> None:
    run = split(tmp_path)
    run.beats("secondary", 31.5, 60, password="other")
    rejects(run.judge("FO-43"), "2 masters 3.0 s after the filter's end")


def test_the_wrong_survivor_is_rejected(tmp_path: Path) -> None:
    run = split(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] < 31]
    run.beats("secondary", 31.5, 60)
    rejects(run.judge("FO-43"), "192.168.70.2 survived, expected 192.168.70.1")


def test_spoofing_allowed_that_does_not_fix_it_is_rejected(tmp_path: Path) -> None:
    run = split(tmp_path, "source-mac")
    run.beats("secondary", 31.5, 60)
    rejects(run.judge("FO-44"), "after spoofing was allowed again")


def test_a_validate_that_does_not_see_the_isolation_is_rejected(tmp_path: Path) -> None:
    rows = [{"name": "heartbeat", "good": True}]
    run = split(tmp_path, "isolation").changed("validate.rows", rows=rows)
    rejects(run.judge("FO-45"), "all rows read GOOD")


def platforms(directory: Path) -> Run:
    run = Run(directory, 100)
    run.beats("primary", 0, 100)
    for index, (profile, observed) in enumerate(OBSERVED.items()):
        start = 5 + 20 * index
        run.event(start, "profile.begin", "scenario", profile=profile)
        run.event(start + 15, "profile.end", "scenario", profile=profile, hits=30)
        run.event(start - 1, "preflight.observations", "scenario", profile=profile, **observed)
        if profile != "plain":
            run.beats("secondary", start + 3.5, start + 15)
    return run


def test_a_platform_table_as_the_guide_has_it_passes(tmp_path: Path) -> None:
    passes(platforms(tmp_path).judge("FO-48"))


def test_a_profile_that_splits_a_plain_network_is_rejected(tmp_path: Path) -> None:
    run = platforms(tmp_path)
    run.beats("secondary", 12.5, 20)
    rejects(run.judge("FO-48"), "plain: 2 master(s), expected 1")


def test_a_profile_with_two_masters_one_after_the_other_is_rejected(tmp_path: Path) -> None:
    run = platforms(tmp_path)
    run.frames = [frame for frame in run.frames if frame[1][0] == "s" or not 31 < frame[0] < 40]
    rejects(run.judge("FO-48"), "mac-filter: not two masters at once")


def test_a_preflight_that_calls_everything_carried_is_rejected(tmp_path: Path) -> None:
    run = platforms(tmp_path).changed("preflight.observations", **seen())
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
        .changed("preflight.observations", **seen(adverts=NONE, adverts_own_mac=idle))
        .judge("FO-42"),
        "undecided",
    )
