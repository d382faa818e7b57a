"""Runs of pytest over the genuine scenarios in which none is run: each is only told of.

A plugin of pytest takes each scenario's place. It tells which worker it was given to, records what
a scenario does in the history, and can die in the middle, as a worker that is killed does.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from scenarios.run import COMMAND_OF_RUN, EVIDENCE_OF_RUN, TERMINAL_OF_RUN

PROJECT = Path(__file__).parents[2]

_OF_THIS_RUN = {
    COMMAND_OF_RUN,
    EVIDENCE_OF_RUN,
    TERMINAL_OF_RUN,
    "PYTEST_XDIST_WORKER",
    "PYTEST_XDIST_TESTRUNUID",
}
_PLUGIN = """
import os, pathlib, signal, pytest
import checks.engine.series, lab.accelerator, lab.cli, lab.image, provision.errors
import provision.genuine.software
from evidence.events.run import Judged, ScenarioEnded, ScenarioStarted
from evidence.history import History
from checks.engine.judging import next_attempt
from checks.engine.verdict import Status, Verdict
from checks.engine.verdicts import record_verdict
from scenarios.run import terminal_of_run

PLACE = pathlib.Path(__file__).parent

def run_directory():  # of a combination of a matrix, its own
    return pathlib.Path(os.environ["VPNPROOF_EVIDENCE_OF_RUN"])

def judge(requirement, evidence):
    bad = os.environ.get("PRETENDED_BAD") == evidence.scenario
    return Verdict(Status.FAIL if bad else Status.PASS, ("as told",))

checks.engine.series.judge = judge
lab.cli.collect_garbage = (PLACE / "collected").touch
lab.image.prepare = lambda *_, **__: lab.image.Image("debian-12", "debian", "pretended", PLACE)
provision.genuine.software.choose = lambda asked, _image: provision.genuine.software.Software(
    "drop-in" if asked == "auto" else asked, "pretended"
)
def built(software, *_):
    if software.is_genuine:
        raise provision.errors.SourceRefused("tool 1.0: expected commit a, but b", hint="look")

provision.genuine.software.built = built
lab.accelerator.choose = lambda *_: "pretended accelerator"

@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        with terminal_of_run(in_worker=True) as terminal:
            print(worker, "speaks", file=terminal)

def told(word, item):
    with open(PLACE / "told", "a") as file:
        print(os.environ.get("PYTEST_XDIST_WORKER", "alone"), word, item.nodeid, file=file)

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    told("begins", item)
    run = run_directory()
    run.mkdir(exist_ok=True)
    requirements = [name for mark in item.iter_markers("requirement") for name in mark.args]
    attempt = next_attempt(run, item.nodeid)
    with History(run / "history.jsonl", item.nodeid) as history:
        history.record(
            ScenarioStarted(source="it", lab="lab", requirements=requirements, attempt=attempt)
        )
        if os.environ.get("PRETENDED_DIES") == item.nodeid and not (PLACE / "died").exists():
            (PLACE / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        for requirement in requirements:
            history.record(Judged(source="judge", requirement=requirement))
            verdict = Verdict(Status.PASS, ("as told",))
            record_verdict(run, requirement, item.nodeid, verdict, attempt)
        history.record(ScenarioEnded(source="it", events=history.recorded))
    call = pytest.CallInfo.from_call(lambda: None, "call")
    report = pytest.TestReport.from_item_and_call(item, call)
    item.ihook.pytest_runtest_logreport(report=report)
    told("ends", item)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
"""


@dataclass(frozen=True)
class Pretended:
    """What became of such a run: who was told what, its exit status, what it printed."""

    evidence: Path
    status: int
    said: str
    told: list[tuple[str, str, str]]

    @property
    def begun(self) -> list[str]:
        """The scenarios in the order in which they began."""
        return [scenario for _, word, scenario in self.told if word == "begins"]

    @property
    def workers(self) -> set[str]:
        """Who was given any."""
        return {worker for worker, _, _ in self.told}


def outside() -> dict[str, str]:
    """Return the environment of a run that is none within this one."""
    return {name: value for name, value in os.environ.items() if name not in _OF_THIS_RUN}


def pretend(place: Path, *arguments: str, dies: str = "", bad: str = "", **more: str) -> Pretended:
    """Run pytest in the project; `dies` names the scenario that kills its worker, once."""
    (place / "pretended_scenarios.py").write_text(_PLUGIN)
    evidence = place / "evidence"
    own = {
        "PYTHONPATH": os.pathsep.join((str(place), str(PROJECT))),
        "PRETENDED_DIES": dies,
        "PRETENDED_BAD": bad,
        "VPNPROOF_CACHE": str(place / "cache"),
        **more,
    }
    options = ["-p", "pretended_scenarios", "-p", "no:cacheprovider", f"--evidence={evidence}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *arguments],
        cwd=PROJECT,
        env=outside() | own,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    path = place / "told"
    lines = path.read_text().splitlines() if path.exists() else []
    told = [(one, word, scenario) for one, word, scenario in (x.split(" ", 2) for x in lines)]
    return Pretended(evidence, done.returncode, done.stdout + done.stderr, told)
