"""A site: machines that are already there, as scenarios act on them.

Nothing is disturbed unless that was allowed, and each disturbance is announced before it is carried
out: on the terminal, and in `announced.log` beside the evidence.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from lab.clock import ClockOffset
from lab.errors import NotHere
from lab.machine import Machine
from lab.site.file import SiteFile
from lab.site.machine import SiteMachine
from lab.site.medium import SiteMedium
from lab.site.reach import Reached, reach
from lab.topology import Topology

ANNOUNCED = "announced.log"
ALLOW = "--allow-disruption"


class Site:
    """The machines of a site, and what was heard between them. Made by `open`, ended by `close`."""

    def __init__(
        self,
        file: SiteFile,
        directory: Path,
        *,
        allowed: bool = False,
        say: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self.file = file
        self.directory = directory
        self.allowed = allowed
        self.is_whole = True
        """Whether it is as it was found; who disturbs it says when it is not."""
        self.started_ns, self.started_uncertainty_ns = time.time_ns(), 0
        self.say = say
        self.machines: Mapping[str, SiteMachine] = {
            name: SiteMachine(name, replace(access, lab=directory), self.announce)
            for name, access in file.access.items()
        }
        self.reached: Mapping[str, Reached] = {}
        self._wire: SiteMedium | None = None
        self._clock: ClockOffset | None = None

    @property
    def topology(self) -> Topology:
        """Names, roles and addresses, as the site file has them."""
        return self.file.topology

    def __getitem__(self, name: str) -> Machine:
        """Return the machine called `name`."""
        self.topology.machine(name)
        return self.machines[name]

    def look(self) -> None:
        """Find out whether the site is as its file says; SiteError with a line for each fault."""
        self.reached = reach(self.file, self.machines)

    def open(self, capture: Path) -> None:
        """Begin to record what the machines send each other."""
        if not self.reached:
            self.look()
        self._wire = SiteMedium(
            self.topology, self.file.access, self.reached, capture, self.file.probe
        )
        try:
            self._wire.start()
            self._clock = ClockOffset.spanning(one.clock() for one in self.machines.values())
        except BaseException:
            self.close()
            raise
        self.started_ns = time.time_ns()

    def close(self) -> None:
        """End listening, and let go of the machines: they run on."""
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()
        for machine in self.machines.values():
            machine.disconnect()

    @property
    def wire(self) -> SiteMedium:
        """What was heard between the machines."""
        if self._wire is None:
            raise NotHere(f"{self.topology.name} is not listened to yet")
        return self._wire

    @property
    def clock(self) -> ClockOffset:
        """How far the machines' clocks were behind this host's when listening began."""
        if self._clock is None:
            raise NotHere(f"the clocks of {self.topology.name} were not measured yet")
        return self._clock

    def mac(self, machine: str, index: int) -> str:
        """Return the MAC address that a machine's NIC `index` was seen to have."""
        return self.reached[machine].nics[index].mac

    def interface(self, machine: str, index: int) -> str:
        """Return what a machine calls its NIC `index`."""
        return self.reached[machine].nics[index].interface

    def set_link(self, machine: str, nic: int, *, up: bool) -> None:
        """Refuse: the carrier of a machine that is already there is not ours."""
        what = "given its carrier" if up else "made to lose its carrier"
        raise NotHere(f"NIC {nic} of {machine} cannot be {what}: no switch of it is known")

    def announce(self, what: str) -> None:
        """Say what is about to be done; NotHere unless disruptions are allowed."""
        if not self.allowed:
            raise NotHere(f"not done without {ALLOW}: {what}")
        line = f"{time.strftime('%H:%M:%S')} {self.topology.name}: about to disturb: {what}"
        self.say(line)
        # A full disk here must not keep what was disturbed there from being undone.
        with suppress(OSError), (self.directory / ANNOUNCED).open("a", encoding="utf-8") as log:
            log.write(f"{line}\n")
