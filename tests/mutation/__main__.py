"""Mutate the checks in copies of the project, and print how many mutants the tests kill.

Run by the Python of an environment that has cosmic-ray: `tox -e mutation`. Each copy tries its part
of the sample, side by side, as many as there are processors. Exit status 1: fewer than `--least`
percent were killed.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome, WorkResult

from tests.mutation import MUTATED_FROM
from tests.mutation.operators import is_another_program

ROOT = Path(__file__).parents[2]
SAMPLE, SEED, LEAST = 150, 94, 90.0
CONFIGURATION, SESSION = "cosmic-ray.toml", "session.sqlite"
SKIPPED = WorkResult(worker_outcome=WorkerOutcome.SKIPPED)


def copy_to(place: Path) -> None:
    """Copy what git knows of the project, and let it have the same environment."""
    told = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in filter(None, told.stdout.decode().split("\0")):
        target = place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target, follow_symlinks=False)
    (place / ".venv").symlink_to((ROOT / ".venv").resolve())


def choose(session: Path, sample: int, seed: int, only: str) -> tuple[list[str], int]:
    """Draw a sample of the mutants, the same by a seed; return its jobs and how many there are."""
    with use_db(session, WorkDB.Mode.open) as db:
        items = sorted(db.pending_work_items, key=lambda item: _place(item.mutations[0]))
    real = [item for item in items if _is_another_program(item.mutations[0], only)]
    drawn = random.Random(seed)  # noqa: S311 - a sample, no secret
    chosen = real if not sample else drawn.sample(real, min(sample, len(real)))
    return [item.job_id for item in chosen], len(real)


def _place(mutation: MutationSpec) -> tuple[str, tuple[int, int], str, int]:
    one = mutation
    return str(one.module_path), one.start_pos, one.operator_name, one.occurrence


def _is_another_program(mutation: MutationSpec, only: str) -> bool:
    """Whether a mutant is of the modules that are asked for, and means anything else."""
    path = str(mutation.module_path)
    return path.startswith(only) and is_another_program(
        mutation.operator_name, (ROOT / path).read_text(), mutation.start_pos
    )


def keep_only(session: Path, jobs: Sequence[str]) -> None:
    """Leave these mutants pending, and no other."""
    with use_db(session, WorkDB.Mode.open) as db:
        kept = set(jobs)
        if left := [one.job_id for one in db.pending_work_items if one.job_id not in kept]:
            db.set_multiple_results(left, SKIPPED)


def judged(session: Path) -> list[tuple[MutationSpec, WorkResult]]:
    """Return the mutants that were tried, with what came of each."""
    with use_db(session, WorkDB.Mode.open) as db:
        mutations = {item.job_id: item.mutations[0] for item in db.work_items}
        return [
            (mutations[job], result)
            for job, result in db.results
            if result.worker_outcome != WorkerOutcome.SKIPPED
        ]


def report(tried: Sequence[tuple[MutationSpec, WorkResult]], of: int, least: float) -> int:
    """Print each survivor and the score; return the exit status."""
    counts: Counter[str] = Counter()
    for one, result in tried:
        timed_out = (result.output or "").strip() == "timeout"
        counts["timed out" if timed_out else str(result.test_outcome.value)] += 1
        if result.test_outcome == TestOutcome.SURVIVED:
            _say(f"survived: {one.module_path}:{one.start_pos[0]}: {one.operator_name}")
            changed = [line for line in (result.diff or "").splitlines() if line[:1] in "+-"]
            _say("\n".join(f"    {line}" for line in changed[2:]))
    count = sum(counts.values())
    score = 100 * (count - counts["survived"]) / count if count else 0.0
    told = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    _say(f"{count} of {of} mutants tried ({told}): {score:.1f} % killed, at least {least:g} %")
    return 0 if score >= least else 1


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - it is asked for


def main() -> int:
    """Make mutants, run the tests on each, report."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("--sample", type=int, default=SAMPLE, help="0: all of them")
    parser.add_argument("--seed", type=int, default=SEED, help="of the sample")
    parser.add_argument("--only", default="checks", help="a module, or the beginning of its path")
    parser.add_argument("--least", type=float, default=LEAST, help="percent")
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--jobs", type=int, default=cores, help="how many are tried side by side")
    told = parser.parse_args()
    cosmic_ray = [sys.executable, "-m", "cosmic_ray.cli"]
    with tempfile.TemporaryDirectory(prefix="vpm") as name:
        genuine = Path(name) / "genuine"  # nobody's who goes on working meanwhile
        places = [Path(name) / str(number) for number in range(max(told.jobs, 1))]
        for place in (genuine, *places):
            copy_to(place)
        environment = {
            **{key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
            MUTATED_FROM: str(genuine),
            "PYTHONDONTWRITEBYTECODE": "1",  # two mutants of one size and second are two programs
        }

        def begun(place: Path, *arguments: str) -> subprocess.Popen[bytes]:
            return subprocess.Popen([*cosmic_ray, *arguments], cwd=place, env=environment)

        for arguments in (("baseline", CONFIGURATION), ("init", CONFIGURATION, SESSION)):
            if status := begun(places[0], *arguments).wait():
                return status
        jobs, count = choose(places[0] / SESSION, told.sample, told.seed, told.only)
        for place in places[1:]:
            shutil.copyfile(places[0] / SESSION, place / SESSION)
        for number, place in enumerate(places):
            keep_only(place / SESSION, jobs[number :: len(places)])
        trying = [begun(place, "exec", CONFIGURATION, SESSION) for place in places]
        if status := max(abs(one.wait()) for one in trying):
            return status
        return report(
            [one for place in places for one in judged(place / SESSION)], count, told.least
        )


if __name__ == "__main__":
    sys.exit(main())
