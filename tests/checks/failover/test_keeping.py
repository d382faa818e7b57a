"""Who has taken over stays active, until nobody watches any more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.checks.failover.crashes import busy
from tests.checks.failover.recording import Run, passes, rejects, stopped, takeover, unsure
from tests.checks.failover.strangers import tagged


def silent(run: Run, start: float, end: float) -> Run:
    """Let the new holder send no advertisement for a while."""
    run.frames = [
        one
        for one in run.frames
        if not start < one[0] < end or one[1] != "secondary/wire0" or one[2][12:14] == b"\x08\x06"
    ]
    return run


@pytest.mark.parametrize(("start", "end"), [(20, 26), (32, 40)])
@pytest.mark.parametrize(("requirement", "build"), [("FO-24", takeover), ("FO-27", stopped)])
def test_a_new_holder_that_falls_silent_again_is_rejected(
    tmp_path: Path, requirement: str, build: Callable[[Path], Run], start: float, end: float
) -> None:
    run = silent(build(tmp_path), start, end)
    rejects(run.judge(requirement), "secondary took over, and then was silent for")


def test_a_new_holder_that_a_busy_host_silences_says_nothing(tmp_path: Path) -> None:
    run = silent(takeover(tmp_path), 20, 26)
    busy(run, "secondary", 20, 26)
    unsure(run.judge("FO-24"), "`secondary` was kept from running")


def test_a_new_holder_may_skip_what_the_old_one_may(tmp_path: Path) -> None:
    passes(silent(takeover(tmp_path), 20, 22).judge("FO-24"))


def test_a_new_holder_that_advertises_on_inside_a_vlan_does_not_stay(tmp_path: Path) -> None:
    run = takeover(tmp_path).mapped(
        lambda at, _, raw: [(at, tagged(raw) if at > 25 and raw[13] == 0 else raw)]
    )
    rejects(run.judge("FO-24"), "secondary took over, and then was silent for")
