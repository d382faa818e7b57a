"""The hosts that a run was divided over: what each is, what became of it, and how its clock stood.

By what home recorded of them. No time of one is put beside another's: the clocks are for readers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evidence.events.hosts import (
    ClockAgainst,
    HostClockMeasured,
    HostJoined,
    HostLost,
    HostMissing,
    ScenarioTaken,
)
from evidence.moment import NS
from report.reading import Material

LOST, BACK, MISSING, UNTOLD = "lost", "back after it was lost", "missing", "not told of"


@dataclass(frozen=True)
class Host:
    """One host. state: "" when nothing befell it; why: that it was lost or is missing.

    cut: the scenarios that it was lost with, and what became of each. scenarios: how many were
    begun there.
    """

    name: str
    address: str
    what: str
    labs: int
    clock: str
    scenarios: int
    state: str
    why: str
    cut: tuple[str, ...]

    @property
    def trouble(self) -> str:
        """What a first screen has to say of it; "" when nothing befell it."""
        if not self.state:
            return ""
        cut = f" ({'; '.join(self.cut)})" if self.cut else ""
        return f"{self.name} is {self.state}: {self.why}{cut}"


def hosts(material: Material) -> list[Host]:
    """Return every host of a run, in the order of joining; none for a run on one machine."""
    own = material.histories.own
    joined = {one.host: one for one in own.of(HostJoined)}
    clocks = {one.host: one.clock for one in joined.values() if one.clock is not None}
    clocks |= {one.host: one.clock for one in own.of(HostClockMeasured)}
    lost: dict[str, list[HostLost]] = {}
    for one in own.of(HostLost):
        lost.setdefault(one.host, []).append(one)
    missing = {one.host: one.why for one in own.of(HostMissing)}
    parts = [part.host for part, _ in material.histories if part.host]
    begun = _begun(material)
    return [
        Host(
            name,
            joined[name].address if name in joined else "",
            _what(joined.get(name), _accelerator(material, name)),
            joined[name].labs if name in joined else 0,
            _clock(clocks.get(name)),
            begun.get(name, 0),
            *_befell(joined.get(name), lost.get(name, []), missing.get(name)),
            tuple(cut for one in lost.get(name, ()) for cut in _cut(material, one)),
        )
        for name in dict.fromkeys([*joined, *missing, *lost, *parts])
    ]


def _befell(
    joined: HostJoined | None, lost: Sequence[HostLost], missing: str | None
) -> tuple[str, str]:
    if lost:
        back = joined is not None and joined.line > lost[-1].line
        return BACK if back else LOST, "; ".join(dict.fromkeys(one.why for one in lost))
    if joined is not None:
        return "", ""
    if missing is not None:
        return MISSING, missing
    return UNTOLD, "there is evidence of it, and home recorded nothing"


def _begun(material: Material) -> dict[str, int]:
    found: dict[str, set[str]] = {}
    for one in material.attempts:
        found.setdefault(material.part_of(one)[0].host, set()).add(one.scenario)
    return {host: len(scenarios) for host, scenarios in found.items()}


def _cut(material: Material, lost: HostLost) -> Iterator[str]:
    taken = material.histories.own.of(ScenarioTaken)
    for scenario in lost.cut:
        by = [one.host for one in taken if (one.cut, one.lost) == (scenario, lost.host)]
        yield f"{scenario}, taken by {by[-1]}" if by else f"{scenario}, taken by none"


def _accelerator(material: Material, host: str) -> str:
    """Return what `run.json` says that a host's guests ran on: it is chosen after joining."""
    hosts = material.facts.get("hosts")
    told = hosts.get(host) if isinstance(hosts, dict) else None
    said = told.get("accelerator") if isinstance(told, dict) else None
    return said if isinstance(said, str) else ""


def _what(joined: HostJoined | None, accelerator: str) -> str:
    if joined is None:
        return ""
    versions = (("QEMU", joined.qemu), ("libvirt", joined.libvirt))
    told = [
        joined.processor,
        f"{joined.cores} core{'s' * (joined.cores != 1)}",
        f"{joined.memory_mib / 1024:.0f} GiB",
        joined.accelerator or accelerator,
        *(f"{name} {version}" for name, version in versions if version),
        joined.system,
    ]
    return ", ".join(filter(None, told))


def _clock(told: ClockAgainst | None) -> str:
    if told is None:
        return ""
    uncertain_ms = told.uncertainty_ns / 1e6
    return f"{told.ahead_ns / NS:+.3f} s against {told.host}, ± {uncertain_ms:.1f} ms"
