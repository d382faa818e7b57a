"""How long scenarios take, for the model of a run over many hosts: measured, remembered, guessed.

A run's `timings.json` tells of its own scenarios (without their thaws, which the model adds where
it has them); what it lacks was remembered by earlier runs, lasts as other cases of its test, or is
an estimate.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from checks.engine.repetition import Repetition
from checks.engine.seal import sealed
from lab.errors import LabError
from scenarios import timings
from scenarios.durations import Durations, test_of

_ROOT = Path(__file__).parent.parent
_TAIL = 2000
_SOURCES = ("measured", "as other repetitions", "remembered", "as other cases", "estimated")


@dataclass(frozen=True)
class Recorded:
    """What a recorded run tells: its scenarios, how long it took from the first to the last."""

    rows: Sequence[Mapping[str, Any]]
    ended: bool
    evidence_mib: float | None

    @classmethod
    def of(cls, path: Path) -> Recorded:
        """Read a run's directory, or a `timings.json`; LabError when there is nothing in it."""
        try:
            folder = path.is_dir()
            rows = timings.read(path) if folder else json.loads(path.read_text())
            ends = [(row["began_ns"], row["ended_ns"], row["scenario"]) for row in rows]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LabError(f"{path}: no timings can be read: {error!r}") from error
        if not ends:
            raise LabError(f"{path}: no scenario has ended in it", hint="name another run")
        whole = sum(one.stat().st_size for one in path.rglob("*") if one.is_file()) if folder else 0
        mib = whole / 2**20 / len(rows) if folder else None
        return cls(rows, folder and bool(sealed(path)), mib)

    @property
    def labs(self) -> int:
        """How many labs it had side by side."""
        return len({row["worker"] for row in self.rows})

    @property
    def wall_s(self) -> float:
        """From the beginning of its first scenario to the end of its last."""
        began = min(row["began_ns"] for row in self.rows)
        return float(max(row["ended_ns"] for row in self.rows) - began) / 1e9

    @property
    def again(self) -> int:
        """How many scenarios were carried out once more, by the same lab: the host was busy."""
        return len(self.rows) - len(self.whole_s)

    @property
    def whole_s(self) -> dict[str, float]:
        """How long each scenario took, thaws included, all that was carried out again added."""
        return _added((row["scenario"], row["wall_s"]) for row in self.rows)

    @property
    def own_s(self) -> dict[str, float]:
        """The same without the thaws."""
        return _added((row["scenario"], row["wall_s"] - row["thaws_s"]) for row in self.rows)

    @property
    def thaw_s(self) -> float | None:
        """The median of what thaws cost a scenario that waited for one."""
        thaws = [row["thaws_s"] for row in self.rows if row["thaws_s"]]
        return float(statistics.median(thaws)) if thaws else None


@dataclass(frozen=True)
class Figures:
    """Seconds by scenario, and how many of them come from where."""

    seconds: Mapping[str, float]
    sources: Mapping[str, int]


def figures(names: Iterable[str], recorded: Recorded | None, durations: Durations) -> Figures:
    """Return how long each scenario takes: as in the run, else as others of its series did.

    One that neither the run nor the memory knows takes as long as other cases of its test.
    """
    measured = recorded.own_s if recorded else {}
    of_series: dict[str, list[float]] = defaultdict(list)
    of_test: dict[str, list[float]] = defaultdict(list)
    for name, took_s in measured.items():
        of_series[_series(name)].append(took_s)
        of_test[test_of(name)].append(took_s)
    seconds: dict[str, float] = {}
    sources = dict.fromkeys(_SOURCES, 0)
    for name in names:
        if name in measured:
            seconds[name], source = measured[name], "measured"
        elif others := of_series.get(_series(name)):
            seconds[name], source = statistics.median(others), "as other repetitions"
        elif durations.knows(name):
            seconds[name], source = durations.expected_s(name), "remembered"
        elif cases := of_test.get(test_of(name)):
            seconds[name], source = statistics.median(cases), "as other cases"
        else:
            seconds[name] = durations.expected_s(name)
            source = "estimated" if durations.of_other_cases_s(name) is None else "as other cases"
        sources[source] += 1
    return Figures(seconds, sources)


def collected(guide: str, *, full: bool) -> list[str]:
    """Return the scenarios of a guide that a run would have, by asking pytest."""
    command = [sys.executable, "-m", "pytest", f"scenarios/{guide}", "--collect-only", "-q"]
    command += ["-p", "no:cacheprovider", *(["--full"] if full else [])]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    names = re.findall(r"^scenarios/\S+::.+$", done.stdout, re.M)
    if done.returncode or not names:
        raise LabError(f"pytest collects nothing of {guide}:\n{done.stdout[-_TAIL:]}{done.stderr}")
    return names


def _added(each: Iterable[tuple[str, float]]) -> dict[str, float]:
    total: dict[str, float] = defaultdict(float)
    for name, took_s in each:
        total[name] += took_s
    return dict(total)


def _series(name: str) -> str:
    repetition = Repetition.named(name)
    return name if repetition is None else repetition.series
