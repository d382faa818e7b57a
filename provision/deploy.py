"""A guide's deployment, ready to be used: the longest frozen part of it thawed, the rest applied.

A checkpoint is keyed by everything that led to it: image, topology, software, and the sources and
inputs of each step. So a changed step is applied again, with those after it, on top of the last
checkpoint before it. Sections are frozen as they end, when enough was done to be worth it. Of
processes that need the same guide, one follows it; the others wait, and thaw what it has frozen.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from lab.accelerator import Accelerator
from lab.cache import locked
from lab.checkpoint import (
    Checkpoint,
    CheckpointDamaged,
    FreezeFailed,
    NoRoom,
    Store,
    ThawFailed,
    cold_start,
    freeze,
    ingredients,
    key_of,
    labs_by_checkpoint,
    thaw,
)
from lab.errors import LabError
from lab.image import Image
from lab.lab import Lab
from lab.made_once import Cached, made_once
from lab.progress import Progress
from lab.timing import Kind, spending
from lab.topology import Topology, has_memory, read_topology
from provision import failover, multi_node
from provision.errors import PlanError
from provision.genuine.build import Built
from provision.genuine.software import DROP_IN, Software
from provision.notes import Notes
from provision.plan import Plan, StepOutcome
from provision.platform import Platform, platform_of
from provision.step import Step

#: A checkpoint takes some seconds and a GiB: less work than this (seconds) is not worth one.
WORTH_FREEZING = 60.0
_TRANSCRIPTS, _NOTES = "transcripts", "notes.json"


@dataclass(frozen=True)
class Guide:
    """How a guide is deployed: its topology, its plan, and how to wait until it is ready."""

    topology: str
    plan: Callable[[Topology, Platform], Plan]
    wait_until_ready: Callable[[Lab], None]
    software: Software = DROP_IN
    """What it is followed with."""


GUIDES = {
    "multi_node": Guide("multi_node", multi_node.plan, multi_node.wait_until_ready),
    "failover": Guide("failover", failover.plan, failover.wait_until_ready),
}


def guide_named(
    name: str,
    heartbeat: failover.Heartbeat = "ucarp",
    software: Software = DROP_IN,
    genuine: Built | None = None,
) -> Guide:
    """Return a guide by name; PlanError names those that there are.

    `heartbeat` is the failover pair's engine; `genuine` what was built of genuine `software`.
    """
    if name not in GUIDES:
        raise PlanError(f"no guide {name!r}", hint=f"there are: {', '.join(GUIDES)}")
    if name == "failover":
        plan = partial(failover.plan, heartbeat=heartbeat, vendors=software.is_genuine)
        return replace(GUIDES[name], plan=plan, software=software)
    if genuine is not None:
        multi = partial(multi_node.plan, genuine=genuine)
        return replace(GUIDES[name], plan=multi, software=software)
    return replace(GUIDES[name], software=software)


def in_topology(guide: Guide, topology: str | None) -> Guide:
    """Return a guide in another topology than its own, by name or path; None: in its own.

    PlanError when that topology is another guide's.
    """
    if topology is None:
        return guide
    own, other = guide_of(guide.topology), guide_of(topology)
    if other != own:
        raise PlanError(
            f"the topology {topology} is one of the guide {other}, not of {own}",
            hint=f"give one with guide = {own.replace('_', '-')!r}",
        )
    return replace(guide, topology=topology)


def guide_of(topology: str) -> str:
    """Return which guide a topology is for; PlanError when its file does not say."""
    guide = read_topology(topology).guide
    if guide is None:
        raise PlanError(
            f"the topology {topology} does not say which guide it is for",
            hint='set `guide`: "multi-node" or "failover"',
        )
    return guide.replace("-", "_")


@dataclass
class Deployer:
    """Makes labs in which a guide was followed; one for a run, as often as scenarios need."""

    guide: Guide
    image: Image
    accelerator: Accelerator
    progress: Progress
    fresh: bool = False
    """Ignore every checkpoint, and make none."""
    uri: str | None = None
    """Another libvirt than the lab's own; it can neither freeze nor thaw."""

    secrets: dict[str, str] = field(default_factory=dict, init=False, repr=False)
    """What the labs that it made know and nobody else may: passwords and keys, by what they are."""

    _freezes: bool = field(default=True, init=False)
    """Until a freeze has failed: the next would, too, and each costs a lab."""

    @property
    def topology(self) -> Topology:
        """What the lab consists of, with the memory that this image's guests need."""
        return read_topology(self.guide.topology).fit_for(self.image.family)

    @property
    def plan(self) -> Plan:
        """The guide's steps for this image."""
        return self.guide.plan(self.topology, platform_of(self.image.name))

    def deploy(self, *, capture: Path | None = None) -> Lab:
        """Return a running lab in which every step of the guide is applied, and which is ready.

        The wire records to `capture`, a new file (by default in the lab's directory). What was
        typed, before a checkpoint too, lies in the lab's directory: transcripts/MACHINE.log.
        """
        try:
            return self._deploy(capture)
        except FreezeFailed as error:
            self.progress.say(f"{error.message}; it is made anew, and not frozen")
            self._freezes = False
            _discard(capture)
            return self._deploy(capture)

    def thaws_now(self) -> bool:
        """Whether a lab costs a thaw and no more: the whole guide is frozen, and memory free."""
        topology = self.topology
        return has_memory(topology) and self._is_frozen(self.plan, topology)

    def _deploy(self, capture: Path | None) -> Lab:
        plan, topology = self.plan, self.topology
        with self._alone(plan, topology):
            return self._bring_up(plan, topology, capture)

    @contextlib.contextmanager
    def _alone(self, plan: Plan, topology: Topology) -> Iterator[None]:
        """Keep other processes from following the same guide meanwhile, unless it is frozen."""
        if not (self._uses_checkpoints and self._freezes) or self._is_frozen(plan, topology):
            yield
            return
        waiting = (
            f"another process follows the guide of {topology.name}; waiting for what it freezes"
        )
        whole = Cached("checkpoint", key_of(self._made_of(plan, topology, len(plan.steps))))
        with locked(f"following-{topology.name}", lambda: self.progress.say(waiting)):
            if self._is_frozen(plan, topology):  # meanwhile
                yield
                return
            with made_once(whole, self.progress.say):
                yield

    def _is_frozen(self, plan: Plan, topology: Topology) -> bool:
        """Whether there is a checkpoint of all steps."""
        if not self._uses_checkpoints:
            return False
        try:
            return Store().find(key_of(self._made_of(plan, topology, len(plan.steps)))) is not None
        except CheckpointDamaged as error:
            self.progress.say(str(error))
            return False

    def _bring_up(self, plan: Plan, topology: Topology, capture: Path | None) -> Lab:
        lab, found = self._thaw_longest(plan, topology, capture)
        if lab is None:
            with spending(Kind.PROVISION):
                lab = self._start(topology, capture)
        try:
            reached, notes = 0, Notes()
            if found is not None:
                reached, checkpoint = found
                notes = Notes.read(checkpoint.attachment(_NOTES))
                _take_over(checkpoint.attachment(_TRANSCRIPTS), lab.directory / _TRANSCRIPTS)
            with spending(Kind.PROVISION):
                self._go_through(lab, plan, reached, notes)
            self.secrets.update(notes.secrets())
        except BaseException as error:
            try:
                lab.down()
            except LabError as left:
                error.add_note(f"what was made for it was not all removed: {left}")
            raise
        return lab

    def _thaw_longest(
        self, plan: Plan, topology: Topology, capture: Path | None
    ) -> tuple[Lab, tuple[int, Checkpoint]] | tuple[None, None]:
        """Thaw the checkpoint of the most steps; one that does not come to life is set aside.

        When a second does not either, or another lab runs on it, it is hardly the checkpoint's
        fault, and ThawFailed is raised.
        """
        distrusted = False
        for reached, checkpoint in self._longest_first(plan, topology):
            try:
                lab = thaw(
                    checkpoint,
                    self.image,
                    self.accelerator,
                    capture=capture,
                    progress=self.progress,
                )
            except ThawFailed as error:
                if distrusted or checkpoint.key in labs_by_checkpoint():
                    raise
                self.progress.say(str(Store().set_aside(checkpoint.key, error.message)))
                distrusted = True
                _discard(capture)
            else:
                return lab, (reached, checkpoint)
        return None, None

    def _start(self, topology: Topology, capture: Path | None) -> Lab:
        """Return fresh machines; `--fresh` means that nothing frozen is in them either."""
        start = Lab.boot if self.fresh else cold_start
        return start(
            topology,
            self.image,
            self.accelerator,
            capture=capture,
            uri=self.uri,
            progress=self.progress,
        )

    def _longest_first(self, plan: Plan, topology: Topology) -> Iterator[tuple[int, Checkpoint]]:
        """Yield how many steps a checkpoint covers, and the checkpoint, most steps first."""
        if not self._uses_checkpoints:
            return
        for count in range(len(plan.steps), 0, -1):
            try:
                checkpoint = Store().find(key_of(self._made_of(plan, topology, count)))
            except CheckpointDamaged as error:
                self.progress.say(str(error))
                continue
            if checkpoint is not None:
                yield count, checkpoint

    @property
    def _uses_checkpoints(self) -> bool:
        return not self.fresh and self.uri is None

    def _made_of(self, plan: Plan, topology: Topology, count: int) -> dict[str, Any]:
        steps = plan.source_keys()[count - 1] if count else ""
        return ingredients(topology, self.image, self.accelerator, steps=steps)

    def _go_through(self, lab: Lab, plan: Plan, reached: int, notes: Notes) -> None:
        """Apply the steps after the first `reached`, and freeze sections as they end.

        The whole of it is frozen when it is ready, and so it is ready whenever it is thawed.
        """
        transcripts = lab.directory / _TRANSCRIPTS
        since = time.monotonic()
        done = [step.name for step in plan.steps[:reached]]
        for end in _section_ends(plan):
            if end <= reached:
                continue
            Plan(plan.steps[:end]).run(
                lab.machines, transcripts=transcripts, progress=self._tell, notes=notes, done=done
            )
            done = [step.name for step in plan.steps[:end]]
            if whole := end == len(plan.steps):
                self.guide.wait_until_ready(lab)
            worth = whole or time.monotonic() - since > WORTH_FREEZING
            if self._uses_checkpoints and self._freezes and worth:
                self._freeze(lab, plan, end, notes)
                since = time.monotonic()

    def _freeze(self, lab: Lab, plan: Plan, count: int, notes: Notes) -> None:
        made_of = self._made_of(plan, lab.topology, count)
        label = f"{lab.topology.name}, {plan.steps[count - 1].section}"
        with tempfile.TemporaryDirectory() as directory:
            kept = Path(directory) / _NOTES
            notes.write(kept)
            typed = lab.directory / _TRANSCRIPTS
            try:
                with self.progress.task(f"freezing {label}"):
                    freeze(lab, made_of, label, attach={_TRANSCRIPTS: typed, _NOTES: kept})
            except NoRoom as error:
                self.progress.say(f"{error}; the lab goes on without a checkpoint")
                self._freezes = False

    def _tell(self, step: Step, outcome: StepOutcome | None) -> None:
        if outcome is not None:
            self.progress.say(
                f"{outcome.machine}: {step.name} {outcome.result} ({outcome.seconds:.1f} s)"
            )


def _section_ends(plan: Plan) -> Iterator[int]:
    """Yield after how many steps each section of the guide ends."""
    for index, step in enumerate(plan.steps, start=1):
        if index == len(plan.steps) or plan.steps[index].section != step.section:
            yield index


def _discard(capture: Path | None) -> None:
    """Make way for another recording: nothing was provoked in the lab that this one is of."""
    if capture is not None:
        capture.unlink(missing_ok=True)


def _take_over(kept: Path, transcripts: Path) -> None:
    """Begin the transcripts with what was typed before the checkpoint."""
    try:
        shutil.copytree(kept, transcripts, dirs_exist_ok=True)
    except OSError as error:
        raise LabError(f"the transcripts of {kept} cannot be read: {error}") from error
