"""FO-39, 49: a client that was back and is interrupted again, on a busy host and on an idle one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.failover.crashes import busy, is_late
from tests.checks.failover.recording import rejects
from tests.checks.failover.test_aftermath import interrupted_again


@pytest.mark.parametrize("requirement", ["FO-39", "FO-49"])
def test_an_interruption_that_a_busy_host_makes_long_after_says_nothing(
    tmp_path: Path, requirement: str
) -> None:
    run = interrupted_again(tmp_path, 90.6, 96)
    rejects(run.judge(requirement), "took 80.300 s")
    rejects(busy(run, "client", 86, 89).judge(requirement), "took 80.300 s")
    is_late(run, requirement, "client", 89, 90.5)


def test_an_interruption_before_one_that_a_busy_host_makes_is_rejected(tmp_path: Path) -> None:
    run = interrupted_again(tmp_path, 90.6, 110.6, 116)
    rejects(busy(run, "client", 109, 110.5).judge("FO-39"), "took 80.300 s")
