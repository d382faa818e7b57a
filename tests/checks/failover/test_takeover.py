"""One takeover is measured: what hit nothing, or no active node, shows none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.failover.crashes import busy, is_late
from tests.checks.failover.recording import rejects, takeover, unsure
from tests.checks.failover.strangers import tagged


def test_a_peer_that_never_advertises_is_rejected(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.frames = [frame for frame in run.frames if not frame[1].startswith("secondary")]
    rejects(run.judge("FO-24"), "secondary did not take over in")


def test_a_recording_that_ends_before_the_budget_says_nothing(tmp_path: Path) -> None:
    run = takeover(tmp_path).without("fault.watched")
    run.event(12, "fault.watched", "scenario", node="primary")
    unsure(run.judge("FO-24"), "watched for only")


def test_a_fault_after_which_the_node_advertises_on_hit_nothing(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.frames.clear()
    run.beats("primary", 0, 40)
    unsure(run.judge("FO-24"), "hit nothing")


def test_a_wire_rule_without_hits_hit_nothing(tmp_path: Path) -> None:
    unsure(takeover(tmp_path).changed("fault.injected", hits=0).judge("FO-24"), "hit no frame")


def test_a_fault_of_a_node_that_was_not_active_says_nothing(tmp_path: Path) -> None:
    run = takeover(tmp_path).changed("fault.injected", node="secondary")
    assert run.judge("FO-24").status != "PASS"


def test_a_standby_that_advertises_inside_a_vlan_took_nothing_over(tmp_path: Path) -> None:
    run = takeover(tmp_path).mapped(
        lambda at, port, raw: [
            (at, tagged(raw) if port == "secondary/wire0" and raw[13] == 0 else raw)
        ]
    )
    rejects(run.judge("FO-24"), "secondary did not take over in")


@pytest.mark.parametrize("requirement", ["FO-24", "FO-25"])
def test_a_peer_that_a_busy_host_keeps_until_the_old_holder_is_back_says_nothing(
    tmp_path: Path, requirement: str
) -> None:
    run = takeover(tmp_path, "kill-ucarp").without("service.probed")
    run.frames = [one for one in run.frames if not one[1].startswith("secondary")]
    run.beats("primary", 15.3, 40, counter=5000)
    rejects(busy(run, "secondary", 20, 25).judge(requirement), "secondary did not take over in")
    is_late(run, requirement, "secondary", 13.0, 15.3)
