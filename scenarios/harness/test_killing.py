"""LAB-03: pytest, the wire, libvirt or QEMU is killed; nothing is left, the next run is clean."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from checks.harness.killing import GONE_S, KINDS, WATCHED_S
from evidence.events.harness import ProcessesKilled, RunFollowed
from evidence.history import History, read_history
from evidence.run import RunDirectory
from lab.lab import Lab
from scenarios.harness.killing import Run, place_of_labs, running

SCENARIOS = "scenarios/harness/test_wire.py"
AT_ONCE = (*((kind,) for kind in KINDS), ("owner", "wire"))
LATEST_S, ENDS_S = 4.0, 600.0
SEED = 94


@pytest.fixture
def place() -> Iterator[Path]:
    with place_of_labs() as place:
        yield place


@pytest.mark.sign_off
@pytest.mark.requirement("LAB-03")
def test_whoever_is_killed_nothing_is_left_and_the_next_run_starts_clean(
    lab: Lab, place: Path, tmp_path: Path, history: History, judge: Callable[[str], object]
) -> None:
    chance = random.Random(SEED)  # noqa: S311 - to be repeated, not to be kept secret
    for number, kinds in enumerate(AT_ONCE):
        killed, after = tmp_path / f"killed-{number}", tmp_path / f"after-{number}"
        history.record(kill(lab, place, killed, kinds, chance))
        history.record(follow(lab, place, after))
    judge("LAB-03")


def kill(
    lab: Lab, place: Path, evidence: Path, kinds: tuple[str, ...], chance: random.Random
) -> ProcessesKilled:
    """Begin a run, kill processes of it at some moment, and see what is left of it."""
    log = evidence.with_suffix(".log")
    with running(SCENARIOS, place, evidence, log, image=lab.image.name) as run:
        run.wait_for_a_lab()
        began = time.monotonic()
        run.wait_for(kinds)
        run.ended_within(chance.uniform(0, LATEST_S))
        victims = run.kill(kinds, chance)
        killed = time.monotonic()
        has_ended = run.come_to_an_end()
        ended_s = time.monotonic() - killed
        gone_s, left = gone(run) if has_ended else (None, ["the run itself", *run.left()])
    return ProcessesKilled(
        source="scenario",
        kinds=tuple(victim.kind for victim in victims),
        after_s=round(killed - began, 3),
        ended_s=round(ended_s, 3),
        gone_s=gone_s,
        left=tuple(left),
        whole=is_whole(evidence),
    )


def gone(run: Run) -> tuple[float | None, list[str]]:
    """Return how long it took until nothing of a run was left, or what still is."""
    gone_s = run.nothing_left_within(WATCHED_S)
    if gone_s is not None:
        return gone_s, []
    left = run.left()
    return (None, left) if left else (WATCHED_S, [])


def follow(lab: Lab, place: Path, evidence: Path) -> RunFollowed:
    """Let a run follow, undisturbed."""
    log = evidence.with_suffix(".log")
    with running(SCENARIOS, place, evidence, log, image=lab.image.name) as run:
        run.ended_within(ENDS_S)
        status = run.process.returncode
        run.nothing_left_within(GONE_S)
        left = [*run.left(), *_labs(run)]
    return RunFollowed(source="scenario", status=-1 if status is None else status, left=tuple(left))


def _labs(run: Run) -> list[str]:
    return [f"the directory of {path.name}" for path in run.place.glob("*-????")]


def is_whole(evidence: Path) -> bool:
    """Whether the history of a run, where there is one, can be read to its last line."""
    history = RunDirectory(evidence).history
    return not history.exists() or read_history(history).damage == ()
