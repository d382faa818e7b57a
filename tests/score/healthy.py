"""A good run for every check: add yours here, and every rule is tried on it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from checks.engine import registry
from checks.engine.verdict import Status
from evidence.event import Event
from tests.checks.failover.printed import lines, printed
from tests.checks.failover.recording import Run
from tests.checks.failover.test_data_loss import written
from tests.checks.failover.test_keepalived import keepalived
from tests.checks.failover.test_setup import prepared
from tests.checks.failover.test_strangers import HEALTHY as ON_THE_WIRE
from tests.checks.failover.test_syncing import synced
from tests.checks.failover.test_tokens import resumed
from tests.checks.failover.test_validating import validated
from tests.checks.harness.runs import GOOD as OF_HARNESS
from tests.checks.multi_node.runs import GOOD
from tests.score.recording import Recording, Watched

FAILOVER: dict[str, Callable[[Path], Run]] = {
    **ON_THE_WIRE,
    **dict.fromkeys(("FO-01", "FO-06", "FO-07", "FO-08", "FO-09"), validated),
    **dict.fromkeys(("FO-02", "FO-03", "FO-04", "FO-05", "FO-10", "FO-11"), prepared),
    **dict.fromkeys(("FO-21", "FO-41"), lambda directory: printed(directory, lines())),
    **dict.fromkeys(("FO-32", "FO-33", "FO-34", "FO-35", "FO-40"), synced),
    **dict.fromkeys(("FO-36", "FO-37", "FO-38"), resumed),
    "FO-46": written,
    "FO-47": keepalived,
}


@dataclass(frozen=True)
class Healthy:
    """A good run of a requirement, and what the check asks for of it.

    asked: kinds of events. cited: the events that the PASS names as what it rests on.
    """

    requirement: str
    recording: Recording
    asked: frozenset[str]
    cited: tuple[Event, ...]
    reads_frames: bool


def _failover(build: Callable[[Path], Run], directory: Path) -> None:
    build(directory).write()


WRITERS: Mapping[str, Callable[[Path], None]] = {
    **{name: partial(_failover, build) for name, build in FAILOVER.items()},
    **{
        name: lambda at, build=build: build().write(at)
        for name, build in {**GOOD, **OF_HARNESS}.items()
    },
}
"""Writes a good run into a directory, by requirement."""


@cache
def healthy(requirement: str) -> Healthy:
    """Record a good run of a requirement; raises AssertionError when it does not PASS."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        WRITERS[requirement](directory)
        recording = Recording.read(directory)
        evidence = Watched(directory, recording.scenario, requirement)
        verdict = registry.judge(requirement, evidence)
        assert verdict.status is Status.PASS, f"{requirement}: {verdict.text}"
        places = set(verdict.evidence)
        return Healthy(
            requirement,
            recording,
            frozenset(evidence.asked),
            tuple(one for one in recording.events if one.place in places),
            evidence.read_frames,
        )
