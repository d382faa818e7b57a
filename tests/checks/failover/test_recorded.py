"""What a scenario's events say of a pair: spans and watches that end, thaws that are exact."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.failover.recording import SAY, Run, passes, rejects, steady, takeover, unsure


def thawed(run: Run, at: float, kind: str = "lab.thawed", uncertainty: float = 0) -> Run:
    lab = {"lab": "lab", "generation": 2, "clock": {"behind_ns": 0}}
    run.event(at, kind, "scenario", uncertainty, **lab)
    return run


def split_brain(directory: Path) -> Run:
    """Let both nodes advertise for 18 s after a takeover."""
    run = takeover(directory, "kill-ucarp")
    run.beats("primary", 20.1, 38, counter=7000)
    return run


@pytest.mark.parametrize("requirement", ["FO-24", "FO-25", "FO-26"])
def test_a_thaw_of_which_nobody_knows_when_it_was_excuses_no_split_brain(
    tmp_path: Path, requirement: str
) -> None:
    rejects(thawed(split_brain(tmp_path), 2).judge(requirement), "masters at once")
    run = thawed(split_brain(tmp_path), 2, uncertainty=10**6)
    unsure(run.judge(requirement), "lab.thawed", "1000000.0 s")


def test_a_filter_of_which_nobody_knows_when_it_began_excuses_no_split_brain(
    tmp_path: Path,
) -> None:
    run = split_brain(tmp_path)
    run.event(1, "filter.began", "wire", 10**6, filter="vrrp")
    run.event(2, "filter.ended", "wire", 10**6, filter="vrrp", hits=3)
    unsure(run.judge("FO-24"), "filter.began", "1000000.0 s")


def test_what_a_fault_did_is_watched_no_longer_than_until_the_lab_is_thawed(
    tmp_path: Path,
) -> None:
    run = takeover(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] < 10.3]
    run.beats("primary", 12.5, 40, counter=1003)
    unsure(thawed(run, 12).judge("FO-24"), "watched for only 1.7 s")


def test_a_watch_that_a_thaw_ends_is_no_repair_that_excuses_two_masters(tmp_path: Path) -> None:
    run = takeover(tmp_path).without("fault.watched")
    run.frames = [frame for frame in run.frames if frame[0] < 30]
    run.beats("primary", 30.5, 40, counter=1003)
    passes(thawed(run, 30).judge("FO-24"))
    run.asked(35, "secondary")
    rejects(run.judge("FO-24"), "secondary answers ARP for it while primary is the active node")


@pytest.mark.parametrize("kind", ["lab.thawed", "lab.booted"])
@pytest.mark.parametrize("requirement", ["FO-16", "FO-17"])
def test_a_span_in_which_the_lab_became_another_is_not_steady(
    tmp_path: Path, requirement: str, kind: str
) -> None:
    run = steady(tmp_path)
    run.frames = [frame for frame in run.frames if not 14.6 < frame[0] < 17.6]
    unsure(thawed(run, 15, kind).judge(requirement), kind, "steady")


@pytest.mark.parametrize("at", [1, 35])
def test_a_lab_that_is_thawed_outside_of_a_steady_span_leaves_it_steady(
    tmp_path: Path, at: float
) -> None:
    passes(thawed(steady(tmp_path), at).judge("FO-17"))


@pytest.mark.parametrize("requirement", ["FO-16", "FO-17"])
def test_a_span_that_ends_after_its_scenario_says_nothing(tmp_path: Path, requirement: str) -> None:
    run = steady(tmp_path)
    run.seconds = 12
    unsure(run.judge(requirement), "steady.ended", "outside of its scenario")


def test_a_span_that_begins_before_its_scenario_says_nothing(tmp_path: Path) -> None:
    run = steady(tmp_path).but(active="primary")
    run.event(-3, "steady.began", "scenario", active="primary")
    run.event(34, "steady.ended", "scenario", active="primary", says=SAY)
    unsure(run.judge("FO-17"), "steady.began", "outside of its scenario")


@pytest.mark.parametrize("requirement", ["FO-16", "FO-17", "FO-18"])
def test_an_advertisement_that_was_not_recorded_whole_says_nothing(
    tmp_path: Path, requirement: str
) -> None:
    run = steady(tmp_path)
    at, interface, raw, comment = run.frames[12]
    run.frames[12] = at, interface, raw[:40], comment
    run.short = {at: len(raw) - 40}
    unsure(run.judge(requirement), "30 octets of a frame of primary/wire0 were not recorded")
