"""Sharing scenarios out among workers: each runs once, long ones first, whoever dies meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.durations import Durations
from scenarios.workers import LongestFirst


@dataclass(eq=False)
class Worker:
    """A worker as xdist's is: it begins a scenario once it knows another, or that there is none."""

    name: str
    queue: list[int] = field(default_factory=list)
    shutting_down: bool = False

    @property
    def gateway(self) -> SimpleNamespace:
        return SimpleNamespace(id=self.name)

    def send_runtest_some(self, indices: Sequence[int]) -> None:
        assert not self.shutting_down
        self.queue += indices

    def shutdown(self) -> None:
        self.shutting_down = True

    @property
    def can_run(self) -> bool:
        return len(self.queue) >= 2 or (bool(self.queue) and self.shutting_down)


class Session:
    """What xdist does around a scheduler; time passes only when a scenario is run."""

    def __init__(self, workers: int, scenarios: Sequence[str], seconds: dict[str, float]) -> None:
        self.now = 0.0
        log: Any = SimpleNamespace(loadsched=lambda *_: None)
        config = SimpleNamespace(getvalue=lambda _: ["popen"] * workers, getoption=lambda _: None)
        self.scenarios = list(scenarios)
        self.sched = LongestFirst(config, log, Durations(seconds), lambda: self.now)
        self.seconds = seconds
        self.run: list[tuple[str, str]] = []
        self.crashed: list[str] = []
        self.workers: list[Worker] = []
        self.free_at: dict[Worker, float] = {}
        for number in range(workers):
            self.join(Worker(f"gw{number}"))

    def join(self, worker: Worker) -> None:
        self.workers.append(worker)
        self.free_at[worker] = self.now
        self.sched.add_node(worker)
        self.sched.add_node_collection(worker, self.scenarios)
        if self.sched.collection_is_completed:
            self.sched.schedule()

    def finish(self) -> None:
        if self.sched.tests_finished:
            for worker in self.workers:
                worker.shutdown()

    def runnable(self) -> list[Worker]:
        self.finish()
        return [worker for worker in self.workers if worker.can_run]

    def complete(self, worker: Worker) -> None:
        index = worker.queue.pop(0)
        name = self.scenarios[index]
        self.free_at[worker] += self.seconds.get(name, 10.0)
        self.now = max(self.now, self.free_at[worker])
        self.run.append((worker.name, name))
        self.sched.mark_test_complete(worker, index)

    def crash(self, worker: Worker) -> None:
        self.workers.remove(worker)
        worker.shutting_down = True
        crashed = self.sched.remove_node(worker)
        assert crashed is not None
        self.crashed.append(crashed)
        self.join(Worker(f"{worker.name}'"))

    def play(self) -> None:
        """Run everything; whoever would be done first is."""
        while runnable := self.runnable():
            ends = {
                one: self.free_at[one] + self.seconds.get(self.scenarios[one.queue[0]], 10.0)
                for one in runnable
            }
            self.complete(min(ends, key=lambda one: ends[one]))


def scenarios(**seconds: float) -> dict[str, float]:
    return {f"scenarios/failover/f.py::{name}": length for name, length in seconds.items()}


@given(
    st.integers(1, 4),
    st.lists(st.floats(0, 400), min_size=1, max_size=25),
    st.data(),
)
def test_each_scenario_runs_exactly_once_whatever_workers_do(
    workers: int, lengths: list[float], data: st.DataObject
) -> None:
    seconds = {f"scenarios/guide{n % 2}/f.py::t{n}": length for n, length in enumerate(lengths)}
    session = Session(workers, list(seconds), seconds)
    crashes = 0
    while runnable := session.runnable():
        worker = data.draw(st.sampled_from(runnable))
        if crashes < 3 and data.draw(st.integers(0, 9)) == 0:
            crashes += 1
            session.crash(worker)
        else:
            session.complete(worker)
    ended = [name for _, name in session.run] + session.crashed
    assert sorted(ended) == sorted(seconds)
    assert session.sched.tests_finished


def test_the_longest_begin_first_and_nobody_waits_behind_a_long_one() -> None:
    seconds = scenarios(a=10, b=10, c=300, d=10, e=100, f=100, g=100)
    session = Session(2, list(seconds), seconds)
    session.play()
    behind_c = [name[-1] for worker, name in session.run if worker == "gw0"]
    assert behind_c[0] == "c"
    assert set(behind_c[1:]) <= {"a", "b", "d"}
    assert session.now <= 320


@pytest.mark.parametrize("workers", [2, 3, 4])
def test_all_workers_end_at_about_the_same_time(workers: int) -> None:
    seconds = scenarios(**{f"t{n}": 10.0 + 7 * (n % 5) for n in range(40)})
    session = Session(workers, list(seconds), seconds)
    session.play()
    assert max(session.free_at.values()) - min(session.free_at.values()) <= 38
    assert max(session.free_at.values()) <= sum(seconds.values()) / workers + 38


def test_a_worker_stays_with_a_guide_where_that_costs_nothing() -> None:
    seconds = {f"scenarios/{guide}/f.py::t{n}": 10.0 for n in range(10) for guide in ("a", "b")}
    session = Session(2, list(seconds), seconds)
    session.play()
    for worker in ("gw0", "gw1"):
        guides = [name.split("/")[1] for one, name in session.run if one == worker]
        assert sum(here != after for here, after in pairwise(guides)) <= 1


def test_a_worker_does_not_stay_with_a_guide_when_a_long_scenario_waits() -> None:
    seconds = {"scenarios/a/f.py::t": 50.0, "scenarios/a/f.py::u": 5.0, "scenarios/b/f.py::v": 40.0}
    session = Session(1, list(seconds), seconds)
    session.play()
    assert [name[-1] for _, name in session.run] == ["t", "v", "u"]


def test_more_workers_than_scenarios_are_let_go() -> None:
    seconds = scenarios(a=10)
    session = Session(3, list(seconds), seconds)
    assert [bool(worker.queue) for worker in session.workers] == [True, False, False]
    assert all(worker.shutting_down for worker in session.workers)
    session.play()
    assert len(session.run) == 1


def test_what_a_dead_worker_had_ahead_is_run_by_others() -> None:
    seconds = scenarios(a=100, b=90, c=20, d=10)
    session = Session(2, list(seconds), seconds)
    session.crash(session.workers[0])
    session.play()
    assert session.crashed == ["scenarios/failover/f.py::a"]
    assert {name[-1] for _, name in session.run} == {"b", "c", "d"}


def test_workers_begin_with_different_guides() -> None:
    seconds = {"scenarios/a/f.py::t": 50.0, "scenarios/a/f.py::u": 40.0, "scenarios/b/f.py::v": 5.0}
    session = Session(2, list(seconds), seconds)
    assert [session.scenarios[worker.queue[0]][-1] for worker in session.workers] == ["t", "v"]
