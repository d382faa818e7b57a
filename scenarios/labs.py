"""The labs of a run: made when a scenario first needs one, shared while nobody harms them.

A scenario says what it needs by a marker: none means that it shares the lab and leaves it as it
was; `pristine` that it wants one that nobody used; `destructive` that the next scenario must not
inherit what it leaves behind. A lab that cannot be made fails one scenario; those after it are
skipped, with the reason: one failure to read instead of eighty. One that was made before in the
same run is made once more, and said to be: a run of hours does not end by one machine that hung.

There is one lab at a time: a guide's lab makes way for that of another guide. While one is used,
the next may be thawed already, on a thread of its own. Whether that went well is found out when
the lab is asked for; one that nobody asked for is taken down at the end.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from evidence.run import RunDirectory
from evidence.secret import Secrets
from lab import console
from lab.cli import how_to_look
from lab.errors import LabError
from lab.lab import Lab
from lab.timing import Kind, beside, spending
from lab.topology import check_memory
from provision.deploy import Deployer
from provision.erratum import write_errata

#: In the directory of evidence: labs that had to be made once more, and why; absent if none had.
TROUBLE_LOG = "trouble.log"

Keep = Literal["never", "failed", "always"]


class LabFailedBefore(LabError):
    """The lab could not be made earlier in this run; what depends on it is skipped."""


@dataclass(frozen=True)
class _Running:
    """A lab, and its name, which its evidence bears."""

    name: str
    lab: Lab


@dataclass(frozen=True)
class _Ahead:
    """A lab that is being made before it is needed."""

    name: str
    running: Future[_Running]
    recorded_before: bool
    """Whether a recording of that name was there already: an earlier attempt's, then."""


@dataclass
class _Place:
    """The lab of one guide: what runs now, what is made ahead, what became of earlier ones."""

    deployer: Deployer
    running: _Running | None = None
    ahead: _Ahead | None = None
    used: bool = False
    made: int = 0
    proven: bool = False
    """Whether it could be made before, in this run."""
    failure: LabError | None = None
    failed_scenarios: list[str] = field(default_factory=list)
    left_up: list[str] = field(default_factory=list)
    """Lines on the lab that was left up because a scenario failed in it."""


class Labs:
    """The labs of a run by guide, until its `end`.

    `ahead`: whether this host has room for a second one, so that the next may be thawed already.
    """

    def __init__(
        self,
        directory: Path,
        deployer: Callable[[str], Deployer],
        keep: Keep,
        *,
        worker: str = "",
        ahead: bool = False,
        on_start: Callable[[str, Lab], None] = lambda _name, _lab: None,
    ) -> None:
        self.files = RunDirectory(directory)
        self._on_start = on_start
        self._deployer = deployer
        self._keep = keep
        self._suffix = f"-{worker}" if worker else ""
        self._places: dict[str, _Place] = {}
        self._beside = ThreadPoolExecutor(1, "thaw-ahead") if ahead else None

    def get(self, guide: str, *, pristine: bool = False) -> Lab:
        """Return the running lab of `guide`; with `pristine`, one that no scenario has used."""
        place = self._place(guide)
        if place.failure is not None:
            raise LabFailedBefore(f"the lab of {guide} could not be made: {place.failure.message}")
        if place.running is not None and pristine and place.used:
            self.discard(guide)
        if place.running is None:
            self._make_way(guide)
            place.running = self._make(guide, place)
            try:
                self._keep_deployment(guide, place.deployer, place.running)
                self._on_start(self.name(guide), place.running.lab)
            except BaseException:  # the evidence does not know of it: nobody may use it
                self.discard(guide)
                raise
        place.used = True
        return place.running.lab

    def make_ahead(self, guide: str) -> None:
        """Begin to thaw the next lab of `guide`, if there is room, and no more to do than that."""
        if self._beside is None or any(place.ahead for place in self._places.values()):
            return
        place = self._place(guide)
        if place.failure is None and place.deployer.thaws_now():
            name = self._next_name(guide, place)
            before = self.files.capture(name).exists()
            made = self._beside.submit(self._deploy_ahead, name, place)
            place.ahead = _Ahead(name, made, before)

    def name(self, guide: str) -> str:
        """Return the name of the lab that runs for `guide`, as evidence files bear it."""
        running = self._places[guide].running
        if running is None:
            raise LabError(f"no lab of {guide} runs")
        return running.name

    def discard(self, guide: str) -> None:
        """Take the lab of `guide` down: the next scenario gets another.

        The first one of a guide in which a scenario failed is left up, if `--keep` says so: what
        went wrong there is what somebody wants to look at.
        """
        place = self._places[guide]
        running, place.running, place.used = place.running, None, False
        failed, place.failed_scenarios = place.failed_scenarios, []
        if running is None:
            return
        wanted = failed and self._keep != "never" and not place.left_up
        if wanted and self._has_room(running, place):
            place.left_up = self._leave_up(guide, running)
            return
        try:
            self._keep_consoles(running)
        finally:
            running.lab.down()

    def note_failure(self, guide: str, scenario: str) -> None:
        """Remember that `scenario` failed in the lab that runs now."""
        self._places[guide].failed_scenarios.append(scenario)

    def has_failed(self, guide: str) -> bool:
        """Whether a scenario failed in the lab that runs now."""
        return bool(self._places[guide].failed_scenarios)

    def could_not_make(self, error: LabError) -> bool:
        """Whether it is this error by which a guide has no lab."""
        return any(place.failure is error for place in self._places.values())

    def end(self) -> list[str]:
        """Take all labs down, or leave them up as `--keep` says; return lines on those left up.

        One that makes trouble keeps none of the others up; the first trouble is raised at the end.
        """
        lines: list[str] = []
        with contextlib.ExitStack() as each:
            if self._beside is not None:
                each.callback(self._beside.shutdown)
            for guide, place in reversed(self._places.items()):
                each.callback(lambda *one: lines.extend(self._end(*one)), guide, place)
                each.callback(self._drop_ahead, place)
        return lines

    def _place(self, guide: str) -> _Place:
        if guide not in self._places:
            self._places[guide] = _Place(self._deployer(guide))
        return self._places[guide]

    def _is_kept(self, place: _Place) -> bool:
        failed = bool(place.failed_scenarios) and not place.left_up
        return self._keep == "always" or (self._keep == "failed" and failed)

    def _end(self, guide: str, place: _Place) -> list[str]:
        if place.running is None or not self._is_kept(place):
            self.discard(guide)
            return place.left_up
        return [*place.left_up, *self._leave_up(guide, place.running)]

    def _has_room(self, running: _Running, place: _Place) -> bool:
        """Whether there is memory for another such lab beside this one; else that is said."""
        try:
            check_memory(running.lab.topology)
        except LabError as error:
            place.deployer.progress.say(f"{running.name} is not left up: {error.message}")
            return False
        return True

    def _leave_up(self, guide: str, running: _Running) -> list[str]:
        running.lab.keep()
        self._keep_consoles(running)
        return [f"{guide} is left up:", *how_to_look(running.lab.directory)]

    def _make_way(self, guide: str) -> None:
        """Take down what other guides have: memory may suffice for one lab only."""
        for other, place in self._places.items():
            if other != guide:
                self._drop_ahead(place)
                if not self._is_kept(place):
                    self.discard(other)

    def _drop_ahead(self, place: _Place) -> None:
        """Take down a lab that was made ahead, and is not needed after all."""
        ahead, place.ahead = place.ahead, None
        if ahead is None:
            return
        try:
            lab = ahead.running.result().lab
        except LabError as error:
            self._tell(place, f"{ahead.name} failed, and was not needed: {error}")
        else:
            lab.down()
        if not ahead.recorded_before:
            self.files.capture(ahead.name).unlink(missing_ok=True)  # a recording of nothing

    def _make(self, guide: str, place: _Place) -> _Running:
        ahead = place.ahead is not None
        name = place.ahead.name if place.ahead else self._next_name(guide, place)
        try:
            running = self._take_ahead(place) or self._deploy(name, place)
        except LabError as error:
            if not (place.proven or ahead):  # beside another lab there may have been no memory
                place.failure = error
                raise
            self._tell(place, f"{name} failed, and is made once more: {error}")
            place.proven = False  # twice in a row is no accident
            return self._make(guide, place)
        place.proven = True
        return running

    def _take_ahead(self, place: _Place) -> _Running | None:
        """Return the lab that was made ahead, once it is there; its failure is raised here.

        Ctrl-C leaves it to `end`.
        """
        if place.ahead is None:
            return None
        try:
            with spending(Kind.THAW):
                running = place.ahead.running.result()
        except Exception:
            place.ahead = None
            raise
        place.ahead = None
        return running

    def _next_name(self, guide: str, place: _Place) -> str:
        place.made += 1
        return f"{guide}{self._suffix}" + (f"-{place.made}" if place.made > 1 else "")

    def _deploy(self, name: str, place: _Place) -> _Running:
        return _Running(name, place.deployer.deploy(capture=self.files.capture(name)))

    def _deploy_ahead(self, name: str, place: _Place) -> _Running:
        with beside():  # nobody waits for it
            return self._deploy(name, place)

    def _tell(self, place: _Place, trouble: str) -> None:
        """Say on the terminal, and in the evidence, what no scenario will."""
        place.deployer.progress.say(trouble)
        with (self.files.path / TROUBLE_LOG).open("a", encoding="utf-8") as log:
            masked = Secrets(self.files.path).mask(trouble)
            log.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {masked}\n")

    def _keep_deployment(self, guide: str, deployer: Deployer, running: _Running) -> None:
        """Put what was typed, and where that departs from the guide, with the evidence."""
        Secrets(self.files.path).keep({**deployer.secrets, **_keys(running.lab.directory)})
        write_errata(deployer.plan.errata, self.files.errata(guide))
        _copy(running.lab.directory / "transcripts", self.files.transcripts(running.name))

    def _keep_consoles(self, running: _Running) -> None:
        source = running.lab.directory / console.FOLDER
        if source.is_dir():
            console.keep(source, self.files.consoles(running.name))


def _keys(directory: Path) -> dict[str, str]:
    """Return the keys that open a lab's machines."""
    return {
        f"SSH key {path.name} of {directory.name}": path.read_text()
        for path in sorted((directory / "keys").glob("*"))
    }


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():  # a plan without steps types nothing
        shutil.copytree(source, target, dirs_exist_ok=True)
