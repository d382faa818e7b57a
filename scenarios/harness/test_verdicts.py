"""LAB-07: verdicts made again offline are the same. LAB-08: every check has been seen to fail.

This scenario is begun last (`scenarios.durations.LAST`): of what is judged after it, it says
nothing.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from checks.engine import registry
from checks.engine.kills import read_kills
from evidence.events.harness import JudgedAgain, KillsShipped
from evidence.history import History
from lab.answers import understood
from lab.lab import Lab
from scenarios.harness.refusals import PROJECT


@pytest.mark.requirement("LAB-07", "LAB-08")
def test_what_was_judged_is_judged_the_same_by_another_process(
    lab: Lab, history: History, judge: Callable[[str], object]
) -> None:
    table = read_kills()
    failed = {name: sum(kill.failed for kill in kills) for name, kills in table.items()}
    shown = tuple(sorted(registry.checks()))
    history.record(KillsShipped(source="checks", checks=shown, failed=failed))
    try:
        judge("LAB-08")  # so that there is a verdict, whichever scenario comes first
    finally:
        lab.wire.flush()
        history.record(judged_again(history))
        judge("LAB-07")


def judged_again(history: History) -> JudgedAgain:
    """Let another process judge what the run has said so far."""
    done = subprocess.run(
        ["nice", "-n", "19", sys.executable, "-m", "scenarios.harness.again", history.path.parent],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    with understood("the judge", "what it says of the verdicts"):
        counts, *differ = done.stdout.splitlines()
        compared, on_capture = map(int, counts.split())
        return JudgedAgain(
            source="judge", compared=compared, on_capture=on_capture, differ=tuple(differ)
        )
