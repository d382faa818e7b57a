"""pytest-xdist over hosts: workers are started there, and what a lost host left is done elsewhere.

What of xdist is replaced, and why: it would copy pytest and whole directories (`roots`), where the
checkout is there already; it would start a worker anew on a host that is gone (`_clone_node`); and
it would end with a worker that does not begin, or breaks down (`nodes.py`).
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.terminal import TerminalReporter

from lab.errors import LabError
from lab.hosts.connection import for_worker, host_of_worker
from lab.made_once import WISHES
from scenarios.combinations import WHY
from scenarios.over_hosts import worker
from scenarios.over_hosts.asked import arguments_for_workers
from scenarios.over_hosts.fleet import Fleet, Member
from scenarios.over_hosts.nodes import (
    LAST,
    UNFIT,
    begin_as_far_as_may_be,
    die_of_an_internal_error,
)
from scenarios.over_hosts.notes import Notes
from scenarios.run import (
    COMMAND_OF_RUN,
    EVIDENCE_OF_RUN,
    REVISION_OF_RUN,
    TERMINAL_OF_RUN,
    Revision,
    Run,
)

if TYPE_CHECKING:
    from xdist.scheduler import LoadScheduling
    from xdist.workermanage import WorkerController

NAME = "vpnproof-over-hosts"
LOST = "lost"
NOTHING: Mapping[str, str] = {}
_MOST_DEATHS = 3
"""So many workers may die on a host that answers; then it is given up."""
_OF_HOME = ("VPNPROOF_LABS", "VPNPROOF_CACHE", EVIDENCE_OF_RUN, TERMINAL_OF_RUN, WHY)


@dataclass(frozen=True)
class Cut:
    """A scenario that was cut: with which host, and why."""

    host: str
    why: str


class OverHosts:
    """The plugin of a run over hosts.

    labs: how many each carries at once. told: what workers find in their environment besides.
    """

    def __init__(
        self, fleet: Fleet, labs: Mapping[str, int], root: Path, told: Mapping[str, str] = NOTHING
    ) -> None:
        self.fleet = fleet
        self._told = told
        self._labs = labs
        self._root = root
        self._deaths: dict[str, int] = {}
        self._told_lost: set[str] = set()
        self._cut: dict[str, Cut] = {}
        self._to_be_taken: dict[str, Cut] = {}
        self._taken: set[str] = set()
        self._unfit: set[WorkerController] = set()
        self._started = 0
        self._interrupted = False
        self._arguments: list[str] = []

    def begin(self, config: pytest.Config) -> None:
        """Let xdist start a worker for each lab; before it reads its own options."""
        given = config.invocation_params
        self._arguments = arguments_for_workers(list(given.args), given.dir, self._root)
        if image := getattr(config.option, "image", None):
            self._arguments.append(f"--image={image}")
        config.invocation_params = replace(given, args=())  # no path of ours is looked for there
        config.option.dist, config.option.numprocesses = "load", None
        config.option.tx = [
            self._spec(one, number)
            for one in self.fleet.members.values()
            for number in range(self._labs[one.name])
        ]

    def _spec(self, one: Member, number: int | str) -> str:
        return "//".join(
            [
                f"ssh={for_worker(one.name)}",
                f"ssh_config={self.fleet.settings}",
                f"python={one.checkout}/.venv/bin/python",
                f"chdir={one.checkout}",
                f"id={one.name}-{number}",
            ]
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Make the run's directory, and hold a line to each host."""
        config = session.config
        self._run = Run(Path(os.environ[EVIDENCE_OF_RUN]), self._root)
        self.notes = Notes(self._run, self.fleet)
        self._dsession: Any = config.pluginmanager.getplugin("dsession")
        self._xdists_way = self._dsession._clone_node
        self._dsession._clone_node = self._another
        try:
            self.fleet.start(self.notes.part, self.notes.arrived, self.notes.brought)
        except LabError as error:
            raise pytest.UsageError(f"--lab: {error}") from error
        self.notes.open(self._labs)

    def pytest_xdist_setupnodes(self) -> None:
        """Let xdist copy nothing, and go on when a host is lost as its workers are started."""
        self._dsession.nodemanager.roots = []
        self._set_up = begin_as_far_as_may_be(self._dsession.nodemanager)

    def pytest_xdist_getremotemodule(self) -> object:
        """Let a worker run our module first."""
        return worker

    def pytest_configure_node(self, node: WorkerController) -> None:
        """Tell a worker where things are on its host."""
        die_of_an_internal_error(node)
        one = self.fleet.members[_host(node)]
        host = one.host
        environment = {
            name: value
            for name, value in os.environ.items()
            if name.startswith("VPNPROOF_") and name not in _OF_HOME
        }
        node.workerinput["vpnproof_host"] = {
            "args": self._arguments,
            LAST: self.fleet.left == [one],
            "tether": str(host.tether(self.fleet.run)),
            "environment": {
                **environment,
                **self._told,
                **{k: os.environ[k] for k in ("PYTEST_ADDOPTS",) if k in os.environ},
                "VPNPROOF_LABS": str(host.labs_directory),
                "VPNPROOF_CACHE": str(host.cache),
                WISHES: str(self.fleet.wishes(one)),
                EVIDENCE_OF_RUN: str(host.run(self.fleet.run)),
                COMMAND_OF_RUN: os.environ.get(COMMAND_OF_RUN, ""),
                REVISION_OF_RUN: json.dumps(asdict(Revision.here(self._root))),
            },
        }

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Let evidence of a scenario that ended come home; note who took one that was cut."""
        node = getattr(report, "node", None)
        if node is None or report.when not in ("setup", "call", "teardown"):  # but of a crash
            return
        if (cut := self._to_be_taken.pop(report.nodeid, None)) is not None:
            self.notes.taken(report.nodeid, cut.host, _host(node))
        if report.when == "teardown":
            self.fleet.members[_host(node)].has_ended(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_testnodedown(self, node: WorkerController, error: object) -> None:
        """Find out whether a worker died alone, or with its host, and record it."""
        name = _host(node)
        if not error or self._interrupted:
            return
        answers = self.fleet.answers(name)
        if answers:
            self._deaths[name] = self._deaths.get(name, 0) + 1
            if self._deaths[name] > _MOST_DEATHS:
                self.fleet.lose(name, f"{self._deaths[name]} workers died on it")
                answers = False
            elif len(self.fleet.left) > 1 and any(one in str(error) for one in UNFIT):
                self._unfit.add(node)
                others = [other for other in self._dsession.sched.nodes if other is not node]
                if name not in map(_host, others):
                    self.fleet.let_come(name)
                    self.fleet.lose(name, _line(error))
                    answers = False
        one = self.fleet.members[name]
        why = f"a worker on it died: {_line(error)}; the host answers" if answers else one.lost
        sched = self._dsession.sched
        nodes = [node] if answers else [other for other in sched.nodes if _host(other) == name]
        cut = {_running(sched, other) for other in nodes} - {""}
        for scenario in cut:
            self._cut.setdefault(scenario, Cut(name, why))
        if answers:
            self.notes.lost(name, why, tuple(sorted(cut)))
        else:
            self._tell_lost(one, cut)

    def _tell_lost(self, one: Member, cut: set[str]) -> None:
        """Record once that a host is gone, with what it takes along."""
        if one.name not in self._told_lost:
            self._told_lost.add(one.name)
            self.notes.lost(one.name, one.lost, tuple(sorted(cut | one.owed)))

    def pytest_handlecrashitem(
        self, crashitem: str, report: pytest.TestReport, sched: LoadScheduling
    ) -> None:
        """Let another worker take a scenario that was cut, once."""
        cut = self._cut.get(crashitem)
        if cut is None or self._interrupted:
            return
        if crashitem in self._taken:
            report.longrepr = f"{cut.host}: {cut.why}\nit was taken once before, and is not again"
            return
        self._taken.add(crashitem)
        self._to_be_taken[crashitem] = cut
        report.outcome = LOST  # type: ignore[assignment]  # pytest knows three, and asks
        report.longrepr = f"{crashitem} is taken by another: {cut.host}: {cut.why}"
        sched.mark_test_pending(crashitem)

    def pytest_report_teststatus(
        self, report: pytest.TestReport | pytest.CollectReport
    ) -> tuple[str, str, str] | None:
        """Say that a scenario was cut with its host, and is begun again by another."""
        return (LOST, "l", "LOST (its host is)") if report.outcome == LOST else None

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Name the hosts that were lost, and those that took no part."""
        for one in self.fleet.members.values():
            if one.lost:
                terminalreporter.write_line(f"host {one.name} was lost: {one.lost}", red=True)
        for report in terminalreporter.stats.get(LOST, ()):
            terminalreporter.write_line(str(report.longrepr), yellow=True)
        for line in self.notes.incomplete():
            terminalreporter.write_line(line, red=True)
        for why in self.fleet.missing.values():
            terminalreporter.write_line(f"without a host: {why}", yellow=True)

    def _another(self, node: WorkerController) -> object:
        """Start a worker in the place of one that died, where there is a host for it."""
        dsession, name = self._dsession, _host(node)
        if self._interrupted:
            return None
        one = self.fleet.members[name]
        if not one.lost and node not in self._unfit and (again := self._start(one)) is not None:
            return again
        sched = dsession.sched
        if node not in sched.node2collection:
            sched.numnodes -= 1  # nobody waits for what it would have collected
            if sched.nodes and sched.collection is None and sched.collection_is_completed:
                sched.schedule()
        again = None
        if sched.pending and all(other.shutting_down for other in sched.nodes):
            again = self._start_where_least_runs()
        if not self.fleet.left:
            dsession.shouldstop = "every host was lost"
        return again

    def _start_where_least_runs(self) -> object:
        """Start one more worker on any host; None when none is left on which one starts."""
        busy = Counter(map(_host, self._dsession.sched.nodes))
        while left := self.fleet.left:
            if (new := self._start(min(left, key=lambda one: busy[one.name]))) is not None:
                return new
        return None

    def _start(self, one: Member) -> object:
        """Start one more worker on a host; None when that is gone by now."""
        import execnet

        dsession = self._dsession
        self._started += 1
        spec = execnet.XSpec(self._spec(one, f"again{self._started}"))
        try:
            clone = self._set_up(spec, dsession.queue.put)
        except Exception as error:  # noqa: BLE001 - execnet has many names for it
            self.fleet.lose(one.name, f"no worker can be started on it: {_line(error)}")
            self._tell_lost(one, set())
            return None
        self.notes.joined(one, self._labs[one.name])
        dsession._active_nodes.add(clone)
        return clone

    def pytest_keyboard_interrupt(self) -> None:
        """Let all hosts end what runs there, at once."""
        self._interrupted = True
        self.fleet.cut()

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Take the rest of the evidence; xdist has ended the workers before."""
        if not hasattr(self, "notes"):
            return
        if self._interrupted:
            self.fleet.wait(8)
        self.fleet.finish(self.notes.part, self.notes.arrived, compared=not self._interrupted)
        for one in self.fleet.members.values():
            if one.lost:
                self._tell_lost(one, set())
        self.notes.close()
        if self.notes.incomplete() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_unconfigure(self) -> None:
        """End it all, whatever came before."""
        self.fleet.end()


def _host(node: WorkerController) -> str:
    return host_of_worker(str(node.gateway.spec.ssh))


def _running(sched: LoadScheduling, node: WorkerController) -> str:
    """Return the scenario that a worker was carrying out, "" for none."""
    queue = sched.node2pending.get(node) or ()
    return str(sched.collection[queue[0]]) if queue and sched.collection else ""


def _line(error: object) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1][:200] if lines else "no word of why"
