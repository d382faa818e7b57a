"""What proves a step of a maintenance: found in what the machine itself dates.

Stopping and starting a node: every OpenVPN unit that it is to run, in its journal. Updating the
controller: its web server stopped and started again, in its journal. Updating a node: every file
that its OpenVPN reads is written anew. Only what falls into the time that the script took is its
effect; a script that was run and changed nothing is not shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from checks.multi_node.deployment import Deployment
from checks.multi_node.guide import TRANSPORTS, WEB_SERVER
from checks.multi_node.server_processes import Process
from checks.multi_node.steps import (
    ORDER,
    REBOOT,
    START,
    STOP,
    UPDATE_CONTROLLER,
    UPDATE_NODE,
    Maintenance,
    Step,
    within,
)
from evidence.errors import Missing
from evidence.event import Event
from evidence.events.maintenance import (
    MaintenancePlanned,
    Script,
    ScriptRun,
    ServerFilesWritten,
    UnitChanged,
)
from evidence.moment import Moment, last_of
from evidence.scenario import Evidence

_BOTH = ("stopped", "started")


def _names(site: Deployment, node: str) -> list[str]:
    """Return what a node's files and units are called."""
    return [Process(site, node, index).name for index in range(len(TRANSPORTS))]


def _unit(name: str) -> str:
    return f"openvpn-server@{name}.service"


def maintenance(evidence: Evidence, site: Deployment) -> Maintenance:
    """Read the last maintenance that was planned; Missing: none was, or no step of it typed.

    What was typed before it is a step of it, unless another one was planned before.
    """
    planned = evidence.last(MaintenancePlanned)
    is_only = len(evidence.events(MaintenancePlanned)) == 1
    units = {_unit(name) for node in site.nodes for name in _names(site, node)}
    typed = evidence.need(ScriptRun)
    own = [one for one in typed if is_only or one.began_ns >= planned.at_ns]
    guides = (one for one in own if one.script in (*ORDER, REBOOT))
    runs = [one for one in guides if any(_stands_for(one, site))]
    if not runs:
        others = ", ".join(sorted({f"{one.script} on {one.source}" for one in typed}))
        raise Missing(f"no step of a maintenance was typed: only {others}")
    since_ns = min([planned.at_ns, *(one.began_ns for one in runs)])
    changes = [
        one
        for one in evidence.events(UnitChanged)
        if one.at_ns >= since_ns and (one.unit in units or _of_web_server(one, site))
    ]
    files = evidence.events(ServerFilesWritten)
    steps = [
        _step(run, script, site, changes, files)
        for run in runs
        for script in _stands_for(run, site)
    ]
    steps.sort(key=lambda one: (one.began.at_ns, one.phase))
    return Maintenance(site, planned, steps, changes)


def _of_web_server(change: UnitChanged, site: Deployment) -> bool:
    return change.source == site.controller.name and bool(WEB_SERVER.fullmatch(change.unit))


def _stands_for(run: ScriptRun, site: Deployment) -> Iterator[Script]:
    """Yield the script that a run is, or that a reboot belongs to.

    A node may be rebooted in place of its start, the controller after its update.
    """
    if run.script in ORDER:
        yield run.script
    elif run.source in site.nodes:
        yield START
    elif run.source == site.controller.name:
        yield UPDATE_CONTROLLER


def _step(
    run: ScriptRun,
    script: Script,
    site: Deployment,
    changes: Iterable[UnitChanged],
    files: Iterable[ServerFilesWritten],
) -> Step:
    own = [one for one in changes if one.source == run.source and within(one.moment, run)]
    if script == UPDATE_CONTROLLER and run.script == REBOOT:  # what stops is in no journal any more
        web = {one.unit for one in changes if _of_web_server(one, site) and one.change in _BOTH}
        return _by_journal(run, script, own, {(unit, "started") for unit in web})
    if script == UPDATE_CONTROLLER:
        stopped = {one.unit for one in own if one.change == "stopped"}
        if not stopped:
            return Step(run, script, lacks="no web server stopped, by the controller's journal")
        return _by_journal(run, script, own, {(u, c) for u in stopped for c in _BOTH})
    if script == UPDATE_NODE:
        return _by_files(run, [f"{name}.conf" for name in _names(site, run.source)], files)
    change = "stopped" if script == STOP else "started"
    names = _names(site, run.source) if run.source in site.nodes else []
    return _by_journal(run, script, own, {(_unit(name), change) for name in names})


def _by_journal(
    run: ScriptRun, script: Script, own: Iterable[UnitChanged], wanted: set[tuple[str, str]]
) -> Step:
    found = [one for one in own if (one.unit, one.change) in wanted]
    missing = sorted(wanted - {(one.unit, one.change) for one in found})
    lacks = ", ".join(f"{unit} was not seen {change}" for unit, change in missing)
    return _shown(
        run, script, [one.moment for one in found], f"the journal of {run.source}", found, lacks
    )


def _by_files(run: ScriptRun, names: Iterable[str], files: Iterable[ServerFilesWritten]) -> Step:
    wanted = set(names)
    read = [one for one in files if one.source == run.source and one.at_ns >= run.at_ns][:1]
    written = {
        file.name: Moment(file.written_ns, one.uncertainty_ns)
        for one in read
        for file in one.files
        if file.name in wanted
    }
    new = [at for at in written.values() if within(at, run)]
    old = sorted(wanted - {name for name, at in written.items() if within(at, run)})
    lacks = f"it did not write {', '.join(old)}" if old else ""
    return _shown(run, UPDATE_NODE, new, f"the files of {run.source}", read, lacks)


def _shown(
    run: ScriptRun,
    script: Script,
    moments: Sequence[Moment],
    proof: str,
    events: Iterable[Event],
    lacks: str,
) -> Step:
    if not moments:
        return Step(run, script, lacks=lacks)
    return Step(run, script, last_of(moments), lacks, proof, tuple(one.place for one in events))
