"""A node that takes the role back from a peer that it did not hear."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.failover.serving import SERVICES
from tests.checks.failover.crashes import busy, is_late
from tests.checks.failover.recording import MAC, Run, passes, rejects, takeover, unsure


def regained(directory: Path, after: float = 1.3) -> Run:
    """Let a node whose ucarp was killed, and started again by itself, take the role back."""
    run = takeover(directory, "kill-ucarp").without("service.probed")
    back = 13.2 + after
    run.frames = [one for one in run.frames if one[0] < back or not one[1].startswith("secondary")]
    run.beats("primary", back, 40, counter=2000)
    run.announce("primary", back)
    for protocol, port in SERVICES:
        run.answer(38, port, mac=MAC["primary"], protocol=protocol)
    return run


@pytest.mark.parametrize("requirement", ["FO-24", "FO-25"])
def test_a_node_that_takes_the_role_back_is_rejected(tmp_path: Path, requirement: str) -> None:
    run = regained(tmp_path)
    rejects(run.judge(requirement))
    rejects(busy(run, "client", 13.2, 14.6).judge(requirement))


@pytest.mark.parametrize("requirement", ["FO-24", "FO-25"])
@pytest.mark.parametrize("of", ["primary", "secondary", "wire"])
def test_one_that_was_kept_from_hearing_the_other_is_the_busy_hosts(
    tmp_path: Path, requirement: str, of: str
) -> None:
    verdict = busy(regained(tmp_path), of, 13.2, 14.6).judge(requirement)
    unsure(verdict, "took the role back 1.300 s after", f"`{of}` was kept from running")
    assert verdict.late


@pytest.mark.parametrize("requirement", ["FO-24", "FO-25"])
def test_one_that_had_time_to_hear_the_other_was_not_kept_from_it(
    tmp_path: Path, requirement: str
) -> None:
    rejects(busy(regained(tmp_path, after=9), "primary", 18, 22.2).judge(requirement))


@pytest.mark.parametrize("requirement", ["FO-24", "FO-25"])
@pytest.mark.parametrize("of", ["primary", "wire"])
def test_who_takes_the_role_back_hears_the_other_a_second_late_on_any_host(
    tmp_path: Path, requirement: str, of: str
) -> None:
    is_late(regained(tmp_path), requirement, of, 13.7, 14.5)


@pytest.mark.parametrize("requirement", ["FO-24", "FO-25"])
def test_an_old_holder_that_gives_way_at_once_took_nothing_back(
    tmp_path: Path, requirement: str
) -> None:
    run = takeover(tmp_path, "kill-ucarp")
    run.beats("primary", 14.3, 15.4, counter=5000)
    passes(busy(run, "secondary", 13.3, 14.2).judge(requirement))


@pytest.mark.parametrize("requirement", ["FO-24", "FO-25"])
def test_a_new_holder_that_a_busy_host_keeps_loses_the_role_and_it_says_nothing(
    tmp_path: Path, requirement: str
) -> None:
    run = regained(tmp_path, after=9)
    run.frames = [one for one in run.frames if one[1][0] != "s" or one[0] < 19]
    rejects(run.judge(requirement))
    is_late(run, requirement, "secondary", 18.5, 22.5)
