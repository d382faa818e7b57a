"""Events of the run itself: its scenarios, their judging, the labs they ran in, the host."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from evidence.event import Count, Event, Name, Nanoseconds, Value


class ClockOffset(Value):
    """How far a lab's clock is behind the host's, and how far off that measurement may be."""

    behind_ns: Nanoseconds
    uncertainty_ns: Count = 0


class ScenarioStarted(Event):
    """A scenario began, in a lab whose evidence bears the name `lab`.

    requirements: which ones it is to be judged for. attempt: counts from 1 how often it was
    begun in this run's directory; each attempt is judged for itself. software: what the guide was
    followed with in that lab, genuine or drop-in; empty where that was not noted.
    """

    kind: Literal["scenario.started"] = "scenario.started"
    lab: Name
    requirements: tuple[Name, ...] = ()
    attempt: int = Field(default=1, ge=1)
    software: str = ""


class ScenarioEnded(Event):
    """A scenario ended, whatever became of it. events: how many it recorded before this one."""

    kind: Literal["scenario.ended"] = "scenario.ended"
    events: Count


class Judged(Event):
    """A requirement is judged by what stands before this in the history."""

    kind: Literal["scenario.judged"] = "scenario.judged"
    requirement: Name


class SeriesJudged(Event):
    """A requirement is judged over all repetitions of a scenario that stand before this."""

    kind: Literal["series.judged"] = "series.judged"
    requirement: Name


class LabThawed(Event):
    """A lab went on from where it was frozen; `at_ns` is when its wire ran again.

    generation: of the wire. Counters and roles are compared within one of them only.
    """

    kind: Literal["lab.thawed"] = "lab.thawed"
    lab: Name
    generation: Count
    clock: ClockOffset


class LabBooted(Event):
    """A lab's machines were booted."""

    kind: Literal["lab.booted"] = "lab.booted"
    lab: Name
    generation: Count
    clock: ClockOffset


class SiteHeard(Event):
    """The frames of this scenario were heard on the machines themselves, which are a site's.

    uncertainty_ns: how far off the moment of a frame may be, for each is dated by its sender's own
    clock. troubles: what keeps verdicts from resting on them, in words.
    """

    kind: Literal["site.heard"] = "site.heard"
    lab: Name
    troubles: tuple[Name, ...] = ()


class HostLatenessUnknown(Event):
    """This host does not tell how long it kept processes from running: no `HostLate` says nothing.

    Once a scenario. reason: why not.
    """

    kind: Literal["host.lateness_unknown"] = "host.lateness_unknown"
    reason: Name


class HostLate(Event):
    """The host kept a process of the lab from running; `at_ns` is the end of the stretch.

    of: a machine, "wire", or "scenario": the process that asks and watches. kept_ns: how long it
    could run in the stretch and was kept from it (run delay of /proc/PID/task/TID/schedstat, of the
    main thread and of the one of the others that waited most); of "wire" also for how long it came
    late at most, whatever kept it (a disk, a stopped process): by the marks of its capture, since
    the mark before, and a stretch may stand there both ways. pressure_ns: how long anything on
    the host waited for a processor meanwhile (PSI), if known.
    """

    kind: Literal["host.late"] = "host.late"
    of: Name
    from_ns: Count
    kept_ns: Count
    pressure_ns: Count | None = None

    @property
    def until_ns(self) -> int:
        """The end of the stretch."""
        return self.at_ns


class LimitReached(Event):
    """Guests of a lab took what they may take of this host; `at_ns` is when that was seen.

    source: "wire", or the machine. limit: the environment variable that sets it. what: became of
    it; where the wire stopped recording, its capture has a hole from there on.
    """

    kind: Literal["limit.reached"] = "limit.reached"
    lab: Name
    limit: Name
    what: Name


class RepetitionsBegan(Event):
    """The benchmark of takeovers begins to provoke one fault, so many times.

    tunnel: whether a client's tunnel is watched, too.
    """

    kind: Literal["repetitions.began"] = "repetitions.began"
    fault: Name
    times: int = Field(ge=1)
    tunnel: bool = False


class RepetitionBroken(Event):
    """A repetition of the benchmark broke off, and ended its series."""

    kind: Literal["repetition.broken"] = "repetition.broken"
    number: int = Field(ge=1)
    reason: Name
