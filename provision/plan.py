"""A plan: the steps of a guide, in order, on several machines.

Steps on one machine run in the order of the plan; steps on different machines run side by side
unless one needs the other. A plan is checked when it is made, before any machine is touched.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import groupby
from pathlib import Path
from typing import Literal

from lab.threads import threads
from provision.erratum import Erratum
from provision.errors import PlanError
from provision.notes import Notes
from provision.step import Step
from provision.target import Target
from provision.transcript import Session, Transcript


@dataclass(frozen=True)
class StepOutcome:
    """What became of a step: whether it changed anything, wall time, commands sent."""

    name: str
    machine: str
    result: Literal["applied", "skipped"]
    seconds: float
    commands: int


#: Told of each step when it starts (no outcome yet) and when it ends; may be called by threads.
Progress = Callable[[Step, StepOutcome | None], None]


def _silent(step: Step, outcome: StepOutcome | None) -> None:
    """Follow nothing."""


class Plan:
    """Steps in order; PlanError when a name is used twice, needed but unknown, or goes round."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = tuple(steps)
        self._by_name = {step.name: step for step in self.steps}
        self._needs = dict(self._predecessors())
        self._check()

    @property
    def machines(self) -> tuple[str, ...]:
        """The machines it touches, in order of first use."""
        return tuple(dict.fromkeys(step.machine for step in self.steps))

    @property
    def errata(self) -> tuple[Erratum, ...]:
        """Where it departs from the guide, each once, in order of the steps."""
        return tuple(dict.fromkeys(erratum for step in self.steps for erratum in step.errata))

    def dry_run(self) -> str:
        """Return every command and file change of every section, without a machine."""
        lines: list[str] = []
        for section, steps in groupby(self.steps, key=lambda step: step.section):
            lines += [f"## {section}", ""]
            for step in steps:
                lines += [step.describe(), ""]
        return "\n".join(lines)

    def source_keys(self) -> tuple[str, ...]:
        """Return a key for the state after each step: it covers that step and all before it."""
        keys: list[str] = []
        key = ""
        for step in self.steps:
            key = hashlib.sha256(f"{key}{step.source_key()}".encode()).hexdigest()
            keys.append(key)
        return tuple(keys)

    def run(
        self,
        machines: Mapping[str, Target],
        *,
        transcripts: Path,
        progress: Progress = _silent,
        notes: Notes | None = None,
        done: Collection[str] = (),
    ) -> tuple[StepOutcome, ...]:
        """Apply every step that is not applied; return what became of each, in plan order.

        Steps named in `done` are known to be applied and are not even looked at.
        `transcripts` is a directory that gets MACHINE.log for each machine. The first step that
        fails ends the run with StepFailed; steps that run beside it end first, but after Ctrl-C
        nobody waits for them.
        """
        self._check_machines(machines)
        notes = notes if notes is not None else Notes()
        sessions = {
            name: Session(machines[name], notes, Transcript(transcripts / f"{name}.log"))
            for name in self.machines
        }
        outcomes: dict[str, StepOutcome] = {}

        def carry_out(step: Step) -> str:
            if step.name in done:
                return step.name
            progress(step, None)
            outcomes[step.name] = outcome = _carry_out(step, sessions[step.machine])
            progress(step, outcome)
            return step.name

        with threads(max(1, len(sessions))) as pool:
            self._schedule(lambda name: pool.submit(carry_out, self._by_name[name]))
        return tuple(outcomes[step.name] for step in self.steps if step.name in outcomes)

    def _schedule(self, start: Callable[[str], Future[str]]) -> None:
        sorter = TopologicalSorter(self._needs)
        sorter.prepare()
        running: set[Future[str]] = set()
        while sorter.is_active():
            running |= {start(name) for name in sorter.get_ready()}
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                sorter.done(future.result())

    def _predecessors(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        last: dict[str, str] = {}
        for step in self.steps:
            before = (last[step.machine],) if step.machine in last else ()
            yield step.name, step.needs + before
            last[step.machine] = step.name

    def _check(self) -> None:
        if len(self._by_name) != len(self.steps):
            names = [step.name for step in self.steps]
            twice = sorted({name for name in names if names.count(name) > 1})
            raise PlanError(f"steps with the same name: {', '.join(twice)}")
        for step in self.steps:
            if unknown := [name for name in step.needs if name not in self._by_name]:
                raise PlanError(
                    f"step {step.name!r} needs {', '.join(map(repr, unknown))}, "
                    "which the plan does not have",
                    hint=f"it has: {', '.join(self._by_name)}",
                )
        try:
            TopologicalSorter(self._needs).prepare()
        except CycleError as error:
            raise PlanError(f"steps wait for each other: {' -> '.join(error.args[1])}") from error

    def _check_machines(self, machines: Mapping[str, Target]) -> None:
        if missing := [name for name in self.machines if name not in machines]:
            raise PlanError(
                f"the plan needs machines that are not there: {', '.join(missing)}",
                hint=f"there are: {', '.join(machines) or 'none'}",
            )


def _carry_out(step: Step, session: Session) -> StepOutcome:
    started, before = time.monotonic(), session.commands
    changed = step.apply(session)
    return StepOutcome(
        step.name,
        step.machine,
        "applied" if changed else "skipped",
        time.monotonic() - started,
        session.commands - before,
    )
