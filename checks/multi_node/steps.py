"""Maintenance as a judged history: the steps that were taken, what proves each, and their order.

A step is a script on a machine. It begins when it is typed, by the host's clock, and it has ended
when its effect stands in what the machine itself dates: OpenVPN's units in the node's journal, the
web server's in the controller's, the node's files. Both clocks are related by a measured offset,
and what that may be off by counts: two steps that it cannot tell apart are in doubt. Of several
effects the last is the one that may have come last, however exactly the others are known.

The guide's order: all of one script before any of the next. A step that began before another of an
earlier script had ended is out of place; the first such, by its beginning, is what is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import get_args

from checks.engine.obligations import Obligations
from checks.multi_node.deployment import Deployment, named
from evidence.coverage import clock_text
from evidence.events.maintenance import (
    MaintenancePlanned,
    Script,
    ScriptRun,
    UnitChanged,
)
from evidence.moment import NS, Moment, first_of

ORDER: tuple[Script, ...] = get_args(Script)
"""The guide's: stop the nodes, update the controller, update the nodes, start the nodes."""
STOP, UPDATE_CONTROLLER, UPDATE_NODE, START = ORDER
REBOOT = "reboot"
_MOST_NAMED = 4


@dataclass(frozen=True)
class Step:
    """A script that was run on a machine, as one of the guide's four steps.

    shown: when its effect was seen last; None when none was. lacks: what is missing of its effect.
    proof: what shows it, in words.
    """

    run: ScriptRun
    script: Script
    shown: Moment | None = None
    lacks: str = ""
    proof: str = "when it was typed"
    places: tuple[str, ...] = ()

    @property
    def phase(self) -> int:
        """Its place in the guide's order, from 0."""
        return ORDER.index(self.script)

    @property
    def machine(self) -> str:
        """Where it was run."""
        return self.run.source

    @property
    def began(self) -> Moment:
        """When it was typed."""
        return Moment(self.run.began_ns)

    @property
    def ended(self) -> Moment:
        """When its effect was seen last; without any, when the script had ended."""
        return self.shown or Moment(self.run.at_ns)

    def __str__(self) -> str:
        by = f" (by {self.run.script})" if self.run.script != self.script else ""
        return f"{self.script} on {self.machine}{by}"

    def told(self, at: Moment) -> str:
        """Say a moment of it, with its uncertainty."""
        return f"{clock_text(at.at_ns)} ± {at.uncertainty_ns / NS:.3f} s"


@dataclass(frozen=True)
class Maintenance:
    """One maintenance: what was planned, and what the evidence shows of it.

    changes: of OpenVPN's and the web server's units, in the order of time.
    """

    site: Deployment
    planned: MaintenancePlanned
    steps: Sequence[Step]
    changes: Sequence[UnitChanged]

    def of(self, script: Script, machine: str = "") -> list[Step]:
        """Return the steps of a script, on one machine or on all, in the order of time."""
        return [s for s in self.steps if s.script == script and machine in ("", s.machine)]

    def machines(self, script: Script) -> tuple[str, ...]:
        """Return where a script is to be run."""
        if script == UPDATE_CONTROLLER:
            return (self.site.controller.name,)
        return self.site.nodes

    def has_effect(self, step: Step) -> bool:
        """Whether it has something to do: nodes run before, and what is stopped stops no more.

        A reboot always has: what ran is to run again.
        """
        if step.script not in (STOP, START) or step.run.script == REBOOT:
            return True
        earlier = [
            one.script
            for one in self.steps
            if one.machine == step.machine
            and one.script in (STOP, START)
            and one.began.at_ns < step.began.at_ns
        ]
        runs = not earlier or earlier[-1] == START
        return runs == (step.script == STOP)

    def owe_steps(self, owed: Obligations) -> None:
        """Owe that each script was run where it belongs, and that its effect was seen."""
        for script in ORDER:
            for machine in self.machines(script):
                steps = self.of(script, machine)
                if not steps:
                    owed.open(f"{script} was not run on {machine}", self.planned.place)
                for step in steps:
                    self._owe_effect(step, owed)

    def _owe_effect(self, step: Step, owed: Obligations) -> None:
        one = owed.owe(f"what {step} does was done")
        if step.began.at_ns < self.planned.at_ns:
            one.doubt(f"{step} began before the maintenance", step.run.place)
        if not self.has_effect(step):
            one.met(step.run.place)
        elif step.lacks:
            said = f"it ended with {step.run.status}: {step.run.output[-200:]!r}"
            one.doubt(f"{step}: {step.lacks}; {said}", step.run.place)
        else:
            one.met(step.run.place, *step.places)

    @property
    def down(self) -> Moment | None:
        """When the controller's web server stopped first; None when nothing shows that."""
        (controller,) = self.machines(UPDATE_CONTROLLER)
        stops = [one for one in self.changes if (one.source, one.change) == (controller, "stopped")]
        return first_of([one.moment for one in stops]) if stops else None

    @cached_property
    def out_of_place(self) -> tuple[Step, list[Step]] | None:
        """The first step that surely began before earlier scripts' had ended, and those of them."""
        for step in self.steps:
            before = [
                one
                for one in self.steps
                if one.phase < step.phase and one.ended.earliest_ns > step.began.latest_ns
            ]
            if before:
                return step, before
        return None

    def complaint(self) -> str:
        """Name the first step that is out of place, with what shows it; "" when none is."""
        if self.out_of_place is None:
            return ""
        step, before = self.out_of_place
        others = named(
            [f"{one} ({one.told(one.ended)}, by {one.proof})" for one in before[:_MOST_NAMED]]
        )
        return (
            f"first out of place: {step}, typed at {step.told(step.began)}, before the end of"
            f" {others}"
        )

    def proofs(self) -> list[str]:
        """Say of each step when it was typed, and what shows since when it was done."""
        return [
            f"{step}: typed at {clock_text(step.began.at_ns)}, done at {step.told(step.ended)} by"
            f" {step.proof}"
            for step in self.steps
        ]

    def too_close(self) -> Iterator[tuple[Step, Step]]:
        """Yield pairs of steps of different scripts whose order their clocks cannot tell."""
        for step in self.steps:
            for one in self.steps:
                apart_ns = abs(step.began.at_ns - one.ended.at_ns)
                known_to_ns = step.began.uncertainty_ns + one.ended.uncertainty_ns
                if one.phase < step.phase and apart_ns <= known_to_ns:
                    yield one, step

    def ended_again(self, node: str) -> list[UnitChanged]:
        """Return what became last of each unit of a node that was started, and did not stay so."""
        own = [one for one in self.changes if one.source == node]
        started = {one.unit for one in own if one.change == "started"}
        last = {one.unit: one for one in own if one.unit in started}
        return [one for one in last.values() if one.change != "started"]

    def strays(self) -> Iterator[UnitChanged]:
        """Yield what stopped or started, and not by the script that is for it."""
        for one in self.changes:
            if one.change == "failed":
                continue
            scripts = [UPDATE_CONTROLLER]
            if one.source in self.site.nodes:
                scripts = [STOP] if one.change == "stopped" else [START]
            runs = [step.run for step in self.steps if step.script in scripts]
            if not any(one.source == run.source and within(one.moment, run) for run in runs):
                yield one


def within(at: Moment, run: ScriptRun) -> bool:
    """Whether something may have come about while a script ran."""
    return at.latest_ns >= run.began_ns and at.earliest_ns <= run.at_ns
