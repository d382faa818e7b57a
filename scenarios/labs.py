"""The labs of a run: made when a scenario first needs one, shared while nobody harms them.

A scenario says what it needs by a marker: none means that it shares the lab and leaves it as it
was; `pristine` that it wants one that nobody used; `destructive` that the next scenario must not
inherit what it leaves behind. A lab that cannot be made fails one scenario; those after it are
skipped, with the reason: one failure to read instead of eighty.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lab.cli import how_to_look
from lab.errors import LabError
from lab.lab import Lab
from provision.deploy import Deployer
from provision.erratum import write_errata

Keep = Literal["never", "failed", "always"]


class LabFailedBefore(LabError):
    """The lab could not be made earlier in this run; what depends on it is skipped."""


@dataclass
class _Place:
    """The lab of one guide: what runs now, and what became of earlier ones."""

    lab: Lab | None = None
    used: bool = False
    made: int = 0
    failure: LabError | None = None
    failed_scenarios: list[str] = field(default_factory=list)


class Labs:
    """The labs of a run by guide. As a context manager it takes them down at the end."""

    def __init__(
        self,
        directory: Path,
        deployer: Callable[[str], Deployer],
        keep: Keep,
        *,
        worker: str = "",
    ) -> None:
        self.directory = directory
        self._deployer = deployer
        self._keep = keep
        self._suffix = f"-{worker}" if worker else ""
        self._places: dict[str, _Place] = {}

    def get(self, guide: str, *, pristine: bool = False) -> Lab:
        """Return the running lab of `guide`; with `pristine`, one that no scenario has used."""
        place = self._places.setdefault(guide, _Place())
        if place.failure is not None:
            raise LabFailedBefore(f"the lab of {guide} could not be made: {place.failure.message}")
        if place.lab is not None and pristine and place.used:
            self.discard(guide)
        if place.lab is None:
            place.lab = self._make(guide, place)
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
        if lab is not None:
            self._keep_evidence(guide, lab)
            lab.down()

    def note_failure(self, guide: str, scenario: str) -> None:
        """Remember that `scenario` failed in the lab that runs now."""
        self._places[guide].failed_scenarios.append(scenario)

    def end(self) -> list[str]:
        """Take all labs down, or leave them up as `--keep` says; return lines on those left up."""
        lines: list[str] = []
        for guide, place in self._places.items():
            if place.lab is None:
                continue
            if self._keep == "always" or (self._keep == "failed" and place.failed_scenarios):
                self._keep_evidence(guide, place.lab)
                place.lab.keep()
                lines += [f"{guide} is left up:", *how_to_look(place.lab.directory)]
            else:
                self.discard(guide)
        return lines

    def _make(self, guide: str, place: _Place) -> Lab:
        place.made += 1
        deployer = self._deployer(guide)
        try:
            lab = deployer.deploy(capture=self.directory / "wire" / f"{self.name(guide)}.pcapng")
        except LabError as error:
            place.failure = error
            raise
        write_errata(deployer.plan.errata, self.directory / f"errata-{guide}.json")
        shutil.copytree(
            lab.directory / "transcripts",
            self.directory / "transcripts" / self.name(guide),
            dirs_exist_ok=True,
        )
        return lab

    def _keep_evidence(self, guide: str, lab: Lab) -> None:
        """Copy what lies in the lab's own directory and belongs to the evidence."""
        shutil.copytree(
            lab.directory / "consoles",
            self.directory / "consoles" / self.name(guide),
            dirs_exist_ok=True,
        )
