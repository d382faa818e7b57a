"""MN-14: apply_changes twice changes nothing that runs; without the controller it fails loudly.

It stops and starts every process each time, which is its way: what must not change is what runs
afterwards: units, sockets, devices and directives. Certificates are new, and are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from checks.engine.obligations import Obligations
from checks.engine.registry import check
from checks.multi_node.deployment import deployment
from checks.multi_node.power import Outage, outages, owe_silence
from checks.multi_node.server_processes import read_config, read_sockets
from evidence.errors import Missing
from evidence.events.maintenance import ScriptRun
from evidence.events.multi_node import ServerState
from evidence.scenario import Evidence

APPLY = "apply_changes.sh"


@check("MN-14")
def applied_twice(evidence: Evidence, owed: Obligations) -> None:
    """Judge two runs with the controller up, and one while it is off, on each node."""
    site = deployment(evidence, owed)
    found = list(outages(evidence, site.controller.name))
    if len(found) != 1:
        raise Missing(f"the controller was off {len(found)} times, once is needed")
    owe_silence(found[0], evidence, owed)
    for node in site.nodes:
        runs = [one for one in evidence.events(ScriptRun, node) if one.script == APPLY]
        inside = [one for one in runs if _inside(one, found[0])]
        before = [one for one in runs if one.at_ns <= found[0].off.moment.earliest_ns]
        off_ns = found[0].off.moment.earliest_ns
        states = [one for one in evidence.events(ServerState, node) if one.at_ns <= off_ns]
        _owe_the_same(node, before, states, owed)
        one = owed.owe(f"{node}: {APPLY} fails loudly while the controller is off")
        for run in inside:
            said = run.output.strip()
            one.settle(run.status != 0, f"{node}: {APPLY} ended with 0", run.place)
            if not said:
                one.broken(f"{node}: {APPLY} ended with {run.status}, and said nothing", run.place)
            owed.tell(f"{node}, controller off: {APPLY} ended with {run.status}: {said[-160:]!r}")


def _inside(run: ScriptRun, outage: Outage) -> bool:
    return outage.during.holds(run.began_ns) and outage.during.holds(run.at_ns)


def _owe_the_same(
    node: str, runs: Sequence[ScriptRun], states: Sequence[ServerState], owed: Obligations
) -> None:
    one = owed.owe(f"{node}: {APPLY} run twice changes nothing that runs")
    if len(runs) < 2:
        one.doubt(f"{node}: {APPLY} was run {len(runs)} times with the controller up, not twice")
        return
    first, second = runs[-2:]
    between = [one for one in states if first.at_ns <= one.at_ns <= second.began_ns][-1:]
    after = [one for one in states if one.at_ns >= second.at_ns]
    if not between or not after:
        one.doubt(f"{node}: what ran was not looked at after each run", first.place, second.place)
        return
    one.met(first.place, second.place, between[0].place, *(state.place for state in after))
    for run in (first, second):
        if run.status != 0:
            one.broken(f"{node}: {APPLY} ended with {run.status}: {run.output[-200:]!r}", run.place)
    for state in after:
        for what in _differing(between[0], state):
            one.broken(f"{node}: {what} after the second run than after the first", state.place)
        if not _units(state):
            one.broken(f"{node}: no OpenVPN runs after {APPLY}", state.place)


def _differing(one: ServerState, other: ServerState) -> Iterator[str]:
    if _units(one) != _units(other):
        yield f"other units run: {sorted(_units(one) ^ _units(other))}"
    if _sockets(one) != _sockets(other):
        yield f"other sockets are open: {sorted(_sockets(one) ^ _sockets(other))}"
    devices = [{link.ifname for link in state.links} for state in (one, other)]
    if devices[0] != devices[1]:
        yield f"other devices are there: {sorted(devices[0] ^ devices[1])}"
    if one.files.keys() != other.files.keys():
        yield f"other files are there: {sorted(one.files.keys() ^ other.files.keys())}"
    for name in sorted(one.files.keys() & other.files.keys()):
        if read_config(one.files[name]) != read_config(other.files[name]):
            yield f"{name} says something else"


def _units(state: ServerState) -> set[str]:
    rows = [line.split() for line in state.units.splitlines()]
    return {row[0] for row in rows if len(row) > 3 and row[2] == "active"}


def _sockets(state: ServerState) -> set[tuple[str, str, int]]:
    return {
        (one.transport, one.address, one.port)
        for one in read_sockets(state.sockets)
        if one.program == "openvpn"
    }
