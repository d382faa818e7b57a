"""FO-21, 41: the guide's tcpdump line is of ucarp, and says nothing of keepalived."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.failover.printed import lines, printed
from tests.checks.failover.recording import ADDRESS, node, unsure


@pytest.mark.parametrize("requirement", ["FO-21", "FO-41"])
def test_lines_of_a_pair_that_runs_keepalived_say_nothing(tmp_path: Path, requirement: str) -> None:
    vrrp = {"prio": ("prio 0", "prio 150"), "length": ("length 36", "length 20")}
    run = printed(tmp_path, f"{lines(**vrrp)}\n")
    nodes = {
        name: node(name, engine="keepalived", advert_int=1, priority=priority)
        for name, priority in zip(ADDRESS, (150, 100), strict=True)
    }
    run.changed("pair.configured", engine="keepalived", version=2, nodes=nodes)
    unsure(run.judge(requirement), "the pair runs keepalived, not ucarp")
