"""Workers of pytest-xdist: how many, what they are told, what becomes of one that dies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from checks.engine.judging import broke_off
from lab.hosts.connection import host_of_worker
from lab.interrupt import end_with
from scenarios import sites, software
from scenarios.arguments import ask_for_scenarios
from scenarios.durations import Durations
from scenarios.over_hosts.begin import may_thaw_ahead
from scenarios.plugin.stash import (
    A_WORKER_DIED,
    CONTROLLER,
    LABS,
    LEFT_UP,
    LEFT_UP_BY_WORKER,
    MAY_THAW_AHEAD,
)
from scenarios.run import EVIDENCE_OF_RUN
from scenarios.side_by_side import automatic

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    return automatic(config) if config.getoption("lab") == sites.LOCAL else 0


def pytest_configure(config: pytest.Config) -> None:
    """Let a worker of this host end with its controller: execnet would go on for 15 seconds."""
    if controller := getattr(config, "workerinput", {}).get(CONTROLLER):
        end_with(controller)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    """Tell a worker of xdist what it may do beside the others."""
    labs = node.config.stash.get(LABS, None)
    host = host_of_worker(node.gateway.spec.ssh or "")
    ahead = may_thaw_ahead(node.config, host) if host else labs is not None and labs.ahead
    node.workerinput[MAY_THAW_AHEAD] = ahead
    if node.gateway.spec.popen and not node.gateway.spec.via:
        node.workerinput[CONTROLLER] = os.getpid()
    if host or labs is not None:
        software.tell(node)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Let any worker take the next scenario, long ones first, whatever --dist says."""
    if not ask_for_scenarios(config.args):
        return None
    from scenarios.workers import LongestFirst  # needs xdist, which need not be there

    return LongestFirst(config, log, Durations.remembered())


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str) -> None:
    """Let no requirement go unmentioned of a scenario whose worker died."""
    # The hook has no config; the run's directory is known to all of its processes.
    broke_off(Path(os.environ[EVIDENCE_OF_RUN]), crashitem)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerController, error: object) -> None:
    """Take from a worker of xdist what it left up; one that crashed has nothing to say."""
    if error:
        node.config.stash[A_WORKER_DIED] = True
    said = getattr(node, "workeroutput", {})
    node.config.stash.setdefault(LEFT_UP, []).extend(said.get(LEFT_UP_BY_WORKER, []))
