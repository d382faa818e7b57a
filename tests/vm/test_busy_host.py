"""A busy host excuses no deployment: too long a dead ratio fails, whatever runs beside it.

Two loops keep both cores of a small host busy while a pair with a dead ratio of 10 loses its active
node. It takes over some ten seconds later, and nothing that the host did explains that.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from checks.engine.judging import judge_now
from checks.engine.verdict import Status
from evidence.events.run import ScenarioStarted
from evidence.history import History
from evidence.run import RunDirectory
from lab.accelerator import choose
from lab.image import prepare
from lab.probe import Probe
from lab.progress import Progress
from provision.deploy import Deployer, guide_named
from scenarios.failover import faults
from scenarios.failover.observe import PROBE
from scenarios.failover.pair import Pair
from scenarios.failover.services import PROBE_ADDRESS, PROBE_MAC
from scenarios.failover.takeover import provoke
from scenarios.lateness import watched

pytestmark = [pytest.mark.vm, pytest.mark.undisturbed]

LAB, SCENARIO = "failover", "tests/vm/test_busy_host.py"


@contextmanager
def busy_loops(number: int) -> Iterator[None]:
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def test_a_dead_ratio_of_ten_fails_beside_two_busy_loops(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.wire.mkdir()
    image = prepare("debian-12")
    deployer = Deployer(guide_named("failover"), image, choose(None), Progress())
    with (
        deployer.deploy(capture=run.capture(LAB)) as lab,
        History(run.history, SCENARIO) as history,
        watched(lab) as lateness,
        Probe(lab.wire, "lan", PROBE, PROBE_MAC, PROBE_ADDRESS) as probe,
    ):
        history.record(ScenarioStarted(source="pytest", lab=LAB))
        with Pair(lab, history) as pair:
            pair.record_configured(pair.reconfigure({"ucarp.extra_parms": "-r 10"}))
            with busy_loops(2):
                provoke(pair, faults.POWER_OFF, probe)
            lateness.record(history)
            verdict = judge_now(tmp_path, history, "FO-24", lab.wire.flush)
    assert verdict.status is Status.FAIL, verdict.text
    assert "the guide's few seconds" in verdict.text
