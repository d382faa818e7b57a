"""Where the time of `pytest scenarios/` goes: for each scenario, and in all.

Warm: every lab that the scenarios need is frozen already (it is, before the run begins). With
`--cold` first once in a cache of its own, in which the image lies and nothing is frozen, and then
warm in that. How many repetitions a run makes is its own default, or `--full`'s. A scenario that
fails makes the figures worthless: LabError then.

Seconds of wall time, each instant in one figure (see `lab.timing`), so that the figures of a
scenario add up to its `wall_s`:

- `protocol_wait_s`: waiting for the protocol: somebody paused, polled or listened, and nothing
  else was done.
- `commands_s`: commands in guests.
- `thaws_s`, `logins_s`, `judging_s`: labs thawed or rewound, SSH connections opened, evidence
  judged.
- `power_s`, `provision_s`, `other_s`: machines switched and booted; steps of the guide; the rest.

Beside them `commands` (how many), `commands_sum_s` (as if none had run side by side), `parts` (all
that was recorded, by kind) and `heartbeat_silent_s` (how much of it a heartbeat was silent: see
`bench.silences`).

`run_s` is the wall time of the whole run, pytest's own start included; with workers (`-n`) the
scenarios overlap, and add up to more.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table

from bench.own_cache import own_cache
from bench.silences import silences_s
from lab.accelerator import choose
from lab.errors import LabError
from lab.image import prepare
from lab.progress import Progress
from lab.timing import Account
from provision.deploy import GUIDES, Deployer, guide_named
from scenarios import timings

summary = "where the time of the scenarios goes"

_ROOT = Path(__file__).parent.parent
_TAIL = 3000  # characters of a failed run's output that the error shows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare which scenarios run, and how."""
    parser.add_argument("--image", help="guest image; see lab/image/catalogue.toml")
    parser.add_argument("--accel", choices=("kvm", "tcg"), help="instead of what was found to work")
    parser.add_argument(
        "--guide",
        default="scenarios/",
        help=f"only this guide's scenarios ({' or '.join(GUIDES)}), or those at a path",
    )
    parser.add_argument("--full", action="store_true", help="a sign-off run (hours)")
    parser.add_argument("--cold", action="store_true", help="with nothing frozen first, then warm")
    parser.add_argument("-n", dest="workers", help="workers of the run, as pytest takes them")


def measure(arguments: argparse.Namespace) -> Mapping[str, object]:
    """Run the scenarios, and return what became of the time: `warm`, and `cold` or None."""
    progress = Progress()
    prepare(arguments.image, progress=progress)
    with own_cache() if arguments.cold else nullcontext():
        cold = None
        if arguments.cold:
            with progress.task("the scenarios, with nothing frozen"):
                cold = _run(arguments)
        else:
            _freeze(arguments, progress)
        with progress.task("the scenarios, with all labs frozen"):
            return {"warm": _run(arguments), "cold": cold}


def table(figures: Mapping[str, Any]) -> Group:
    """Show a table for each run."""
    return Group(*(_table(name, run) for name, run in figures.items() if run is not None))


def _table(name: str, run: Mapping[str, Any]) -> Table:
    rows = [(timings.short(row["scenario"]), timings.account_of(row)) for row in run["scenarios"]]
    total = timings.account_of(run["all"])
    silent = f"a heartbeat was silent for {run['all']['heartbeat_silent_s']:.1f} s of it"
    return timings.table(rows, total, f"{name}: {run['run_s']:.1f} s; {silent}")


def _freeze(arguments: argparse.Namespace, progress: Progress) -> None:
    """See to it that what the scenarios need is frozen, as the first run of them would."""
    image, accelerator = prepare(arguments.image), choose(arguments.accel)
    named = [guide for guide in GUIDES if guide in Path(_target(arguments)).parts]
    for guide in named or GUIDES:
        Deployer(guide_named(guide), image, accelerator, progress).deploy().down()


def _target(arguments: argparse.Namespace) -> str:
    """Return what pytest is told to run."""
    guide: str = arguments.guide
    return f"scenarios/{guide}" if guide in GUIDES else guide


def _run(arguments: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="vpnproof-bench-") as folder:
        evidence = Path(folder, "evidence")
        run_s = _seconds_of_run(evidence, arguments)
        return {"run_s": round(run_s, 1), **figures_of(evidence)}


def figures_of(evidence: Path) -> dict[str, Any]:
    """Return the figures of each scenario of a recorded run, and of all together."""
    silent = silences_s(evidence)
    rows = [
        {**row, "heartbeat_silent_s": round(silent.get(row["scenario"], 0.0), 1)}
        for row in timings.read(evidence)
    ]
    if not rows:
        raise LabError(
            "no scenario ran", hint="is the path one of scenarios? one that is long needs --full"
        )
    total = sum((timings.account_of(row) for row in rows), Account())
    in_all = round(sum(row["heartbeat_silent_s"] for row in rows), 1)
    return {"all": {**timings.figures(total), "heartbeat_silent_s": in_all}, "scenarios": rows}


def _seconds_of_run(evidence: Path, arguments: argparse.Namespace) -> float:
    command = [sys.executable, "-m", "pytest", _target(arguments), "--lab=local"]
    command += ["-p", "no:cacheprovider", f"--evidence={evidence}"]
    command += [f"--image={arguments.image}"] if arguments.image else []
    command += [f"--accel={arguments.accel}"] if arguments.accel else []
    command += ["--full"] if arguments.full else []
    command += ["-n", arguments.workers] if arguments.workers else []
    started = time.monotonic()
    done = subprocess.run(
        command, cwd=_ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise LabError(
            f"the scenarios failed:\n{done.stdout[-_TAIL:]}{done.stderr[-_TAIL:]}",
            hint="run `pytest scenarios/ --lab=local` until it passes, then measure",
        )
    return time.monotonic() - started
