"""Events of the harness' own promises: what a lab did to its host, its wire, and its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from evidence.event import Count, Event, Name, Seconds, Value


class HostVisited(Event):
    """A lab came, was used and went; the host was looked at before, meanwhile and afterwards.

    uid, capabilities: of the process that made the lab (the latter: effective ones, as bits).
    processes: how many the lab had. during, after: what was other than before, a line each.
    reachable: sockets of the lab that others than this host could reach. still: of what was other
    after the visits before this one, what is other after it still than before the first of them.
    at_home: of `after`, what is in the home and the temporary directories of whoever made the lab,
    where nobody else works.
    """

    kind: Literal["host.visited"] = "host.visited"
    uid: Count
    capabilities: Count
    processes: Count
    during: tuple[Name, ...]
    after: tuple[Name, ...]
    reachable: tuple[Name, ...]
    still: tuple[Name, ...] = ()
    at_home: tuple[Name, ...] = ()


class FramesSent(Event):
    """A machine sent numbered frames; each holds `nonce`, a colon, and its number, from 0.

    port: where it is plugged into the wire.
    """

    kind: Literal["frames.sent"] = "frames.sent"
    port: Name
    nonce: Name
    count: int = Field(ge=1)


class FramesReceived(Event):
    """How many of those frames another machine received: different ones, and all in all."""

    kind: Literal["frames.received"] = "frames.received"
    port: Name
    nonce: Name
    different: Count
    count: Count


class FramesDropped(Event):
    """How many of those frames a rule of the wire dropped, as the wire counted."""

    kind: Literal["frames.dropped"] = "frames.dropped"
    nonce: Name
    hits: Count


class VerdictGiven(Event):
    """What was said of a requirement by evidence that another scenario of this run left.

    by: that scenario.
    """

    kind: Literal["verdict.given"] = "verdict.given"
    requirement: Name
    by: Name
    status: Literal["PASS", "UNKNOWN", "FAIL"]
    reasons: tuple[str, ...]


class ProcessesKilled(Event):
    """Processes of a run of its own were killed at one moment; then it ended, or got Ctrl-C.

    kinds: what was killed. after_s: how long after the run had begun to make its lab. ended_s: how
    long the run itself went on after the kill, None in evidence of before that was kept. gone_s:
    how long after its end nothing of it ran any more; None: something still did, when the time was
    over. left: what that was. whole: whether the history that it left can be read, each line of it.
    """

    kind: Literal["processes.killed"] = "processes.killed"
    kinds: tuple[Name, ...] = Field(min_length=1)
    after_s: Seconds
    ended_s: Seconds | None = None
    gone_s: Seconds | None
    left: tuple[Name, ...]
    whole: bool


class RunFollowed(Event):
    """A run was begun where another one had been killed. status: its exit status."""

    kind: Literal["run.followed"] = "run.followed"
    status: int
    left: tuple[Name, ...]


class NoncesLeft(Event):
    """What a machine held before its lab was frozen: in the memory of a process, and on its disk.

    boot: the id of its boot. process: the one that holds the nonce, and when it was started.
    """

    kind: Literal["nonces.left"] = "nonces.left"
    memory: Name
    disk: Name
    boot: Name
    process: Name


class NoncesFound(Event):
    """What a machine held in a lab that was thawed. answers: whether it carried out a command."""

    kind: Literal["nonces.found"] = "nonces.found"
    lab: Name
    memory: str
    disk: str
    boot: str
    process: str
    answers: bool


class SaidOnWire(Event):
    """A machine of one of several labs with the same addresses sent a nonce to all.

    capture: of that lab, relative to the run's directory. address: which the machine has there.
    """

    kind: Literal["said.on.wire"] = "said.on.wire"
    lab: Name
    capture: Name
    address: Name
    nonce: Name


class Wanted(Value):
    """What the words of a refusal have to say. "" where there is nothing to say."""

    file: str
    key: str
    value: str
    right: str


class LabRefused(Event):
    """A lab was asked for by a file or an image that is wrong. case: which way.

    status, said: of the command. started: what it had made or started by then.
    """

    kind: Literal["lab.refused"] = "lab.refused"
    case: Name
    wanted: Wanted
    status: int
    said: str
    started: tuple[Name, ...]


class JudgedAgain(Event):
    """The verdicts that the run had so far, made again by another process from the files alone.

    differ: those that came out otherwise, a line each. on_capture: how many of them rest on frames,
    None in evidence of before that was kept.
    """

    kind: Literal["judged.again"] = "judged.again"
    compared: Count
    on_capture: Count | None = None
    differ: tuple[Name, ...]


class KillsShipped(Event):
    """The kill table that ships with the checks: how many mutants each check called FAIL."""

    kind: Literal["kills.shipped"] = "kills.shipped"
    checks: tuple[Name, ...] = Field(min_length=1)
    failed: Mapping[Name, Count]


class MutantApplied(Event):
    """A deployment was broken on purpose before this scenario provoked anything.

    mutant: its name. machine: where. done: what was done there, in words. requirement: which has to
    be FAIL by that. words: stand in the reason. depends: which others may be no PASS by the same.
    """

    kind: Literal["mutant.applied"] = "mutant.applied"
    mutant: Name
    machine: Name
    done: Name
    requirement: Name
    words: tuple[Name, ...] = Field(min_length=1)
    depends: tuple[Name, ...] = ()
