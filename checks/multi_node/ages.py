"""Whether what runs was started after its configuration was written: for MN-13.

OpenVPN reads its file once. A process that is older than its file runs what an earlier file said,
whatever stands there now; units, sockets and devices look the same. Both times are the node's own
clock's, so no other clock is compared; what the reading may be off by keeps it open.
"""

from __future__ import annotations

from collections.abc import Iterable

from checks.engine.obligations import Obligation, Obligations
from evidence.events.multi_node import ServerAges

# What is generated cannot be older than the software that generates it (2020-04-05): such a date
# is of a clock that was not set, and orders nothing.
_EARLIEST_NS = 1_586_000_000 * 10**9


def younger_than_their_files(
    node: str, configs: Iterable[str], events: Iterable[ServerAges], owed: Obligations
) -> None:
    """Owe that each of `configs` was written before the process that reads it was started."""
    wanted = list(configs)
    for event in events:
        for config in wanted:
            one = owed.owe(f"{node}: {config} was written before its process was started")
            _judge(f"{node}: {config}", config, event, one)
        others = sorted({process.config for process in event.processes} - set(wanted))
        owed.require(
            not others,
            f"{node}: no process reads another configuration",
            f"{node}: a process reads {', '.join(others)}, which is not to be there",
            event.place,
        )


def _judge(named: str, config: str, event: ServerAges, one: Obligation) -> None:
    written = [file.written_ns for file in event.files if file.name == config]
    started = [process.started_ns for process in event.processes if process.config == config]
    if not written or not started:
        lacks = "the file" if not written else "a process that reads it"
        one.doubt(f"{named}: the ages of the node's processes lack {lacks}", event.place)
        return
    if max(written) < _EARLIEST_NS:
        one.doubt(f"{named} is dated before the software was published", event.place)
        return
    newer_ns = max(written) - min(started)
    if newer_ns > event.uncertainty_ns:
        one.broken(
            f"{named} was written {newer_ns / 1e9:.2f} s after the process that reads it was "
            "started: what runs is not what the file says",
            event.place,
        )
    elif newer_ns > -event.uncertainty_ns:
        within = f"{event.uncertainty_ns / 1e9:.3f} s"
        one.doubt(f"{named} and its process are of the same moment, to {within}", event.place)
    else:
        one.met(event.place)
