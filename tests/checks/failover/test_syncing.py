"""FO-32 to 35 and 40: synced data, good and broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.failover.syncing import SYNCED
from tests.checks.failover.recording import Run, passes, rejects, unsure

REQUIREMENTS = ["FO-32", "FO-33", "FO-34", "FO-35", "FO-40"]


def synced(directory: Path) -> Run:
    run = Run(directory, 100)
    hashes = {"before": "a", "active": "b", "staged": "b", "live_before": "x", "live": "x"}
    for origin, target in (("primary", "secondary"), ("secondary", "primary")):
        for item in sorted(SYNCED):
            way = {"origin": origin, "target": target, "item": item}
            run.event(10, "staged.compared", target, **way, **hashes, seconds=20, period_s=30)
    for item in sorted(SYNCED):
        run.event(40, "running.compared", "secondary", item=item, staged="b", running="b")
    profile = {"origin": "primary", "server": "secondary", "edited": False, "connected": True}
    run.event(50, "client.profile", "client", client="alice", **profile)
    for node in ("primary", "secondary"):
        shown = {"key": "K-1", "limit": 10, "active": True, "loaded_on": "primary"}
        run.event(60, "subscription.shown", node, **shown)
    return run


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_a_sync_as_it_should_be_passes(tmp_path: Path, requirement: str) -> None:
    passes(synced(tmp_path).judge(requirement))


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_what_was_not_recorded_is_unknown(tmp_path: Path, requirement: str) -> None:
    unsure(Run(tmp_path, 100).judge(requirement))


@pytest.mark.parametrize(
    ("requirement", "kind", "change", "reason"),
    [
        ("FO-32", "staged.compared", {"staged": "a"}, "users did not reach secondary"),
        ("FO-32", "staged.compared", {"live": "b"}, "loaded live on the standby"),
        ("FO-32", "staged.compared", {"seconds": 46}, "one sync period of 30 s"),
        ("FO-33", "running.compared", {"running": "a"}, "not what was staged"),
        ("FO-34", "staged.compared", {"staged": "a"}, "users did not reach primary"),
        ("FO-35", "client.profile", {"connected": False}, "fails on secondary"),
        ("FO-40", "subscription.shown", {"key": ""}, "no key after LoadSubscription"),
    ],
)
def test_each_broken_sync_is_rejected(
    tmp_path: Path, requirement: str, kind: str, change: dict, reason: str
) -> None:
    rejects(synced(tmp_path).changed(kind, **change).judge(requirement), reason)


def test_a_key_left_out_of_the_sync_is_rejected(tmp_path: Path) -> None:
    run = synced(tmp_path)
    run.events[-1][3].update(key="", limit=2)
    rejects(run.judge("FO-40"), "secondary shows key '' with limit 2")


def test_data_that_was_not_changed_shows_nothing(tmp_path: Path) -> None:
    unsure(synced(tmp_path).changed("staged.compared", before="b").judge("FO-32"))


@pytest.mark.parametrize(
    ("requirement", "kind"),
    [("FO-32", "staged.compared"), ("FO-33", "running.compared"), ("FO-34", "staged.compared")],
)
@pytest.mark.parametrize("item", ["users", "revocations", "configuration"])
def test_an_item_that_was_not_compared_is_missed(
    tmp_path: Path, requirement: str, kind: str, item: str
) -> None:
    run = synced(tmp_path)
    run.events = [event for event in run.events if (event[1], event[3].get("item")) != (kind, item)]
    unsure(run.judge(requirement), f"not compared: {item}")


@pytest.mark.parametrize("requirement", ["FO-32", "FO-34"])
def test_a_change_that_just_missed_a_sync_has_until_the_end_of_the_next(
    tmp_path: Path, requirement: str
) -> None:
    # The period is waited after each send, so a send may lie before it and one behind it.
    passes(synced(tmp_path).changed("staged.compared", seconds=43).judge(requirement))


def test_what_neither_node_has_is_not_what_was_staged(tmp_path: Path) -> None:
    run = synced(tmp_path).changed("running.compared", staged="absent", running="absent")
    unsure(run.judge("FO-33"), "users: nothing staged")


def test_what_was_staged_and_is_not_there_is_rejected(tmp_path: Path) -> None:
    run = synced(tmp_path).changed("running.compared", running="absent")
    rejects(run.judge("FO-33"), "not what was staged")
