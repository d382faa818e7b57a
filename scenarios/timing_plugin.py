"""pytest meets the recorder of time: each scenario's report carries what its phase took.

Reports come from the workers of pytest-xdist as they are, so the process that the user started
(the only one, without xdist) has all of them: it writes `timings.json` and prints the worst.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Generator
from io import StringIO
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter
from rich.console import Console

from lab.timing import Account, Recorder
from scenarios.timings import Phase, Timing, short, table, write

_PROPERTY = "vpnproof_timing"
_WORST = 10
_WIDE = 130  # columns that the table needs: a narrow terminal folds it, and loses nothing


class TimingPlugin:
    """Takes the time of scenarios; `directory` is the run's evidence, `shown` by --timings."""

    def __init__(self, directory: Path, *, shown: bool, collects: bool) -> None:
        self.timings: list[Timing] = []
        self._directory = directory
        self._shown = shown
        self._collects = collects
        self._phases: dict[str, list[Phase]] = {}
        self._recorder = Recorder()

    def pytest_unconfigure(self) -> None:
        """Listen no more."""
        self._recorder.close()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """Begin: what was between two scenarios is nobody's."""
        self._recorder.take()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put what the phase took into its report."""
        report = yield
        if "labs" in getattr(item, "fixturenames", ()):
            phase = Phase(call.when, report.outcome, time.time_ns(), self._recorder.take())
            report.user_properties = [*report.user_properties, (_PROPERTY, phase.as_json())]
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect the phases of a scenario, and keep the rows so far when one has ended."""
        told = dict(report.user_properties).get(_PROPERTY)
        if not isinstance(told, str) or not self._collects:
            return
        phases = self._phases.setdefault(report.nodeid, [])
        phases.append(Phase.from_json(told))
        if report.when != "teardown":
            return
        worker = getattr(report, "worker_id", "")
        done = tuple(self._phases.pop(report.nodeid))
        self.timings.append(Timing(report.nodeid, "" if worker == "master" else worker, done))
        if self._directory.is_dir():
            write(self.timings, self._directory)

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Print the scenarios that took longest."""
        if not self._shown or not self.timings:
            return
        worst = sorted(self.timings, key=lambda one: one.account.seconds, reverse=True)[:_WORST]
        total = sum((one.account for one in self.timings), Account())
        rows = [(short(one.scenario), one.account) for one in worst]
        title = f"the {len(worst)} worst of {len(self.timings)} scenarios, in seconds"
        terminalreporter.section("timings")
        for line in _lines(table(rows, total, title)):
            terminalreporter.write_line(line)


def _lines(shown: object) -> list[str]:
    width = max(shutil.get_terminal_size((_WIDE, 0)).columns, _WIDE)
    console = Console(file=StringIO(), width=width, color_system=None)
    with console.capture() as said:
        console.print(shown)
    return said.get().rstrip(os.linesep).splitlines()
