"""Mutate the checks in a copy of the project, and print how many mutants the tests kill.

Run by the Python of an environment that has cosmic-ray: `tox -e mutation`. Exit status 1: fewer
than `--least` percent were killed.
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
from pathlib import Path

from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkResult

from tests.mutation.judge import MUTATED_FROM

ROOT = Path(__file__).parents[2]
SAMPLE, SEED, LEAST = 150, 94, 90.0
EQUIVALENT = (
    "core/ReplaceBinaryOperator_BitOr_",  # of types: nobody evaluates annotations
    "core/NoOp",
)
"""Operators whose mutants are the same program."""
SKIPPED = WorkResult(worker_outcome=WorkerOutcome.SKIPPED)


def copy_to(place: Path) -> None:
    """Copy what git knows of the project, and let it have the same environment."""
    told = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in filter(None, told.stdout.decode().split("\0")):
        target = place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target, follow_symlinks=False)
    (place / ".venv").symlink_to((ROOT / ".venv").resolve())


def choose(session: Path, sample: int, only: str) -> int:
    """Leave a sample of the mutants pending, the same each time; return how many there were."""
    with use_db(session, WorkDB.Mode.open) as db:
        items = sorted(
            db.pending_work_items,
            key=lambda item: (
                str(item.mutations[0].module_path),
                item.mutations[0].start_pos,
                item.mutations[0].operator_name,
                item.mutations[0].occurrence,
            ),
        )
        real = [
            item
            for item in items
            if not item.mutations[0].operator_name.startswith(EQUIVALENT)
            and str(item.mutations[0].module_path).startswith(only)
        ]
        drawn = random.Random(SEED)  # noqa: S311 - a sample, no secret
        chosen = real if not sample else drawn.sample(real, min(sample, len(real)))
        kept = {item.job_id for item in chosen}
        left = [item.job_id for item in items if item.job_id not in kept]
        if left:
            db.set_multiple_results(left, SKIPPED)
    return len(real)


def report(session: Path, of: int, least: float) -> int:
    """Print each survivor and the score; return the exit status."""
    counts: Counter[str] = Counter()
    with use_db(session, WorkDB.Mode.open) as db:
        mutations = {item.job_id: item.mutations[0] for item in db.work_items}
        for job, result in db.results:
            if result.worker_outcome == WorkerOutcome.SKIPPED:
                continue
            timed_out = (result.output or "").strip() == "timeout"
            counts["timed out" if timed_out else str(result.test_outcome.value)] += 1
            if result.test_outcome == TestOutcome.SURVIVED:
                one = mutations[job]
                print(f"survived: {one.module_path}:{one.start_pos[0]}: {one.operator_name}")  # noqa: T201 - it is asked for
                changed = [line for line in (result.diff or "").splitlines() if line[:1] in "+-"]
                print("\n".join(f"    {line}" for line in changed[2:]))  # noqa: T201 - as above
    judged = sum(counts.values())
    killed = judged - counts["survived"]
    score = 100 * killed / judged if judged else 0.0
    told = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    print(f"{judged} of {of} mutants tried ({told}): {score:.1f} % killed, at least {least:g} %")  # noqa: T201 - as above
    return 0 if score >= least else 1


def main() -> int:
    """Make mutants, run the tests on each, report."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("--sample", type=int, default=SAMPLE, help="0: all of them")
    parser.add_argument("--only", default="checks", help="a module, or the beginning of its path")
    parser.add_argument("--least", type=float, default=LEAST, help="percent")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vpm") as name:
        place = Path(name)
        copy_to(place)
        session = place / "session.sqlite"
        environment = {
            **{key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
            MUTATED_FROM: str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",  # two mutants of one size and second are two programs
        }
        cosmic_ray = [sys.executable, "-m", "cosmic_ray.cli"]

        def run(*arguments: str) -> None:
            subprocess.run([*cosmic_ray, *arguments], cwd=place, env=environment, check=True)

        run("baseline", "cosmic-ray.toml")
        run("init", "cosmic-ray.toml", str(session))
        count = choose(session, told.sample, told.only)
        run("exec", "cosmic-ray.toml", str(session))
        return report(session, count, told.least)


if __name__ == "__main__":
    sys.exit(main())
