"""FO-01 and 06 to 09: Validate of a pair that is set up right, and of broken ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.failover.crashes import busy, is_late, powered_off
from tests.checks.failover.recording import (
    ADDRESS,
    MAC,
    UCARP,
    Run,
    node,
    passes,
    rejects,
    stamp,
    unsure,
)
from tests.checks.protocols import encoder

REQUIREMENTS = ["FO-01", "FO-06", "FO-07", "FO-08", "FO-09"]
ROWS = [f"{check} on {node}" for node in ADDRESS for check in ("ssh", "rsync")]
BROKEN = {
    "sshd-stopped": ["ssh on secondary"],
    "port-blocked": ["ssh on primary"],
    "wrong-host-key": ["ssh on secondary"],
    "no-rsync": ["rsync on secondary"],
    "no-rsync-on-primary": ["rsync on primary"],
    "key-not-copied": ["ssh on secondary"],
}
STATE = {"primary: addresses": "x", "secondary: addresses": "y"}


def rows(*bad: str) -> list[dict[str, object]]:
    return [{"name": name, "good": name not in bad} for name in ROWS]


def show(run: Run, at: float, broken: str = "", *bad: str) -> None:
    shown = {"broken": broken, "rows": rows(*bad), "expected_bad": list(bad)}
    run.event(at, "validate.shown", "primary", **shown)


def unanswered(run: Run, at: float, broken: str, *bad: str, silent: str = "ssh on primary") -> None:
    """Show a row bad that should not be, for nobody answered it in the ten seconds before."""
    shown = rows(*bad, silent)
    said = "10.0.1.2: ssh: connect to host 10.0.1.2 port 22: Connection timed out"
    for row in shown:
        if row["name"] == silent:
            row["detail"] = said
    data = {"broken": broken, "rows": shown, "expected_bad": list(bad)}
    run.event(at, "validate.shown", "primary", began_ns=stamp(at - 11), **data)


def validated(directory: Path) -> Run:
    """Validate a good pair, then with each thing broken, then watched from outside."""
    run = Run(directory, 60)
    run.beats("primary", 0, 60)
    show(run, 6)
    for broken, bad in BROKEN.items():
        show(run, 7, broken, *bad)
    run.event(8, "validate.began", "scenario", state=STATE)
    show(run, 9)
    run.event(10, "validate.ended", "scenario", state=dict(STATE))
    return run


def replaced(run: Run, broken: str, **data: object) -> Run:
    for event in run.events:
        if event[3].get("broken") == broken:
            event[3].update(data)
    return run


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_a_pair_that_validates_as_it_should_passes(tmp_path: Path, requirement: str) -> None:
    passes(validated(tmp_path).judge(requirement))


@pytest.mark.parametrize(
    ("requirement", "kind", "change", "reason"),
    [
        ("FO-01", "validate.shown", {"rows": rows()}, "with no-rsync these read GOOD"),
        ("FO-01", "validate.shown", {"rows": rows()}, "with no-rsync-on-primary these read GOOD"),
        ("FO-01", "validate.shown", {"rows": rows("rsync on primary")}, "in a pair set up right"),
        ("FO-06", "validate.shown", {"rows": rows()}, "with key-not-copied these read GOOD"),
        ("FO-07", "validate.shown", {"rows": rows()}, "all rows read GOOD"),
        ("FO-07", "validate.shown", {"rows": rows()[:3]}, "3 rows, not 4"),
        ("FO-08", "validate.shown", {"rows": rows(*ROWS[:2])}, "turned bad, expected"),
        ("FO-09", "validate.ended", {"state": {"a": 1}}, "changed by Validate: a, primary: addr"),
    ],
)
def test_each_broken_validate_is_rejected(
    tmp_path: Path, requirement: str, kind: str, change: dict, reason: str
) -> None:
    rejects(validated(tmp_path).changed(kind, **change).judge(requirement), reason)


@pytest.mark.parametrize(
    ("requirement", "kind"),
    [
        *((requirement, "validate.shown") for requirement in REQUIREMENTS),
        ("FO-09", "validate.began"),
        ("FO-09", "validate.ended"),
        ("FO-09", "pair.configured"),
    ],
)
def test_what_was_not_recorded_is_unknown(tmp_path: Path, requirement: str, kind: str) -> None:
    unsure(validated(tmp_path).without(kind).judge(requirement))


@pytest.mark.parametrize(
    ("requirement", "broken"),
    [
        *(("FO-01", broken) for broken in ("", "no-rsync", "no-rsync-on-primary")),
        *(("FO-06", broken) for broken in ("", "key-not-copied")),
        ("FO-07", ""),
        *(("FO-08", broken) for broken in ("", *BROKEN) if broken != "key-not-copied"),
        ("FO-09", ""),
    ],
)
def test_what_was_not_tried_leaves_it_open(tmp_path: Path, requirement: str, broken: str) -> None:
    unsure(validated(tmp_path).but(broken=broken).judge(requirement), "not shown")


def test_a_validate_that_was_never_asked_of_a_broken_pair_leaves_it_open(tmp_path: Path) -> None:
    run = validated(tmp_path)
    run.events = [event for event in run.events if not event[3].get("broken")]
    unsure(run.judge("FO-07"), "a broken pair does not read GOOD")


@pytest.mark.parametrize("requirement", ["FO-01", "FO-06", "FO-08"])
def test_a_cause_whose_rows_were_not_named_shows_nothing(tmp_path: Path, requirement: str) -> None:
    run = validated(tmp_path)
    for event in run.events:
        if event[3].get("broken"):
            event[3]["expected_bad"] = []
    verdict = run.judge(requirement)
    assert "no row is named" in verdict.text or "expected []" in verdict.text
    assert verdict.status != "PASS"


def test_a_cause_that_turned_no_row_because_none_was_named_shows_nothing(tmp_path: Path) -> None:
    nothing = {"rows": rows(), "expected_bad": []}
    run = replaced(validated(tmp_path), "sshd-stopped", **nothing)
    unsure(run.judge("FO-08"), "no row is named that sshd-stopped should turn bad")


def test_without_rsync_a_row_that_does_not_name_it_is_the_wrong_one(tmp_path: Path) -> None:
    wrong = {"rows": rows("ssh on secondary"), "expected_bad": ["ssh on secondary"]}
    rejects(replaced(validated(tmp_path), "no-rsync", **wrong).judge("FO-01"), "names rsync")


def test_other_rows_in_another_reading_are_rejected(tmp_path: Path) -> None:
    run = validated(tmp_path)
    run.events[-2][3]["rows"] = [*rows()[:3], {"name": "disk", "good": True}]
    rejects(run.judge("FO-07"), "not there each time: disk, rsync on secondary")


def test_a_row_that_was_never_bad_says_nothing(tmp_path: Path) -> None:
    wrong = {"rows": rows("rsync on secondary"), "expected_bad": ["rsync on secondary"]}
    run = replaced(validated(tmp_path), "no-rsync-on-primary", **wrong)
    unsure(run.judge("FO-08"), "'rsync on primary' was bad with one of them")


def test_a_row_that_is_bad_with_nothing_broken_too_is_rejected(tmp_path: Path) -> None:
    run = replaced(validated(tmp_path), "", rows=rows("ssh on secondary"))
    for requirement in ("FO-01", "FO-06", "FO-07", "FO-08"):
        rejects(run.judge(requirement), "not GOOD in a pair set up right: ssh on secondary")


def test_nothing_changed_without_a_validate_says_nothing(tmp_path: Path) -> None:
    run = validated(tmp_path)
    run.events = [event for event in run.events if event[:2] != (9, "validate.shown")]
    unsure(run.judge("FO-09"), "Validate was asked in between")


def test_a_state_of_which_nothing_was_read_says_nothing(tmp_path: Path) -> None:
    run = validated(tmp_path)
    for kind in ("validate.began", "validate.ended"):
        run.changed(kind, state={"primary: addresses": "", "primary: programs": []})
    unsure(run.judge("FO-09"), "nothing was read of the nodes")


def test_a_validate_that_starts_the_standby_is_rejected(tmp_path: Path) -> None:
    run = validated(tmp_path)
    run.beats("secondary", 12.5, 14)
    rejects(run.judge("FO-09"), "began to advertise during Validate: secondary")


def test_a_standby_with_the_actives_address_is_known_by_its_port(tmp_path: Path) -> None:
    run = validated(tmp_path)
    run.frame(12.5, "secondary/wire0", encoder.carp(ADDRESS["primary"], counter=2000))
    rejects(run.judge("FO-09"), "began to advertise during Validate: secondary")


def test_a_validate_that_ends_the_active_nodes_heartbeat_is_rejected(tmp_path: Path) -> None:
    run = validated(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] < 9]
    rejects(run.judge("FO-09"), "ceased to advertise during Validate: primary")


def test_a_capture_without_an_advertisement_says_nothing(tmp_path: Path) -> None:
    run = validated(tmp_path)
    run.frames = []
    run.asked(5)
    unsure(run.judge("FO-09"), "no node was heard before Validate")


@pytest.mark.parametrize(("began", "ended"), [(2, 10), (8, 57)])
def test_a_wire_that_was_not_listened_to_for_long_enough_says_nothing(
    tmp_path: Path, began: float, ended: float
) -> None:
    run = validated(tmp_path)
    moved = {"validate.began": began, "validate.ended": ended}
    run.events = [(moved.get(event[1], event[0]), *event[1:]) for event in run.events]
    unsure(run.judge("FO-09"), "was not listened to")


def test_another_pair_with_our_vhid_and_another_password_changes_nothing(tmp_path: Path) -> None:
    run = validated(tmp_path)
    for at in range(9, 60):
        run.frame(at, "client/wire0", encoder.carp("192.168.70.8", password="other"))
    passes(run.judge("FO-09"))


@pytest.mark.parametrize("silent", [(7.5, 11.2), (8.5, 12.2), (9.5, 13.5)])
def test_a_validate_that_restarts_the_active_nodes_heartbeat_is_rejected(
    tmp_path: Path, silent: tuple[float, float]
) -> None:
    run = validated(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] < silent[0]]
    run.beats("primary", silent[1], 60, counter=900_000)
    rejects(run.judge("FO-09"), "primary advertised, and then was silent for")


def waiting_for(run: Run, deadratio: int) -> Run:
    """Let both nodes be configured with another dead ratio."""
    nodes = {name: node(name, **{**UCARP, "deadratio": deadratio}) for name in ADDRESS}
    return run.changed("pair.configured", nodes=nodes)


def test_a_restart_is_a_shorter_silence_where_a_node_waits_less(tmp_path: Path) -> None:
    run = waiting_for(validated(tmp_path), 2)
    run.frames = [frame for frame in run.frames if frame[0] < 9.5]
    run.beats("primary", 11.2, 60, counter=900_000)
    rejects(run.judge("FO-09"), "primary advertised, and then was silent for")


def test_a_restart_cannot_be_told_where_a_node_hardly_waits(tmp_path: Path) -> None:
    unsure(waiting_for(validated(tmp_path), 1).judge("FO-09"), "a restart cannot be told")


def test_a_silence_that_the_host_can_explain_is_no_matter_of_validate(tmp_path: Path) -> None:
    run = validated(tmp_path)
    run.frames = [frame for frame in run.frames if not 8.5 < frame[0] < 11.5]
    unsure(busy(run, "primary", 9, 11).judge("FO-09"), "`primary` was kept from running")


def test_an_advertisement_that_was_lost_is_no_restart(tmp_path: Path) -> None:
    run = validated(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] != 9]
    passes(run.judge("FO-09"))


def test_a_node_that_became_active_just_before_validate_passes(tmp_path: Path) -> None:
    run = validated(tmp_path)
    run.frames = []
    run.beats("primary", 7.9, 60)
    passes(run.judge("FO-09"))


def test_a_role_that_moves_because_a_busy_host_keeps_its_holder_is_no_matter_of_validate(
    tmp_path: Path,
) -> None:
    run = validated(tmp_path)
    run.frames = [frame for frame in run.frames if not 8.5 < frame[0] < 12.5]
    run.beats("secondary", 11.9, 13.5, counter=5000)
    rejects(run.judge("FO-09"), "began to advertise during Validate: secondary")
    is_late(run, "FO-09", "primary", 8.5, 12.6)


@pytest.mark.parametrize("at", [9.3, 10.3, 12.3])
def test_a_crash_soon_after_validate_is_not_its_doing(tmp_path: Path, at: float) -> None:
    run = powered_off(validated(tmp_path), at)
    unsure(run.judge("FO-09"), "something else was done")
    run.beats("secondary", 8.5, 9)
    rejects(run.judge("FO-09"), "began to advertise during Validate: secondary")


def test_a_state_that_differs_because_of_a_crash_is_not_validates_doing(tmp_path: Path) -> None:
    run = validated(tmp_path).changed("validate.ended", state={"primary: programs": "none"})
    rejects(run.judge("FO-09"), "changed by Validate")
    unsure(powered_off(run, 9.3).judge("FO-09"), "or by what else was done meanwhile")


def test_a_restart_by_validate_is_rejected_although_a_crash_follows(tmp_path: Path) -> None:
    run = powered_off(validated(tmp_path), 14.3)
    run.frames = [frame for frame in run.frames if not 8.5 < frame[0] < 12]
    rejects(run.judge("FO-09"), "primary advertised, and then was silent for")


def test_a_commit_right_after_validate_restarts_the_pair_and_not_validate(tmp_path: Path) -> None:
    run = validated(tmp_path)
    run.event(10.4, "commit.done", "primary", node="primary")
    run.frames = [frame for frame in run.frames if not 10.5 < frame[0] < 15.5]
    unsure(run.judge("FO-09"), "something else was done")


def test_a_standby_that_claims_the_virtual_ip_for_a_moment_is_rejected(tmp_path: Path) -> None:
    run = validated(tmp_path)
    run.frame(9.2, "secondary/wire0", encoder.gratuitous(MAC["secondary"]))
    run.asked(11, "secondary")
    why = "claimed the virtual IP during Validate: secondary announces it by gratuitous ARP"
    rejects(run.judge("FO-09"), why)


def test_what_the_active_node_claims_during_validate_passes(tmp_path: Path) -> None:
    run = validated(tmp_path)
    run.asked(9.5, "primary")
    run.asked(11, "primary")
    passes(run.judge("FO-09"))


def test_a_role_that_a_busy_host_moves_with_its_announcement_says_nothing(tmp_path: Path) -> None:
    run = validated(tmp_path)
    run.frames = [frame for frame in run.frames if not 8.5 < frame[0] < 13]
    run.beats("secondary", 12.6, 14.5, counter=5000)
    run.announce("secondary", 12.6)
    is_late(run, "FO-09", "primary", 8.5, 12.6)


@pytest.mark.parametrize("requirement", ["FO-01", "FO-06", "FO-07", "FO-08"])
def test_a_row_that_a_node_which_did_not_run_left_unanswered_is_late(
    tmp_path: Path, requirement: str
) -> None:
    run = validated(tmp_path)
    unanswered(run, 40, "")
    rejects(run.judge(requirement), "ssh on primary: 10.0.1.2: ssh: connect to host")
    is_late(run, requirement, "secondary", 30, 40)


def test_beside_a_row_that_was_broken_another_may_be_late(tmp_path: Path) -> None:
    run = validated(tmp_path)
    unanswered(run, 40, "no-rsync", "rsync on secondary")
    rejects(run.judge("FO-08"), "turned bad, expected ['rsync on secondary']")
    is_late(run, "FO-08", "primary", 30, 40)


def test_a_row_that_reads_good_and_should_not_is_nobodys_lateness(tmp_path: Path) -> None:
    run = validated(tmp_path)
    unanswered(run, 40, "no-rsync")
    for event in run.events:
        if event[3].get("broken") == "no-rsync":
            event[3]["expected_bad"] = ["rsync on secondary"]
    rejects(busy(run, "secondary", 30, 40).judge("FO-08"), "turned bad, expected")


def test_a_row_that_was_refused_is_nobodys_lateness(tmp_path: Path) -> None:
    run = validated(tmp_path)
    unanswered(run, 40, "")
    for row in run.events[-1][3]["rows"]:
        row["detail"] = "10.0.1.2: root@10.0.1.2: Permission denied (publickey)."
    rejects(busy(run, "secondary", 30, 40).judge("FO-07"), "in a pair set up right")
