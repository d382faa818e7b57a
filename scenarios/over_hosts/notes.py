"""What home records of a run's hosts: its own history, and the table `hosts` in `run.json`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from checks.engine.collected import KEY as COLLECTED
from checks.engine.coming_home import take_home
from evidence.errors import Absent, BadEvidence
from evidence.event import Event
from evidence.events.hosts import (
    ClockAgainst,
    EvidenceArrived,
    HostBrought,
    HostClockMeasured,
    HostJoined,
    HostLost,
    HostMissing,
    ScenarioTaken,
)
from evidence.parts import HOSTS
from evidence.run import RunDirectory
from lab.hosts.evidence import Arrived
from scenarios.over_hosts.fleet import Fleet, Member
from scenarios.run import Run

SOURCE = "home"
_OF_PARTS = ("image", "image_source", "accelerator", "software", "mutants", COLLECTED)
"""What `run.json` of one machine's run says of it, and home takes from its hosts."""


class Notes:
    """What home records of the run's hosts."""

    def __init__(self, run: Run, fleet: Fleet) -> None:
        self._run = run
        self._fleet = fleet

    def part(self, host: str) -> Path:
        """Return where a host's part comes."""
        return self._run.directory / HOSTS / host

    def open(self, labs: Mapping[str, int]) -> None:
        """Make the run's directory, and say which hosts take part, and which do not."""
        self._run.open()
        for name, why in self._fleet.missing.items():
            self._record(HostMissing(source=SOURCE, host=name, why=why))
        for name, one in self._fleet.members.items():
            self.part(name).mkdir(mode=0o700, parents=True)
            self.joined(one, labs[name])

    def joined(self, one: Member, labs: int) -> None:
        """Record that a host takes part from now on."""
        found = one.found
        self._record(
            HostJoined(
                source=SOURCE,
                host=one.name,
                address=str(one.host.way),
                cores=found.cores,
                memory_mib=max(1, found.memory_mib),
                labs=labs,
                qemu=found.qemu,
                libvirt=found.libvirt,
                processor=found.processor,
                system=found.system,
                clock=self.clock(one),
            )
        )

    def clock(self, one: Member) -> ClockAgainst | None:
        """Return a host's clock against the first one's; None for that, and where unknown."""
        first = next(iter(self._fleet.members.values()))
        if one is first or one.line is None or first.line is None:
            return None
        here = time.time_ns()
        own, others = one.line.offset(), first.line.offset()
        return ClockAgainst(
            host=first.name,
            ahead_ns=others.behind_ns - own.behind_ns,
            uncertainty_ns=own.uncertainty_ns + others.uncertainty_ns,
            at_ns=others.in_lab(here),
        )

    def arrived(self, host: str, ended: str, came: Arrived) -> None:
        """Record what came home, and judge by it."""
        if not (ended or came.files or came.wrong or came.gone):
            return
        self._record(EvidenceArrived(source=SOURCE, host=host, ended=ended, **vars(came)))
        take_home(self._run.directory, host)

    def brought(self, what: str, giver: str, host: str, octets: int) -> None:
        """Record that a host has an image or a checkpoint from another now."""
        self._record(HostBrought(source=SOURCE, host=host, giver=giver, what=what, octets=octets))

    def lost(self, host: str, why: str, cut: tuple[str, ...]) -> None:
        """Record that a host is gone, or a worker on it, and what was cut; judge what that left."""
        self._record(HostLost(source=SOURCE, host=host, why=why, cut=cut))
        take_home(self._run.directory, host)

    def taken(self, cut: str, lost: str, host: str) -> None:
        """Record that a scenario which was cut is begun again."""
        self._record(ScenarioTaken(source=SOURCE, cut=cut, lost=lost, host=host))

    def incomplete(self) -> list[str]:
        """Say what of the evidence did not come home as it is there, whatever scenarios came to."""
        return [
            *(
                f"{scenario} ended on {one.name}, and its evidence did not come home: run it again"
                for one in self._fleet.members.values()
                if one.lost
                for scenario in sorted(one.owed - {""})
            ),
            *(
                f"evidence of {name} is other at home than there: {why}"
                for name, wrong in self._fleet.differs.items()
                for why in wrong
            ),
        ]

    def close(self) -> None:
        """Measure the clocks once more, judge all that came, and complete `run.json`."""
        for one in self._fleet.left:
            if (clock := self.clock(one)) is not None:
                self._record(HostClockMeasured(source=SOURCE, host=one.name, clock=clock))
        take_home(self._run.directory)
        wanted: set[str] = set()
        said: dict[str, Mapping[str, Any]] = {}
        for name in self._fleet.members:
            files = RunDirectory(self.part(name))
            try:
                wanted.update(files.requirements())
                said[name] = files.facts()
            except (Absent, BadEvidence):
                continue  # no scenario began there
        self._run.open(requirements=wanted)
        hosts = {
            name: {**self._told(one), "accelerator": said.get(name, {}).get("accelerator")}
            for name, one in self._fleet.members.items()
        }
        self._run.note(**_of_all(said), hosts=hosts)

    def _told(self, one: Member) -> dict[str, object]:
        clock = self.clock(one)
        return {
            "address": str(one.host.way),
            **one.found.model_dump(exclude={"problem", "machine", "directory", "executable"}),
            "clock": None if clock is None else clock.model_dump(),
            "lost": one.lost,
        }

    def _record(self, event: Event) -> None:
        with self._run.history("") as history:
            history.record(event)


def _of_all(said: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what a run says of all its hosts: words that are others on another name both."""
    found: dict[str, Any] = {}
    for key in _OF_PARTS:
        told = {host: facts[key] for host, facts in said.items() if key in facts}
        if not told:
            continue
        first, *others = told.values()
        found[key] = first
        if isinstance(first, str) and any(one != first for one in others):
            found[key] = "; ".join(f"{host}: {one}" for host, one in told.items())
    return found
