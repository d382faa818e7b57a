"""The directory of a run: where each piece of its evidence lies, and what its `run.json` says.

A value that those who write and those who judge share. Nothing here makes a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evidence.errors import BadEvidence
from evidence.event import FILE_NAME
from evidence.files import read_table

FACTS_NAME = "run.json"


@dataclass(frozen=True)
class RunDirectory:
    """A run's directory, which need not be there yet. A `lab` is the name its evidence bears."""

    path: Path

    @property
    def facts_file(self) -> Path:
        """What must be known to repeat the run."""
        return self.path / FACTS_NAME

    @property
    def history(self) -> Path:
        """What was done and seen."""
        return self.path / FILE_NAME

    @property
    def wire(self) -> Path:
        """The directory of captures."""
        return self.path / "wire"

    def capture(self, lab: str) -> Path:
        """Return a lab's capture."""
        return self.wire / f"{lab}.pcapng"

    def transcripts(self, lab: str) -> Path:
        """Return the directory of what provisioning typed in a lab, a file a machine."""
        return self.path / "transcripts" / lab

    def transcript(self, lab: str, machine: str) -> Path:
        """Return what provisioning typed on one machine."""
        return self.transcripts(lab) / f"{machine}.log"

    def consoles(self, lab: str) -> Path:
        """Return the directory of what a lab's machines said on their consoles."""
        return self.path / "consoles" / lab

    def errata(self, guide: str) -> Path:
        """Return the list of what was done otherwise than a guide says."""
        return self.path / f"errata-{guide}.json"

    def place(self, path: Path) -> str:
        """Return a path of the run as verdicts name it: relative to the directory."""
        return str(path.relative_to(self.path))

    def facts(self) -> Mapping[str, Any]:
        """Return what `run.json` says; raise BadEvidence when there is none that can be read."""
        hint = "name the directory of a run, such as runs/latest"
        return read_table(self.facts_file, "facts of a run", hint)

    def requirements(self) -> tuple[str, ...]:
        """Return which requirements the run's scenarios were to be judged for, sorted.

        Raises BadEvidence as `facts` does, and when they are no names.
        """
        named = self.facts().get("requirements", [])
        if not isinstance(named, list) or not all(isinstance(one, str) for one in named):
            raise BadEvidence(f"{self.facts_file}: requirements: holds no list of names")
        return tuple(sorted(named))
