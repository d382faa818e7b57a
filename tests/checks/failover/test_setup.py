"""FO-01 to 11: how the pair was prepared, good and broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.failover.recording import (
    ADDRESS,
    VIRTUAL_IP,
    Run,
    passes,
    rejects,
    unsure,
)

ROWS = [f"{check} on {node}" for node in ADDRESS for check in ("ssh", "rsync")]
BROKEN = {
    "sshd-stopped": ["ssh on secondary"],
    "port-blocked": ["ssh on primary"],
    "wrong-host-key": ["ssh on secondary"],
    "no-rsync": ["rsync on secondary"],
    "no-rsync-on-primary": ["rsync on primary"],
}


def rows(*bad: str) -> list[dict[str, object]]:
    return [{"name": name, "good": name not in bad} for name in ROWS]


def prepared(directory: Path) -> Run:
    """Everything that comes before the pair runs, as it should be."""
    run = Run(directory, 60)
    run.beats("primary", 0, 60)
    for answer in ("delete", "yes", ""):
        run.event(1, "init.asked", "secondary", answer=answer, status=1, before="a", after="a")
    run.event(2, "init.asked", "secondary", answer="DELETE", status=0, before="a", after="b")
    run.event(3, "init.wiped", "secondary", seeded=5, left=[], role="standby")
    batch = {"stdin": "closed", "status": 0, "seconds": 4.0, "reads_stdin": False}
    run.event(4, "init.batch", "secondary", **batch)
    for origin, target in (("primary", "secondary"), ("secondary", "primary")):
        ssh = {"origin": origin, "target": target, "user": "root", "status": 0}
        run.event(5, "ssh.attempt", origin, **ssh)
    run.event(6, "validate.rows", "primary", broken="", rows=rows(), expected_bad=[])
    for broken, bad in BROKEN.items():
        shown = {"broken": broken, "rows": rows(*bad), "expected_bad": bad}
        run.event(7, "validate.rows", "primary", **shown)
    unread = {"broken": "key-not-copied", "rows": rows(ROWS[2]), "expected_bad": [ROWS[2]]}
    run.event(7, "validate.rows", "primary", **unread)
    run.event(8, "validate.begin", "scenario", state={"addresses": ["x"]})
    run.event(9, "validate.rows", "primary", broken="", rows=rows(), expected_bad=[])
    run.event(10, "validate.end", "scenario", state={"addresses": ["x"]})
    outside = {"virtual_ip": "192.168.71.222", "network": "192.168.70.0/24"}
    run.event(11, "commit.attempt", "primary", **outside, accepted=False, error="not in subnet")
    run.event(20, "commit.done", "primary", node="primary")
    run.event(24, "addresses", "primary", held=[VIRTUAL_IP])
    run.event(24, "log.line", "primary", file="openvpnas.log", text="state: MASTER")
    return run


@pytest.mark.parametrize(
    "requirement",
    [
        "FO-01",
        "FO-02",
        "FO-03",
        "FO-04",
        "FO-05",
        "FO-06",
        "FO-07",
        "FO-08",
        "FO-09",
        "FO-10",
        "FO-11",
    ],
)
def test_a_pair_prepared_as_it_should_be_passes(tmp_path: Path, requirement: str) -> None:
    passes(prepared(tmp_path).judge(requirement))


@pytest.mark.parametrize(
    ("requirement", "kind", "change", "reason"),
    [
        ("FO-02", "init.asked", {"before": "a", "after": "b"}, "'delete' wiped"),
        ("FO-02", "init.asked", {"after": "a"}, "'DELETE' did not wipe"),
        ("FO-03", "init.wiped", {"left": ["userprop.db"]}, "left after the wipe: userprop.db"),
        ("FO-03", "init.wiped", {"role": "primary"}, "not standby"),
        ("FO-04", "init.batch", {"reads_stdin": True}, "read its standard input"),
        ("FO-04", "init.batch", {"seconds": 61}, "limit 60 s"),
        ("FO-04", "init.batch", {"status": 1}, "status 1"),
        ("FO-05", "ssh.attempt", {"status": 255}, "status 255"),
        ("FO-01", "validate.rows", {"rows": rows()}, "with no-rsync all rows read GOOD"),
        ("FO-01", "validate.rows", {"rows": rows()}, "no-rsync-on-primary all rows read GOOD"),
        ("FO-06", "validate.rows", {"rows": rows()}, "with key-not-copied all rows read GOOD"),
        ("FO-07", "validate.rows", {"rows": rows()}, "all rows read GOOD"),
        ("FO-07", "validate.rows", {"rows": rows()[:3]}, "3 rows, not 4"),
        ("FO-08", "validate.rows", {"rows": rows(*ROWS[:2])}, "turned bad, expected"),
        ("FO-09", "validate.end", {"state": {"addresses": []}}, "changed by Validate: addresses"),
        ("FO-10", "commit.attempt", {"accepted": True}, "is accepted"),
        ("FO-10", "commit.attempt", {"error": ""}, "without a word"),
        ("FO-11", "addresses", {"held": []}, "did not hold the virtual IP"),
        ("FO-11", "log.line", {"text": "BACKUP"}, "no MASTER line"),
    ],
)
def test_each_broken_preparation_is_rejected(
    tmp_path: Path, requirement: str, kind: str, change: dict, reason: str
) -> None:
    rejects(prepared(tmp_path).changed(kind, **change).judge(requirement), reason)


@pytest.mark.parametrize(
    ("requirement", "kind"),
    [
        ("FO-02", "init.asked"),
        ("FO-03", "init.wiped"),
        ("FO-04", "init.batch"),
        ("FO-05", "ssh.attempt"),
        ("FO-07", "validate.rows"),
        ("FO-08", "validate.rows"),
        ("FO-09", "validate.end"),
        ("FO-10", "commit.attempt"),
        ("FO-11", "commit.done"),
        ("FO-11", "addresses"),
    ],
)
def test_what_was_not_recorded_is_unknown(tmp_path: Path, requirement: str, kind: str) -> None:
    unsure(prepared(tmp_path).without(kind).judge(requirement))


@pytest.mark.parametrize("cause", ["no-rsync", "no-rsync-on-primary"])
def test_rsync_taken_from_one_node_only_says_nothing(tmp_path: Path, cause: str) -> None:
    run = prepared(tmp_path).but(broken=cause)
    unsure(run.judge("FO-01"), f"not asked with {cause} broken")
    unsure(run.judge("FO-08"), f"not broken yet: {cause}")


def test_a_row_that_was_never_bad_says_nothing(tmp_path: Path) -> None:
    run = prepared(tmp_path)
    for event in run.events:
        if event[3].get("broken") == "no-rsync-on-primary":
            event[3].update(rows=rows("rsync on secondary"), expected_bad=["rsync on secondary"])
    unsure(run.judge("FO-08"), "never seen bad: rsync on primary")


def test_nothing_changed_without_a_validate_says_nothing(tmp_path: Path) -> None:
    run = prepared(tmp_path)
    run.events = [event for event in run.events if event[:2] != (9, "validate.rows")]
    unsure(run.judge("FO-09"), "Validate was not asked between")


def read_at(directory: Path, *readings: tuple[float, list[str]]) -> Run:
    run = prepared(directory).without("addresses")
    for at, held in readings:
        run.event(at, "addresses", "primary", held=held)
    return run


def test_an_address_read_after_the_limit_only_says_nothing(tmp_path: Path) -> None:
    unsure(read_at(tmp_path, (31, [VIRTUAL_IP])).judge("FO-11"), "not read within 10 s")


def test_addresses_never_read_say_nothing(tmp_path: Path) -> None:
    unsure(read_at(tmp_path).judge("FO-11"), "not read within 10 s")


def test_an_address_that_only_comes_after_the_limit_is_rejected(tmp_path: Path) -> None:
    run = read_at(tmp_path, (28, []), (31, [VIRTUAL_IP]))
    rejects(run.judge("FO-11"), "did not hold the virtual IP")


def test_an_address_held_in_one_reading_within_the_limit_passes(tmp_path: Path) -> None:
    passes(read_at(tmp_path, (21, []), (28, [VIRTUAL_IP])).judge("FO-11"))


def test_ssh_tried_one_way_only_says_nothing(tmp_path: Path) -> None:
    run = prepared(tmp_path)
    run.events = [event for event in run.events if event[1:3] != ("ssh.attempt", "secondary")]
    unsure(run.judge("FO-05"), "one direction")


def test_a_validate_that_starts_the_standby_is_rejected(tmp_path: Path) -> None:
    run = prepared(tmp_path)
    run.beats("secondary", 12.5, 14)
    rejects(run.judge("FO-09"), "began to advertise during Validate: 192.168.70.2")


def test_a_commit_without_restart_is_rejected(tmp_path: Path) -> None:
    run = prepared(tmp_path)
    run.frames = [frame for frame in run.frames if not 20 <= frame[0] < 35]
    rejects(run.judge("FO-11"), "did not advertise within 10 s")
