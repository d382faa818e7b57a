"""What a run is, before its first scenario: its directory, its labs, its header."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evidence.errors import BadEvidence
from lab.accelerator import choose
from scenarios import sites, software
from scenarios.again import Again, only_shown
from scenarios.arguments import ask_for_scenarios
from scenarios.durations import Stopwatch
from scenarios.mutants import plugin as mutants
from scenarios.over_hosts import begin
from scenarios.over_hosts.asked import hosts_file
from scenarios.plugin.stash import LABS, ROOT, RUN, TERMINAL
from scenarios.run import (
    COMMAND_OF_RUN,
    EVIDENCE_OF_RUN,
    TERMINAL_OF_RUN,
    Run,
    command_line,
    forget_run,
    terminal_of_run,
)
from scenarios.side_by_side import side_by_side, workers
from scenarios.timing_plugin import TimingPlugin


def pytest_configure(config: pytest.Config) -> None:
    chosen = os.environ.get(EVIDENCE_OF_RUN) or config.getoption("evidence")
    directory = Path(chosen) if chosen else Run.fresh_directory(ROOT)
    config.stash[RUN] = Run(directory.absolute(), ROOT)
    # Taken before pytest captures it: a lab takes minutes, and silence looks like death.
    terminal = terminal_of_run(in_worker=hasattr(config, "workerinput"))
    config.stash[TERMINAL] = terminal
    config.add_cleanup(terminal.close)
    timings = TimingPlugin(
        config.stash[RUN].directory,
        shown=config.getoption("timings"),
        collects=not hasattr(config, "workerinput"),
    )
    config.pluginmanager.register(timings)
    config.pluginmanager.register(Again(), "vpnproof-again")
    if hasattr(config, "workerinput"):
        return
    os.environ[EVIDENCE_OF_RUN] = str(config.stash[RUN].directory)
    os.environ[COMMAND_OF_RUN] = command_line()
    os.environ[TERMINAL_OF_RUN] = f"/proc/{os.getpid()}/fd/{terminal.fileno()}"
    config.add_cleanup(forget_run)
    mutants.refuse_another_heartbeat(config)
    if ask_for_scenarios(config.args):
        if not only_shown(config):
            _refuse_a_former_run(config)
        if (on_hosts := hosts_file(config)) is None:
            sites.prepare(config, config.stash[RUN].directory, workers(config))
        if not only_shown(config):
            config.pluginmanager.register(Stopwatch(), "vpnproof-stopwatch")
        if on_hosts is not None or sites.chosen(config) is not None:
            return
        config.stash[LABS] = side_by_side(config, max(1, workers(config)))


def _refuse_a_former_run(config: pytest.Config) -> None:
    try:
        config.stash[RUN].refuse_a_former_one()
    except BadEvidence as error:
        raise pytest.UsageError(f"--evidence: {error}") from error


def pytest_report_header(config: pytest.Config) -> list[str]:
    if (site := sites.chosen(config)) is not None and not config.getoption("collectonly"):
        return [*sites.header(site), f"evidence: {config.stash[RUN].directory}"]
    if hosts := begin.header(config):
        return [*hosts, f"evidence: {config.stash[RUN].directory}"]
    if (labs := config.stash.get(LABS, None)) is None:
        return []
    images, lines = software.header(config)
    accelerator = choose(config.getoption("accel"))
    return [
        f"lab: {sites.LOCAL}, image {', '.join(images)}, accelerator {accelerator}",
        *lines,
        f"labs: {labs}",
        f"evidence: {config.stash[RUN].directory}",
    ]
