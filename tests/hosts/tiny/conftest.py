"""A suite that needs no machines, on the wiring of runs over hosts."""

import os
from pathlib import Path

import pytest

from evidence.events.run import ScenarioEnded, ScenarioStarted
from evidence.secret import Secrets
from lab.errors import LabError
from scenarios.durations import Durations
from scenarios.over_hosts.asked import add_options
from scenarios.over_hosts.begin import begin, header
from scenarios.over_hosts.unfit import pytest_runtest_makereport  # noqa: F401 - a hook
from scenarios.run import EVIDENCE_OF_RUN, Run, forget_run

ROOT = Path(__file__).parent


def pytest_addoption(parser):
    group = parser.getgroup("tiny")
    group.addoption("--lab", default="local")
    group.addoption("--evidence")
    group.addoption("--topology")
    add_options(group)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    begin(config, ROOT)


def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        os.environ[EVIDENCE_OF_RUN] = config.getoption("evidence")
        config.add_cleanup(forget_run)


def pytest_report_header(config):
    return header(config)


def pytest_xdist_make_scheduler(config, log):
    from scenarios.workers import LongestFirst

    return LongestFirst(config, log, Durations({}))


@pytest.fixture(scope="session")
def labs():
    """Make no labs; a test that plays can let a host be unable to."""
    asked = Path(os.environ["VPNPROOF_LABS"]).parent / "no-labs"
    if asked.exists():
        if asked.read_text() == "once":
            asked.unlink()
        raise LabError("virtqemud does not start\nas asked")


@pytest.fixture
def history(request, labs):
    run = Run(Path(os.environ[EVIDENCE_OF_RUN]), ROOT)
    run.open(image="none", accelerator="none")
    Secrets(run.directory).keep({"password of tiny": "correct horse battery"})
    with run.history(request.node.nodeid) as history:
        history.record(ScenarioStarted(source="pytest", lab="none", requirements=()))
        yield history
        history.record(ScenarioEnded(source="pytest", events=history.recorded))
