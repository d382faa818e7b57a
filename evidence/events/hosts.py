"""Events of a run over several hosts, as home records them: what became of hosts and evidence.

They stand in the history of the run's own directory, and in no part's. What a scenario did stands
in the history of the host that it ran on, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from evidence.event import Count, Event, Name, Nanoseconds, Value

HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
"""Of a host, and of the directory of its part: `hosts/NAME`."""
FileName = Annotated[str, Field(pattern=r"^[^/\x00][^\x00]*$")]
"""Of a file, relative to the directory of its part."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ClockAgainst(Value):
    """How far a host's clock was ahead of another host's, which is the first one of the run.

    at_ns: when that was measured, by the other's clock. No verdict rests on it: no two hosts' times
    are compared. It is for who reads two histories side by side.
    """

    host: HostName
    ahead_ns: Nanoseconds
    uncertainty_ns: Count
    at_ns: Count


class HostJoined(Event):
    """A host takes part in the run from now on, or again after it was lost.

    labs: how many it carries at once. accelerator, qemu, libvirt, processor, system: in words, ""
    where that could not be asked. clock: None for the first one, or where unknown.
    """

    kind: Literal["host.joined"] = "host.joined"
    host: HostName
    address: Name
    cores: int = Field(ge=1)
    memory_mib: int = Field(ge=1)
    labs: int = Field(ge=1)
    accelerator: str = ""
    qemu: str = ""
    libvirt: str = ""
    processor: str = ""
    system: str = ""
    clock: ClockAgainst | None = None


class HostMissing(Event):
    """A host of the file takes no part, and the run went on without it. why: one line."""

    kind: Literal["host.missing"] = "host.missing"
    host: HostName
    why: Name


class HostBrought(Event):
    """A host was brought an image or a checkpoint that another had made. octets: as they came."""

    kind: Literal["host.brought"] = "host.brought"
    host: HostName
    giver: HostName
    what: Name
    octets: Count


class HostClockMeasured(Event):
    """A host's clock was measured again while the run went on."""

    kind: Literal["host.clock_measured"] = "host.clock_measured"
    host: HostName
    clock: ClockAgainst


class HostLost(Event):
    """A host is gone in the middle of the run, or what worked for the run on it is. why: one line.

    cut: the scenarios that ran there then and did not end, and those that ended, but whose evidence
    had not come; empty when there are none. What became of each is told by `ScenarioTaken`; one
    that nobody took stays as it was left.
    """

    kind: Literal["host.lost"] = "host.lost"
    host: HostName
    why: Name
    cut: tuple[Name, ...] = ()


class ScenarioTaken(Event):
    """A scenario that was cut with the host `lost` is begun again, once, by `host`."""

    kind: Literal["scenario.taken"] = "scenario.taken"
    cut: Name
    lost: HostName
    host: HostName


class FileArrived(Value):
    """What a file held as its host read it: its length in octets, and the hash of them."""

    size: Count
    sha256: Sha256


class EvidenceArrived(Event):
    """Evidence of a host came home, because a scenario ended there, or the whole part at the end.

    ended: the scenario; "" when it was not for one. files: those that are new or other than at the
    last arrival, relative to the part. wrong: those that did not come as their host read them, and
    what is wrong with each; these are at home as they are. gone: those that the host removed since
    they came: the recording of a lab that nobody needed, for instance.
    """

    kind: Literal["evidence.arrived"] = "evidence.arrived"
    host: HostName
    ended: str = ""
    files: Mapping[FileName, FileArrived]
    wrong: tuple[Name, ...] = ()
    gone: tuple[FileName, ...] = ()


class PartsJudged(Event):
    """Series that are judged next are judged over so much of each host's history, in lines."""

    kind: Literal["parts.judged"] = "parts.judged"
    lines: Mapping[HostName, Count]
