"""A role that moves since a busy host kept the nodes from hearing each other shows nothing."""

from __future__ import annotations

from pathlib import Path

from tests.checks.failover.crashes import is_late
from tests.checks.failover.parted import split
from tests.checks.failover.recording import takeover, unsure


def test_a_role_that_a_busy_host_moves_before_a_fault_says_nothing(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.frames = [one for one in run.frames if one[1][0] != "p" or not 5.5 < one[0] < 9.5]
    run.beats("secondary", 8.3, 9.2, counter=5000)
    before = run.judge("FO-25")
    unsure(before, "secondary advertises: who held the role is not clear")
    assert not before.late
    is_late(run, "FO-25", "primary", 5.5, 9.5)


def test_a_role_that_a_busy_host_moves_before_a_filter_says_nothing(tmp_path: Path) -> None:
    run = split(tmp_path)
    run.frames = [frame for frame in run.frames if not 5.5 < frame[0] < 10]
    run.beats("secondary", 8.3, 9.9, counter=5000)
    run.beats("primary", 9.5, 10, counter=6000)
    before = run.judge("FO-42")
    unsure(before, "2 holder(s) of the virtual IP before vrrp")
    assert not before.late
    is_late(run, "FO-42", "primary", 5.5, 9.5)
