"""The labs of a run: made when a scenario first needs one, shared while nobody harms them.

A scenario says what it needs by a marker: none means that it shares the lab and leaves it as it
was; `pristine` that it wants one that nobody used; `destructive` that the next scenario must not
inherit what it leaves behind. A lab that cannot be made fails one scenario; those after it are
skipped, with the reason: one failure to read instead of eighty. One that was made before in the
same run is made once more, and said to be: a run of hours does not end by one machine that hung.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lab.cli import how_to_look
from lab.errors import LabError
from lab.lab import Lab
from provision.deploy import Deployer
from provision.erratum import write_errata

#: In the directory of evidence: labs that had to be made once more, and why; absent if none had.
TROUBLE_LOG = "trouble.log"

Keep = Literal["never", "failed", "always"]


class LabFailedBefore(LabError):
    """The lab could not be made earlier in this run; what depends on it is skipped."""


@dataclass
class _Place:
    """The lab of one guide: what runs now, and what became of earlier ones."""

    deployer: Deployer
    lab: Lab | None = None
    used: bool = False
    made: int = 0
    proven: bool = False
    """Whether it could be made before, in this run."""
    failure: LabError | None = None
    failed_scenarios: list[str] = field(default_factory=list)


class Labs:
    """The labs of a run by guide, until its `end`."""

    def __init__(
        self,
        directory: Path,
        deployer: Callable[[str], Deployer],
        keep: Keep,
        *,
        worker: str = "",
        on_start: Callable[[str, Lab], None] = lambda _name, _lab: None,
    ) -> None:
        self.directory = directory
        self._on_start = on_start
        self._deployer = deployer
        self._keep = keep
        self._suffix = f"-{worker}" if worker else ""
        self._places: dict[str, _Place] = {}

    def get(self, guide: str, *, pristine: bool = False) -> Lab:
        """Return the running lab of `guide`; with `pristine`, one that no scenario has used."""
        if guide not in self._places:
            self._places[guide] = _Place(self._deployer(guide))
        place = self._places[guide]
        if place.failure is not None:
            raise LabFailedBefore(f"the lab of {guide} could not be made: {place.failure.message}")
        if place.lab is not None and pristine and place.used:
            self.discard(guide)
        if place.lab is None:
            place.lab = self._make(guide, place)
            self._keep_deployment(guide, place.deployer, place.lab)
            self._on_start(self.name(guide), place.lab)
        place.used = True
        return place.lab

    def name(self, guide: str) -> str:
        """Return the name of the lab that runs for `guide`, as evidence files bear it."""
        made = self._places[guide].made
        return f"{guide}{self._suffix}" + (f"-{made}" if made > 1 else "")

    def discard(self, guide: str) -> None:
        """Take the lab of `guide` down: the next scenario gets another."""
        place = self._places[guide]
        lab, place.lab, place.used = place.lab, None, False
        place.failed_scenarios.clear()
        if lab is None:
            return
        try:
            self._keep_consoles(guide, lab)
        finally:
            lab.down()

    def note_failure(self, guide: str, scenario: str) -> None:
        """Remember that `scenario` failed in the lab that runs now."""
        self._places[guide].failed_scenarios.append(scenario)

    def end(self) -> list[str]:
        """Take all labs down, or leave them up as `--keep` says; return lines on those left up.

        One that makes trouble keeps none of the others up; the first trouble is raised at the end.
        """
        lines: list[str] = []
        with contextlib.ExitStack() as each:
            for guide, place in reversed(self._places.items()):
                each.callback(lambda *one: lines.extend(self._end(*one)), guide, place)
        return lines

    def _end(self, guide: str, place: _Place) -> list[str]:
        wanted = self._keep == "always" or (self._keep == "failed" and place.failed_scenarios)
        if place.lab is None or not wanted:
            self.discard(guide)
            return []
        place.lab.keep()
        self._keep_consoles(guide, place.lab)
        return [f"{guide} is left up:", *how_to_look(place.lab.directory)]

    def _make(self, guide: str, place: _Place) -> Lab:
        try:
            lab = self._deploy(guide, place)
        except LabError as error:
            if not place.proven:
                place.failure = error
                raise
            self._tell(place, f"{self.name(guide)} failed, and is made once more: {error}")
            place.proven = False  # twice in a row is no accident
            return self._make(guide, place)
        place.proven = True
        return lab

    def _deploy(self, guide: str, place: _Place) -> Lab:
        place.made += 1
        capture = self.directory / "wire" / f"{self.name(guide)}.pcapng"
        return place.deployer.deploy(capture=capture)

    def _tell(self, place: _Place, trouble: str) -> None:
        """Say on the terminal, and in the evidence, what no scenario will."""
        place.deployer.progress.say(trouble)
        with (self.directory / TROUBLE_LOG).open("a", encoding="utf-8") as log:
            log.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {trouble}\n")

    def _keep_deployment(self, guide: str, deployer: Deployer, lab: Lab) -> None:
        """Put what was typed, and where that departs from the guide, with the evidence."""
        write_errata(deployer.plan.errata, self.directory / f"errata-{guide}.json")
        self._copy(lab.directory / "transcripts", "transcripts", guide)

    def _keep_consoles(self, guide: str, lab: Lab) -> None:
        self._copy(lab.directory / "consoles", "consoles", guide)

    def _copy(self, source: Path, kind: str, guide: str) -> None:
        if source.is_dir():  # a plan without steps types nothing
            shutil.copytree(
                source,
                self.directory / kind / self.name(guide),
                ignore=shutil.ignore_patterns("*.agent"),  # sockets, beside the consoles' logs
                dirs_exist_ok=True,
            )
