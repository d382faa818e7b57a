"""What scenarios act on: a lab of ours, or machines that are already there.

Protocols only. `lab.lab.Lab` is one, made of virtual machines and the wire; `lab.site.Site` is the
other, reached over SSH. Whatever a scenario asks of a site that cannot be had there raises NotHere,
which ends it as UNKNOWN, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from lab.clock import ClockOffset
from lab.machine import Machine
from lab.topology import Topology
from lab.wire.frame import Frame
from lab.wire.rules import Match, Rule


class Frames(Protocol):
    """Frames as they pass; `lost` counts those that were not shown to a slow reader."""

    lost: int

    def take(self, timeout: float) -> Frame | None:
        """Return the next frame, or None when none passes within `timeout` seconds."""

    def take_for(self, seconds: float) -> Iterator[Frame]:
        """Yield the frames that pass within the next `seconds`."""


class Medium(Protocol):
    """What lies between the machines: shows and records frames, and disturbs them, if it can."""

    def frames(self, match: Match | None = None) -> AbstractContextManager[Frames]:
        """Subscribe to frames; when this returns, somebody listens."""

    def flush(self) -> None:
        """Return when every frame received so far stands in the capture, and a mark of that."""

    def counters(self) -> dict[str, Any]:
        """Return "generation", "reached" and "ports"."""

    def attach(self, port: str, segment: str) -> None:
        """Add a virtual port."""

    def inject(self, segment: str, raw: bytes, *, port: str = "probe/wire0") -> None:
        """Send `raw` into `segment` from a virtual port."""

    def add(self, rule: Rule) -> int:
        """Put `rule` in force, and return its id."""

    def remove(self, rule: int) -> dict[str, Any]:
        """Take a rule out of force, and return its last counters."""

    def hits(self, rule: int) -> int:
        """Return how many frames rule `rule` acted on."""

    def cut(self, port: str) -> None:
        """Let nothing in or out at `port`."""

    def heal(self, port: str) -> None:
        """Undo `cut`."""

    def filter_mac(self, port: str, macs: Sequence[str] | None) -> None:
        """Accept only frames with these source MACs in at `port`; None accepts all again."""


class Testbed(Protocol):
    """Machines by name, what lies between them, and what they are meant to be."""

    directory: Path
    started_ns: int
    started_uncertainty_ns: int

    @property
    def topology(self) -> Topology:
        """Names, roles and addresses."""

    @property
    def machines(self) -> Mapping[str, Machine]:
        """All machines by name."""

    @property
    def wire(self) -> Medium:
        """What lies between them."""

    @property
    def clock(self) -> ClockOffset:
        """How far the machines' clocks are behind this host's, true of each of them."""

    def __getitem__(self, name: str) -> Machine:
        """Return the machine called `name`."""

    def mac(self, machine: str, index: int) -> str:
        """Return the MAC address of a machine's NIC `index`."""

    def interface(self, machine: str, index: int) -> str:
        """Return what a machine calls its NIC `index`."""

    def set_link(self, machine: str, nic: int, *, up: bool) -> None:
        """Give a machine's NIC its carrier, or take it away."""

    def announce(self, what: str) -> None:
        """Say what is about to be done to machines that others use; NotHere when it may not be."""
