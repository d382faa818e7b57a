"""Where following a guide to the letter fails, or the lab has to do otherwise, and what is done.

An erratum is attached to the step that departs from the guide, and goes into the evidence.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Erratum:
    """One departure from a guide."""

    name: str
    kind: Literal["erratum", "deviation"]
    """An erratum: the guide is wrong. A deviation: the guide is right, the lab is not the world."""
    guide: str
    """The guide's words, in short."""
    happens: str
    """What happens when they are followed."""
    fix: str
    """What the step does instead."""

    def __str__(self) -> str:
        return (
            f"{self.kind} {self.name}: the guide says: {self.guide}; "
            f"but: {self.happens}; so: {self.fix}"
        )


def write_errata(errata: Iterable[Erratum], path: Path) -> None:
    """Write errata as a JSON list, whole, each as an object with the fields of `Erratum`."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")  # others may write the same
    fresh.write_text(json.dumps([asdict(erratum) for erratum in errata], indent=2) + "\n")
    fresh.replace(path)
