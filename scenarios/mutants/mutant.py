"""A mutant: a thawed deployment that is broken on purpose, so that a requirement must be FAIL.

It is broken once the scenario's lab is there and recorded, and before the scenario provokes
anything. What can only be broken later is broken by a thread, when the history says that it is
time: a pair with two masters, say, is none that a scenario could begin with.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import ModuleType
from typing import TypeVar

from evidence.event import Event
from evidence.events.harness import MutantApplied
from evidence.history import Following, History
from lab.errors import LabError, ScenarioError
from lab.lab import Lab
from lab.wait import heard
from scenarios.failover.pair import Pair

E = TypeVar("E", bound=Event)

_GENUINE = "genuine"
"""The folder, beside its own, of a program that something else stands in for."""
_LOOK_EVERY_S = 0.2


class MutantNotApplied(LabError):
    """A deployment could not be broken as the mutant says: it tells nothing of its check."""


class Broken:
    """A deployment that is being broken; what is undone with it is kept until the scenario ends."""

    def __init__(self, lab: Lab, history: History, pair: Pair | None, undone: ExitStack) -> None:
        self.lab = lab
        self.history = history
        self.undone = undone
        self._pair = pair
        self._over = threading.Event()
        self._beside = ThreadPoolExecutor(2, "mutant")
        self._later: list[Future[None]] = []

    @property
    def pair(self) -> Pair:
        """The failover pair; ScenarioError where the scenario has none."""
        if self._pair is None:
            raise ScenarioError("this mutant breaks a pair, and its scenario has none")
        return self._pair

    @property
    def standby(self) -> str:
        """The node that stands by."""
        return self.pair.other(self.pair.active())

    def edit(self, machine: str, path: str, old: str, new: str) -> None:
        """Replace all of a text in a file; MutantNotApplied where it does not stand there."""
        there = self.lab[machine]
        before = there.get(path).decode()
        if old not in before:
            raise MutantNotApplied(f"{machine}:{path} does not hold {old!r}")
        kept = there.run(f"stat -c '%a %U %G' {path}").stdout.split()
        mode, owner, group = kept
        there.put(before.replace(old, new), path, mode=int(mode, 8), owner=owner, group=group)

    def wrap(self, machine: str, program: str, script: str) -> None:
        """Let a shell script stand in for a program, which it finds as $genuine.

        That keeps its name, and a place as deep: some find their library from where they are.
        """
        there = self.lab[machine]
        path = PurePosixPath(there.run(f"command -v {program}").stdout.strip())
        genuine = path.parent.parent / _GENUINE / program
        there.run(f"mkdir -p {genuine.parent}; mv {path} {genuine}")
        there.put(f"#!/bin/sh\ngenuine={genuine}\n{script}\n", str(path), mode=0o755)
        there.run("sync")  # a node whose power is cut has it afterwards

    def stand_in(self, module: ModuleType, name: str, other: object) -> None:
        """Let something else stand in for what a scenario's module calls so, until it ends."""
        self.undone.callback(setattr, module, name, getattr(module, name))
        setattr(module, name, other)

    def after(
        self, kind: type[E], act: Callable[[], object], when: Callable[[E], bool] = lambda _: True
    ) -> None:
        """Act once the scenario has recorded such an event."""
        following = Following(self.history.path)

        def recorded() -> bool:
            found = following.read().of(kind, self.history.scenario)
            return any(when(event) for event in found)

        self.once(recorded, act)

    def once(self, condition: Callable[[], object], act: Callable[[], object]) -> None:
        """Act once a condition holds; `end` raises MutantNotApplied if that was too late."""

        def wait() -> None:
            while not condition():
                if heard(self._over, _LOOK_EVERY_S):
                    raise MutantNotApplied("the scenario ended before what it was to wait for")
            act()
            if self._over.is_set():
                raise MutantNotApplied("the scenario ended before it was done")

        self._later.append(self._beside.submit(wait))

    def end(self) -> None:
        """End what waits; whatever went wrong in it is raised."""
        self._over.set()
        self._beside.shutdown()
        for one in self._later:
            one.result()


@dataclass(frozen=True)
class Mutant:
    """How a deployment is broken, and what must come of it.

    scenario: "test_takeover.py::test_...", in the folder of the guide. machine: where it is broken.
    done: what is done there. words: of the reason. depends: other requirements which that scenario
    judges, and which may be FAIL by the same. more: tells mutants of one requirement apart.
    """

    requirement: str
    scenario: str
    machine: str
    done: str
    words: tuple[str, ...]
    apply: Callable[[Broken], object]
    depends: tuple[str, ...] = ()
    more: str = ""

    @property
    def name(self) -> str:
        """What it is called."""
        return f"{self.requirement}-{self.more}" if self.more else self.requirement

    @property
    def event(self) -> MutantApplied:
        """Return what is recorded of it."""
        return MutantApplied(
            source="scenario",
            mutant=self.name,
            machine=self.machine,
            done=self.done,
            requirement=self.requirement,
            words=self.words,
            depends=self.depends,
        )


@contextmanager
def applied(mutant: Mutant, lab: Lab, history: History, pair: Pair | None) -> Iterator[None]:
    """Break a lab's deployment for the block, and record how. The lab is of no use afterwards."""
    with ExitStack() as undone:
        broken = Broken(lab, history, pair, undone)
        undone.callback(broken.end)
        history.record(mutant.event)
        mutant.apply(broken)
        yield


@dataclass(frozen=True)
class InMachine:
    """Break a machine by a shell command."""

    machine: str
    command: str

    def __call__(self, broken: Broken) -> None:
        """Run it."""
        broken.lab[self.machine].run(self.command, timeout=240)
