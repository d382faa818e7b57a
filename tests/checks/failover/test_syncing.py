"""FO-32 to 35 and 40: synced data, good and broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.failover.syncing import SYNCED
from tests.checks.failover.crashes import busy, crashed, crashed_twice, is_late, never_left, unheard
from tests.checks.failover.recording import Run, passes, rejects, unsure
from tests.checks.failover.tunnels import served

REQUIREMENTS = ["FO-32", "FO-33", "FO-34", "FO-35", "FO-40"]
AFTER_A_TAKEOVER = REQUIREMENTS[1:]
HASHES = {"before": "a", "active": "b", "staged": "b", "live_before": "x", "live": "x"}
WAYS = (("primary", "secondary"), ("secondary", "primary"))


def synced(directory: Path) -> Run:
    """Change the active node, crash it at 20 s, change the new one; all arrives as it should."""
    run = crashed(directory, at=20)
    for at, (origin, target) in zip((10, 60), WAYS, strict=True):
        for item in sorted(SYNCED):
            way = {"origin": origin, "target": target, "item": item}
            run.event(at, "staged.compared", target, **way, **HASHES, seconds=20, period_s=30)
    for item in sorted(SYNCED):
        run.event(40, "running.compared", "secondary", item=item, staged="b", running="b")
    profile = {"origin": "primary", "server": "secondary", "edited": False, "connected": True}
    run.event(50, "profile.used", "client", client="alice", **profile)
    for at, node in ((15, "primary"), (60, "secondary")):
        shown = {"key": "K-1", "limit": 10, "active": True, "loaded_on": "primary"}
        run.event(at, "subscription.shown", node, **shown)
    return run


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_a_sync_as_it_should_be_passes(tmp_path: Path, requirement: str) -> None:
    passes(synced(tmp_path).judge(requirement))


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_what_was_not_recorded_is_unknown(tmp_path: Path, requirement: str) -> None:
    unsure(crashed(tmp_path).judge(requirement))


@pytest.mark.parametrize("requirement", AFTER_A_TAKEOVER)
def test_compared_while_the_primary_was_still_active_no_failover_happened(
    tmp_path: Path, requirement: str
) -> None:
    unsure(never_left(synced(tmp_path)).judge(requirement), "no fault was recorded")


@pytest.mark.parametrize("requirement", AFTER_A_TAKEOVER)
def test_a_fault_that_should_have_moved_the_role_and_did_not_is_rejected(
    tmp_path: Path, requirement: str
) -> None:
    rejects(unheard(synced(tmp_path)).judge(requirement), "secondary did not take over")


@pytest.mark.parametrize("requirement", AFTER_A_TAKEOVER)
def test_what_was_compared_before_the_takeover_shows_nothing(
    tmp_path: Path, requirement: str
) -> None:
    run = synced(tmp_path)
    run.events = [(18, *event[1:]) if event[0] in (40, 50, 60) else event for event in run.events]
    unsure(run.judge(requirement))


@pytest.mark.parametrize(
    ("requirement", "kind", "change", "reason"),
    [
        (
            "FO-32",
            "staged.compared",
            {"staged": "a", "seconds": 60},
            "users did not reach secondary",
        ),
        ("FO-32", "staged.compared", {"live": "b"}, "loaded live on the standby"),
        ("FO-32", "staged.compared", {"seconds": 46}, "one sync period of 30"),
        ("FO-33", "running.compared", {"running": "a"}, "not what was staged"),
        ("FO-34", "staged.compared", {"staged": "a", "seconds": 60}, "users did not reach primary"),
        ("FO-35", "profile.used", {"connected": False}, "fails on secondary"),
        ("FO-40", "subscription.shown", {"key": ""}, "no key after LoadSubscription"),
    ],
)
def test_each_broken_sync_is_rejected(
    tmp_path: Path, requirement: str, kind: str, change: dict, reason: str
) -> None:
    rejects(synced(tmp_path).changed(kind, **change).judge(requirement), reason)


@pytest.mark.parametrize("change", [{"key": "", "limit": 2}, {"limit": 2}, {"key": "K-2"}])
def test_a_key_left_out_of_the_sync_is_rejected(tmp_path: Path, change: dict) -> None:
    run = synced(tmp_path)
    run.events[-1][3].update(change)
    rejects(run.judge("FO-40"), "secondary shows key ", "primary showed 'K-1' with 10")


def test_a_key_that_the_new_node_loses_again_is_rejected(tmp_path: Path) -> None:
    run = synced(tmp_path)
    run.event(80, "subscription.shown", "secondary", **{**run.events[-1][3], "key": ""})
    rejects(run.judge("FO-40"), "secondary shows key ''")


def test_a_subscription_shown_on_both_nodes_before_the_crash_says_nothing(tmp_path: Path) -> None:
    run = synced(tmp_path)
    run.events[-1] = (16, *run.events[-1][1:])
    unsure(run.judge("FO-40"), "secondary shows the same key and limit")


def test_a_subscription_that_only_the_new_node_shows_says_nothing(tmp_path: Path) -> None:
    run = synced(tmp_path)
    run.events = [event for event in run.events if event[1:3] != ("subscription.shown", "primary")]
    unsure(run.judge("FO-40"), "primary shows the subscription that it loaded")


@pytest.mark.parametrize("change", [{"before": "b"}, {"active": "absent", "staged": "absent"}])
@pytest.mark.parametrize("requirement", ["FO-32", "FO-34"])
def test_data_that_was_not_changed_shows_nothing(
    tmp_path: Path, requirement: str, change: dict
) -> None:
    unsure(synced(tmp_path).changed("staged.compared", **change).judge(requirement), "not changed")


def test_a_change_that_the_standby_ran_already_shows_nothing(tmp_path: Path) -> None:
    run = synced(tmp_path).changed("staged.compared", live_before="b", live="b")
    unsure(run.judge("FO-32"), "ran it before the change")


@pytest.mark.parametrize(
    ("requirement", "kind"),
    [("FO-32", "staged.compared"), ("FO-33", "running.compared"), ("FO-34", "staged.compared")],
)
@pytest.mark.parametrize("item", sorted(SYNCED))
def test_an_item_that_was_not_compared_is_missed(
    tmp_path: Path, requirement: str, kind: str, item: str
) -> None:
    run = synced(tmp_path)
    run.events = [event for event in run.events if (event[1], event[3].get("item")) != (kind, item)]
    unsure(run.judge(requirement), f"not shown: {item}")


@pytest.mark.parametrize("requirement", ["FO-32", "FO-34"])
def test_a_change_that_just_missed_a_sync_has_until_the_end_of_the_next(
    tmp_path: Path, requirement: str
) -> None:
    # The period is waited after each send, so a send may lie before it and one behind it.
    passes(synced(tmp_path).changed("staged.compared", seconds=43).judge(requirement))


def test_a_sync_from_the_old_primary_is_not_the_other_way(tmp_path: Path) -> None:
    run = synced(tmp_path)
    ways = dict(zip(("origin", "target"), WAYS[0], strict=True))
    unsure(run.changed("staged.compared", **ways).judge("FO-34"), "not shown: users")


def test_what_neither_node_has_is_not_what_was_staged(tmp_path: Path) -> None:
    run = synced(tmp_path).changed("running.compared", staged="absent", running="absent")
    unsure(run.judge("FO-33"), "users: nothing staged")


def test_what_was_staged_and_is_not_there_is_rejected(tmp_path: Path) -> None:
    run = synced(tmp_path).changed("running.compared", running="absent")
    rejects(run.judge("FO-33"), "not what was staged")


def test_compared_on_the_old_primary_instead_of_the_new_active_node(tmp_path: Path) -> None:
    run = synced(tmp_path)
    run.events = [
        (at, kind, "primary" if kind == "running.compared" else source, *rest)
        for at, kind, source, *rest in run.events
    ]
    unsure(run.judge("FO-33"), "not shown: users as staged")


@pytest.mark.parametrize(
    "change", [{"server": "primary"}, {"origin": "secondary"}, {"edited": True}]
)
def test_a_client_that_did_not_come_to_the_other_node_unedited_shows_nothing(
    tmp_path: Path, change: dict
) -> None:
    unsure(synced(tmp_path).changed("profile.used", **change).judge("FO-35"))


def test_the_primary_is_still_active_the_client_connected_to_it_by_the_virtual_ip(
    tmp_path: Path,
) -> None:
    # A fault came, and the role moved, and went back before the client connected.
    run = synced(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] < 45]
    run.beats("primary", 45, 100, counter=2000)
    unsure(run.judge("FO-35"), "a profile of the old node works")


def shown(run: Run, at: float, node: str, **changed: object) -> None:
    data = {"key": "K-1", "limit": 10, "active": True, "loaded_on": "primary", **changed}
    run.event(at, "subscription.shown", node, **data)


def test_each_takeover_is_held_to_what_was_loaded_before_it(tmp_path: Path) -> None:
    run = crashed_twice(tmp_path)
    for at, key in ((15, "K-1"), (55, "K-2")):
        shown(run, at, "primary", key=key)
        shown(run, at + 15, "secondary", key=key)
    passes(run.judge("FO-40"))


def test_a_takeover_after_which_no_subscription_was_shown_leaves_it_open(tmp_path: Path) -> None:
    run = crashed_twice(tmp_path)
    for at, node in ((15, "primary"), (30, "secondary"), (55, "primary")):
        shown(run, at, node)
    unsure(run.judge("FO-40"), "secondary shows the same key and limit")


@pytest.mark.parametrize(
    ("at", "changed"), [(15, {"active": False}), (15, {"loaded_on": "secondary"}), (30, {})]
)
def test_what_the_old_node_did_not_load_while_it_was_active_says_nothing(
    tmp_path: Path, at: float, changed: dict
) -> None:
    run = crashed(tmp_path, at=20)
    shown(run, at, "primary", **changed)
    shown(run, 60, "secondary")
    unsure(run.judge("FO-40"), "primary shows the subscription that it loaded")


@pytest.mark.parametrize("node", ["primary", "secondary"])
def test_what_a_node_shows_that_is_not_active_is_not_asked_for(tmp_path: Path, node: str) -> None:
    run = synced(tmp_path)
    shown(run, 70, node, key="", active=False)
    passes(run.judge("FO-40"))


def test_a_change_on_the_secondary_is_none_on_the_primary(tmp_path: Path) -> None:
    run = synced(tmp_path)
    unsure(run.but(origin="primary").judge("FO-32"), "not shown: users of primary")


@pytest.mark.parametrize(("requirement", "at"), [("FO-32", 72), ("FO-34", 92)])
@pytest.mark.parametrize("of", ["primary", "secondary", "wire", "scenario"])
def test_a_sync_that_the_host_kept_from_running_may_be_as_late_as_that(
    tmp_path: Path, requirement: str, at: float, of: str
) -> None:
    run = synced(tmp_path).changed("staged.compared", seconds=46)
    moved = {10: 72, 60: 92}
    run.events = [
        (moved[event[0]], *event[1:]) if event[1] == "staged.compared" else event
        for event in run.events
    ]
    unsure(busy(run, of, at - 2, at - 1).judge(requirement), f"`{of}` was kept from running")
    rejects(busy(run.but(of=of), of, at - 40, at - 30).judge(requirement), "one sync period")


def test_a_key_that_was_loaded_by_hand_on_the_new_node_did_not_come_with_the_role(
    tmp_path: Path,
) -> None:
    run = synced(tmp_path)
    assert run.events[-1][1:3] == ("subscription.shown", "secondary")
    run.events[-1][3].update(loaded_on="secondary")
    unsure(run.judge("FO-40"), "secondary shows the same key and limit")


def test_a_key_that_came_with_the_role_may_be_replaced_by_hand(tmp_path: Path) -> None:
    run = synced(tmp_path)
    shown(run, 80, "secondary", key="K-2", loaded_on="secondary")
    passes(run.judge("FO-40"))


@pytest.mark.parametrize("target", ["primary", "client"])
def test_what_was_compared_elsewhere_than_on_the_standby_shows_nothing(
    tmp_path: Path, target: str
) -> None:
    run = synced(tmp_path)
    for event in run.events:
        if event[1] == "staged.compared" and event[3]["origin"] == "primary":
            event[3]["target"] = target
    unsure(run.judge("FO-32"), "not shown: users of primary")


def compared_once(directory: Path) -> Run:
    """Two crashes; what became of the data is looked at after the first one only."""
    run = synced(directory)
    twice = crashed_twice(directory)
    run.frames = twice.frames
    run.events = [
        (at - 15 if at == 60 else at, *rest)
        for at, *rest in run.events
        if rest[0] not in ("fault.injected", "fault.watched")
    ] + [event for event in twice.events if event[1] != "pair.configured"]
    return run


@pytest.mark.parametrize("requirement", AFTER_A_TAKEOVER)
def test_two_crashes_and_only_after_the_first_was_it_looked_at(
    tmp_path: Path, requirement: str
) -> None:
    unsure(compared_once(tmp_path).judge(requirement), "not shown")


@pytest.mark.parametrize("requirement", ["FO-33", "FO-34", "FO-35"])
def test_two_crashes_and_after_each_it_is_as_it_should_be(tmp_path: Path, requirement: str) -> None:
    run = compared_once(tmp_path)
    kinds = ("running.compared", "staged.compared", "profile.used")
    run.events += [(at + 40, *rest) for at, *rest in run.events if rest[0] in kinds and at > 30]
    passes(run.judge(requirement))


def used(run: Run, at: float, **changed: object) -> Run:
    profile = {"origin": "primary", "server": "secondary", "edited": False, "connected": False}
    run.event(at, "profile.used", "client", **{"client": "alice", **profile, **changed})
    return run


def test_a_client_that_needs_a_second_attempt_connects(tmp_path: Path) -> None:
    passes(used(synced(tmp_path), 45).judge("FO-35"))


@pytest.mark.parametrize(("at", "client"), [(55, "alice"), (45, "bob")])
def test_a_client_that_is_not_connected_in_the_end_is_rejected(
    tmp_path: Path, at: float, client: str
) -> None:
    rejects(used(synced(tmp_path), at, client=client).judge("FO-35"), f"{client}'s profile of")


@pytest.mark.parametrize("of", ["secondary", "wire", "outside"])
def test_a_client_that_was_let_in_by_nobody_who_ran_is_late(tmp_path: Path, of: str) -> None:
    run = used(synced(tmp_path).without("profile.used"), 55, waited_s=20)
    rejects(run.judge("FO-35"), "alice's profile of primary fails on secondary")
    is_late(run, "FO-35", of, 35, 55)


@pytest.mark.parametrize(
    ("of", "refused"), [("primary", False), ("secondary", True)], ids=["dead", "refused"]
)
def test_the_dead_node_lets_nobody_wait_and_a_refusal_is_an_answer(
    tmp_path: Path, of: str, refused: bool
) -> None:
    run = used(synced(tmp_path).without("profile.used"), 55, waited_s=20, refused=refused)
    rejects(busy(run, of, 35, 55).judge("FO-35"), "alice's profile of primary fails")


def test_a_profile_that_works_once_it_was_edited_is_rejected(tmp_path: Path) -> None:
    run = used(synced(tmp_path).changed("profile.used", edited=True), 45)
    rejects(run.judge("FO-35"), "alice's profile of primary fails on secondary")


def test_a_client_that_the_old_node_goes_on_serving_did_not_come_to_the_new_one(
    tmp_path: Path,
) -> None:
    run = synced(tmp_path).changed("fault.injected", fault="kill-ucarp")
    for second in range(30, 50):
        served(run, second, "primary")
    unsure(run.judge("FO-35"), "only primary sent from the virtual IP")
    served(run, 49, "secondary")
    passes(run.judge("FO-35"))


def there_and_back(directory: Path, **last: object) -> Run:
    """Let the primary fail, and later the secondary; what the primary shows after that is given."""
    run = Run(directory, 120)
    counter = run.beats("primary", 0, 20.1)
    run.event(20.2, "fault.injected", "scenario", fault="power-off", node="primary")
    counter = run.beats("secondary", 23.2, 70.3, counter=counter)
    run.event(50, "fault.watched", "scenario", node="primary")
    run.event(70.4, "fault.injected", "scenario", fault="power-off", node="secondary")
    run.beats("primary", 73.4, 120, counter=counter)
    run.event(119, "fault.watched", "scenario", node="secondary")
    for at, node in ((15, "primary"), (40, "secondary")):
        shown(run, at, node)
    shown(run, 90, "primary", **last)
    return run


def test_a_key_that_came_with_the_role_moves_on_with_it(tmp_path: Path) -> None:
    passes(there_and_back(tmp_path).judge("FO-40"))


def test_a_key_that_is_lost_when_the_role_moves_on_is_rejected(tmp_path: Path) -> None:
    rejects(there_and_back(tmp_path, key="").judge("FO-40"), "primary shows key ''")


def test_a_key_that_was_replaced_in_between_is_the_one_that_moves_on(tmp_path: Path) -> None:
    run = there_and_back(tmp_path, key="K-2", loaded_on="secondary")
    shown(run, 60, "secondary", key="K-2", loaded_on="secondary")
    passes(run.judge("FO-40"))
    run.events = [event for event in run.events if event[0] != 90]
    shown(run, 90, "primary")
    unsure(run.judge("FO-40"), "primary shows the same key and limit")


def looked_before(run: Run, **changed: object) -> Run:
    """Look for users once before, 12 s after the change: no sync was due yet."""
    for at, (origin, target) in zip((2, 48), WAYS, strict=True):
        early = {**HASHES, "staged": "a", "seconds": 12, "period_s": 30, **changed}
        way = {"origin": origin, "target": target, "item": "users"}
        run.event(at, "staged.compared", target, **way, **early)
    return run


@pytest.mark.parametrize("requirement", ["FO-32", "FO-34"])
def test_a_look_before_a_sync_was_due_says_nothing_of_how_it_ends(
    tmp_path: Path, requirement: str
) -> None:
    passes(looked_before(synced(tmp_path)).judge(requirement))


@pytest.mark.parametrize("requirement", ["FO-32", "FO-34"])
def test_what_was_loaded_live_at_one_look_is_rejected(tmp_path: Path, requirement: str) -> None:
    rejects(looked_before(synced(tmp_path), live="b").judge(requirement), "loaded live")


@pytest.mark.parametrize("requirement", ["FO-32", "FO-34"])
def test_what_is_not_staged_at_the_last_look_is_rejected(tmp_path: Path, requirement: str) -> None:
    run = synced(tmp_path).changed("staged.compared", staged="a")
    rejects(looked_before(run, staged="b").judge(requirement), "users did not stay staged")


@pytest.mark.parametrize("requirement", ["FO-32", "FO-34"])
def test_a_look_long_after_it_was_staged_is_no_delay(tmp_path: Path, requirement: str) -> None:
    run = synced(tmp_path).changed("staged.compared", seconds=60)
    rejects(run.judge(requirement), "users took 60.0 s")
    verdict = looked_before(run, staged="b").judge(requirement)
    assert "users took" not in verdict.text


@pytest.mark.parametrize("requirement", ["FO-32", "FO-34"])
def test_what_was_not_looked_for_for_long_is_not_missing(tmp_path: Path, requirement: str) -> None:
    run = synced(tmp_path).changed("staged.compared", staged="a", seconds=40)
    unsure(run.judge(requirement), "users did not reach")


@pytest.mark.parametrize("requirement", ["FO-32", "FO-34"])
def test_a_late_look_is_no_delay(tmp_path: Path, requirement: str) -> None:
    run = synced(tmp_path).changed("staged.compared", seconds=60, not_before_s=44)
    unsure(run.judge(requirement), "was looked for in vain after 44.0 s")
    run = run.changed("staged.compared", not_before_s=46)
    rejects(run.judge(requirement), "users took 60.0 s")
    passes(run.changed("staged.compared", seconds=45, not_before_s=44).judge(requirement))


@pytest.mark.parametrize("requirement", ["FO-32", "FO-34"])
def test_another_change_that_does_not_arrive_is_rejected(tmp_path: Path, requirement: str) -> None:
    run = looked_before(synced(tmp_path), before="0", active="a", staged="0", seconds=60)
    rejects(run.judge(requirement), "users did not reach")


def test_what_came_to_the_active_node_reached_no_standby(tmp_path: Path) -> None:
    run = never_left(synced(tmp_path))
    run.frames = []
    run.beats("secondary", 0, 100)
    unsure(run.judge("FO-32"), "secondary was the active node, and no standby")


def looked_at_once(run: Run, kind: str, **changed: object) -> Run:
    """Look at the new holder once more, 0.8 s after it took over."""
    (found,) = [one[3] for one in run.events if one[1:3] == (kind, "secondary")][:1]
    run.event(24, kind, "secondary", **{**found, **changed})
    return run


LOADING = {
    "FO-33": ("running.compared", {"running": "a"}),
    "FO-40": ("subscription.shown", {"key": ""}),
}
"""What the new holder shows while it loads what was staged."""


@pytest.mark.parametrize("requirement", LOADING)
def test_a_new_holder_that_has_yet_to_load_what_was_staged_passes(
    tmp_path: Path, requirement: str
) -> None:
    kind, changed = LOADING[requirement]
    passes(looked_at_once(synced(tmp_path), kind, **changed).judge(requirement))


@pytest.mark.parametrize("requirement", LOADING)
def test_a_new_holder_that_was_looked_at_too_soon_only_says_nothing(
    tmp_path: Path, requirement: str
) -> None:
    kind, changed = LOADING[requirement]
    run = synced(tmp_path)
    late = [one for one in run.events if one[1:3] == (kind, "secondary")]
    run.events = [one for one in run.events if one not in late]
    run.events += [(24, *one[1:3], {**one[3], **changed}, 0) for one in late]
    unsure(run.judge(requirement), "looked at 0.8 s after it took over, and not later")


@pytest.mark.parametrize("requirement", LOADING)
def test_a_new_holder_that_shows_at_once_what_was_staged_passes(
    tmp_path: Path, requirement: str
) -> None:
    run = synced(tmp_path)
    run.events = [
        (24, *one[1:]) if one[1:3] == (LOADING[requirement][0], "secondary") else one
        for one in run.events
    ]
    passes(run.judge(requirement))


def test_a_profile_tried_right_after_the_takeover_and_not_later_says_nothing(
    tmp_path: Path,
) -> None:
    run = used(synced(tmp_path).without("profile.used"), 24)
    unsure(run.judge("FO-35"), "0.8 s after secondary took over")
    rejects(used(run, 35).judge("FO-35"), "alice's profile of primary fails on secondary")
