"""A model of a run over many hosts: the scheduler that such runs have, and hosts that are made up.

Who runs what is decided by `scenarios.workers` itself; only its workers and its clock are pretended
here. Between two events nothing happens, so an hour takes no time. What a lab waits for, in order:

- its host is set up (`begin_s`), and all workers are started, one after another (`worker_s` each):
  xdist does so, and shares out nothing before the last has collected;
- the guide's checkpoint is provisioned on the first host (`provision_s`), and fetched once by each
  other host, over the first one's link, one after the other, or, `passed_on`, from any host that
  has it and sends it to nobody else just then;
- the lab is thawed, when it is its first of a guide, or another guide's than before (`thaw_s`);
- the scenario runs, as long as it ran here: labs of one host do not slow each other down further;
- at the end, evidence that is not home yet. It comes while the lab goes on, over the first host's
  link, which takes it in as fast as it gives checkpoints out, one scenario's after another's; from
  the first host itself there is no way to go.

Not in it: the checkout on its way to each host, and scenarios that are carried out again because a
host was busy, but for those of the run that it is made of, whose attempts are added up.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from types import SimpleNamespace
from typing import Any, cast

import pytest

from scenarios.durations import Durations
from scenarios.workers import LongestFirst

BEGIN, WORKERS, TRANSFER, THAW, SCENARIO, EVIDENCE, WAIT = (
    "setting up the host",
    "starting workers",
    "checkpoint",
    "thaw",
    "scenario",
    "evidence",
    "waiting for work",
)
_MIB_OF_MBIT = 1e6 / 8 / 2**20


@dataclass(frozen=True)
class Costs:
    """What it takes beside the scenarios themselves."""

    begin_s: float = 0.0
    provision_s: float = 0.0
    thaw_s: float = 0.0
    checkpoint_mib: float = 0.0
    evidence_mib: float = 0.0
    link_mbit: float = 1000.0
    passed_on: bool = False
    worker_s: float = 0.0

    def over_link_s(self, mib: float) -> float:
        """Return how long so much takes over a host's link."""
        return mib / (self.link_mbit * _MIB_OF_MBIT)


@dataclass(frozen=True)
class Leg:
    """A stretch of a lab's time."""

    kind: str
    what: str
    seconds: float


@dataclass(frozen=True)
class Simulated:
    """What a run came to. chain: of the lab that ended last."""

    hosts: int
    labs: int
    wall_s: float
    worked_s: float
    last: str
    chain: tuple[Leg, ...]

    @property
    def utilisation(self) -> float:
        """The share of all labs' time in which scenarios ran."""
        return self.worked_s / (self.labs * self.wall_s) if self.wall_s else 0.0


@dataclass(eq=False)
class _Lab:
    """A worker of xdist, as far as the scheduler asks of one."""

    host: int
    name: str
    queue: list[int] = field(default_factory=list)
    shutting_down: bool = False
    runs: bool = False
    guide: str = ""
    free_s: float = 0.0
    home_s: float = 0.0
    """When the last of its evidence is home."""
    legs: list[Leg] = field(default_factory=list)

    @property
    def gateway(self) -> SimpleNamespace:
        return SimpleNamespace(id=self.name)

    def send_runtest_some(self, indices: Sequence[int]) -> None:
        self.queue += indices

    def shutdown(self) -> None:
        self.shutting_down = True

    @property
    def may_begin(self) -> bool:
        """Whether xdist would begin a scenario: it knows the one after it, or that none is."""
        return not self.runs and (len(self.queue) > 1 or (bool(self.queue) and self.shutting_down))

    def spend(self, kind: str, what: str, until_s: float) -> None:
        if until_s > self.free_s:
            self.legs.append(Leg(kind, what, until_s - self.free_s))
            self.free_s = until_s


def simulate(
    seconds: Mapping[str, float], expected: Durations, hosts: int, labs: int, costs: Costs
) -> Simulated:
    """Return what a run of these scenarios comes to on so many hosts of so many labs each.

    expected: what the scheduler believes they take.
    """
    return _Run(list(seconds), seconds, expected, hosts, labs, costs).played()


class _Run:
    """The state of a run in the middle."""

    def __init__(
        self,
        names: list[str],
        seconds: Mapping[str, float],
        expected: Durations,
        hosts: int,
        labs: int,
        costs: Costs,
    ) -> None:
        self._names, self._seconds, self._costs = names, seconds, costs
        self._now = 0.0
        self._sources = [0.0]  # when each host that has the checkpoints is free to send them
        self._home_s = 0.0  # when the first host is free to take evidence in
        self._there: dict[tuple[int, str], float] = {}
        self._order = count()
        self._events: list[tuple[float, int, _Lab]] = []
        self._labs = [
            _Lab(host, f"lab {lab} of host {host}")
            for host in range(
                1, hosts + 1
            )  # the first one's get the longest: it has its checkpoint
            for lab in range(1, labs + 1)
        ]
        self._hosts = hosts
        self._ready_s = costs.begin_s + costs.worker_s * len(self._labs)
        config = SimpleNamespace(
            getvalue=lambda _: ["popen"] * len(self._labs), getoption=lambda _: None
        )
        log = SimpleNamespace(loadsched=lambda *_: None)
        self._scheduler = LongestFirst(
            cast(pytest.Config, config), cast(Any, log), expected, lambda: self._now
        )

    def played(self) -> Simulated:
        """Let everything happen, in the order of time."""
        for lab in self._labs:
            self._scheduler.add_node(lab)
            self._scheduler.add_node_collection(lab, self._names)
        self._scheduler.schedule()
        self._begin()
        while self._events:
            self._now, _, lab = heapq.heappop(self._events)
            self._bring_home(lab)
            self._done(lab)
        last = max(self._labs, key=lambda lab: max(lab.free_s, lab.home_s))
        last.spend(EVIDENCE, "of all that it ran", last.home_s)
        worked = sum(leg.seconds for lab in self._labs for leg in lab.legs if leg.kind == SCENARIO)
        return Simulated(
            self._hosts, len(self._labs), last.free_s, worked, last.name, tuple(last.legs)
        )

    def _begin(self) -> None:
        if self._scheduler.tests_finished:
            for lab in self._labs:
                lab.shutdown()
        for lab in self._labs:
            if lab.may_begin:
                lab.runs = True
                self._run(lab, self._names[lab.queue[0]])

    def _run(self, lab: _Lab, name: str) -> None:
        guide = name.partition("::")[0].rpartition("/")[0]
        if lab.legs:
            lab.spend(WAIT, "", self._now)
        else:
            lab.spend(BEGIN, f"host {lab.host}", self._costs.begin_s)
            lab.spend(WORKERS, f"{len(self._labs)} of them", self._ready_s)
        lab.spend(TRANSFER, f"of {guide} to host {lab.host}", self._fetched_s(lab, guide))
        if lab.guide != guide:
            lab.spend(THAW, guide, lab.free_s + self._costs.thaw_s)
            lab.guide = guide
        lab.spend(SCENARIO, name, lab.free_s + self._seconds[name])
        heapq.heappush(self._events, (lab.free_s, next(self._order), lab))

    def _fetched_s(self, lab: _Lab, guide: str) -> float:
        """Return when a guide's checkpoint is on a lab's host."""
        provisioned_s = self._ready_s + self._costs.provision_s
        if lab.host == 1:
            return provisioned_s
        if (lab.host, guide) not in self._there:
            begins_s = max(lab.free_s, heapq.heappop(self._sources), provisioned_s)
            ends_s = begins_s + self._costs.over_link_s(self._costs.checkpoint_mib)
            heapq.heappush(self._sources, ends_s)
            if self._costs.passed_on:
                heapq.heappush(self._sources, ends_s)
            self._there[lab.host, guide] = ends_s
        return self._there[lab.host, guide]

    def _bring_home(self, lab: _Lab) -> None:
        if lab.host != 1 and self._costs.evidence_mib:
            took_s = self._costs.over_link_s(self._costs.evidence_mib)
            self._home_s = lab.home_s = max(self._now, self._home_s) + took_s

    def _done(self, lab: _Lab) -> None:
        lab.runs = False
        self._scheduler.mark_test_complete(lab, lab.queue.pop(0))
        self._begin()
