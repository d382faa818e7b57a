"""Processes of a run are killed at random moments: nothing is left, and the next run is green.

    pytest tests/vm/test_kills.py --kills 100 [--kills-seed 7]

Not run unless asked for: a kill takes about a minute. Each is an item of its own; its number and
the seed, which stands in every line, make the same choices again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from evidence.history import read_history
from evidence.run import RunDirectory
from scenarios.harness.killing import SCENARIOS, Run, place_of_labs, running

pytestmark = pytest.mark.vm

GONE_WITHIN = 10.0


@dataclass(frozen=True)
class Calm:
    """Where labs of these runs lie, and how long each takes that nobody disturbs, in seconds."""

    place: Path
    seconds: Mapping[str, float]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "number" in metafunc.fixturenames:
        metafunc.parametrize("number", range(metafunc.config.getoption("kills")))


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calm]:
    """Let each run end by itself: what it thaws is there afterwards, and its time is known."""
    seconds = {}
    with place_of_labs() as place:
        for scenarios in (*SCENARIOS, *SCENARIOS):  # the first of each may have had to provision
            evidence = tmp_path_factory.mktemp("calm") / "evidence"
            with running(scenarios, place, evidence, evidence.with_name("log")) as run:
                run.wait_for_a_lab()
                began = time.monotonic()
                assert run.ended_within(3600)
                seconds[scenarios] = time.monotonic() - began
                assert_green(run, evidence)
        yield Calm(place, seconds)


def test_whoever_is_killed_nothing_is_left_and_the_next_run_is_green(
    number: int,
    calm: Calm,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seed = f"{request.config.getoption('kills_seed')}/{number}"
    chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be kept secret
    scenarios = chance.choice(SCENARIOS)
    latest, killed = calm.seconds[scenarios], ""
    while not killed:
        moment = chance.uniform(0, latest)
        evidence = tmp_path / f"{moment:.3f}"
        with running(scenarios, calm.place, evidence, tmp_path / "log") as run:
            run.wait_for_a_lab()
            run.ended_within(moment)
            killed = ", ".join(map(str, run.kill_some(chance)))
            ended = run.come_to_an_end()
            took = run.nothing_left_within(GONE_WITHIN)
            gone = "NOT GONE" if took is None else f"nothing left after {took:.1f} s"
            told = killed or "nobody, as it had ended: once more"
            line = f"after {moment:.2f} s of {latest:.1f} killed {told}: {gone}"
            with capsys.disabled():
                print(f"\nseed {seed}: {line}", flush=True)  # noqa: T201 - it is asked for
            assert ended, "the run did not end by Ctrl-C"
            assert took is not None, run.left()
        latest = moment
    assert_readable(evidence)
    with running(scenarios, calm.place, tmp_path / "next", tmp_path / "log") as after:
        assert after.ended_within(600)
        assert_green(after, tmp_path / "next")


def assert_green(run: Run, evidence: Path) -> None:
    said = (evidence.parent / "log").read_text(errors="replace")[-3000:]
    assert run.process.returncode == 0, said
    assert run.nothing_left_within(GONE_WITHIN) is not None, run.left()
    assert not list(run.place.glob("*-????")), "a lab's directory is left"
    assert_readable(evidence)


def assert_readable(evidence: Path) -> None:
    """Hold that a history, where there is one, is whole."""
    history = RunDirectory(evidence).history
    if history.exists():
        assert read_history(history).damage == ()
