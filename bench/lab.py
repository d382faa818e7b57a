"""How long a lab takes to be there: booted, started cold, provisioned, thawed.

All of it in one run on one machine, so that the ratios mean something. The benchmark has a cache
of its own, with the user's image in it and nothing frozen; so it starts cold and leaves nothing.

- `one_boot_s`: one machine, booted from its image until SSH answers.
- `cold_s`: the machines of the lab (five of the multi-node guide; `--guide` names another),
  nothing frozen: one boot, or one for each shape of a guest, and as many thaws as machines.
- `provision_s`: the guide followed on them, start and freezing included; only the frozen fresh
  guest that `cold_s` left is there already.
- `thaw_s`: that lab thawed until every machine runs and has told the time, its sign of life;
  nobody has logged in yet (but where a guest has no agent: see `lab.agent`).
- `reconnected_s`: the same thaws, timed on until every machine has answered a command over SSH.
- `ready_s`: what a scenario waits for before it begins: the checkpoint found and checked, thawed,
  and the lab ready.
- `restore_floor_s`: `virDomainRestore` of the same files, all at once, and the processors started;
  no wire, no clock, no disk made within the time. What libvirt and QEMU need anyway.
- `thaw_ratio`, `ready_ratio`: `thaw_s` and `ready_s` over `restore_floor_s`. All three are medians
  of the same turns: a turn is a thaw, a lab made ready and a bare restore, one after the other.
- `peak_rss_mib`: the most that the processes of the provisioned lab ever held, added up.
- `disk_mib`: the image, and the checkpoints that the provisioned lab stands on.

How long the scenarios take, and why, is `bench.suite`'s to say.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.lab_floor import restore_seconds
from bench.own_cache import own_cache
from lab.accelerator import Accelerator, choose
from lab.checkpoint import Checkpoint, Store, cold_start, stands_on, thaw
from lab.errors import LabError
from lab.image import Image, prepare
from lab.lab import Lab
from lab.progress import Progress
from lab.topology import Topology, read_topology
from provision.deploy import GUIDES, Deployer, guide_named

summary = "boot, cold start, provisioning and thaw of a lab"

_MIB = 2**20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what is measured, and on what."""
    parser.add_argument("--image", help="guest image; see lab/image/catalogue.toml")
    parser.add_argument("--accel", choices=("kvm", "tcg"), help="instead of what was found to work")
    parser.add_argument("--guide", choices=tuple(GUIDES), default="multi_node", help="whose lab")
    parser.add_argument(
        "--thaws", type=_at_least_one, default=5, help="turns of thawing and bare restoring"
    )


def measure(arguments: argparse.Namespace) -> Mapping[str, object]:
    """Return the figures: seconds, ratios, MiB; medians where several were taken."""
    progress = Progress()
    accelerator = choose(arguments.accel)
    prepare(arguments.image, progress=progress, accelerator=accelerator)
    with own_cache():
        stage = _Stage(arguments.guide, prepare(arguments.image), accelerator, progress)
        return stage.starts() | stage.provisioned(arguments.thaws)


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"it takes 1 or more turns, not {number}")
    return number


@dataclass(frozen=True)
class _Stage:
    """What every measurement needs."""

    guide: str
    image: Image
    accelerator: Accelerator
    progress: Progress

    def starts(self) -> dict[str, object]:
        """Measure a boot of one machine, and a cold start of all."""
        topology = read_topology(guide_named(self.guide).topology)
        one_boot = self._up_and_down(Lab.boot, _first_machine(topology))
        cold = self._up_and_down(cold_start, topology)
        return {
            "one_boot_s": round(one_boot, 1),
            "cold_s": round(cold, 1),
            "cold_ratio": round(cold / one_boot, 2),
        }

    def provisioned(self, thaws: int) -> dict[str, object]:
        """Measure provisioning, then thaws of the result beside bare restores of its files."""
        deployer = Deployer(guide_named(self.guide), self.image, self.accelerator, self.progress)
        provisioning = _Stopwatch()
        with deployer.deploy() as lab:
            provision_s = provisioning.seconds
            checkpoint = _checkpoint_of(lab)
        turns = [self._turn(deployer, checkpoint) for _ in range(thaws)]
        *seconds, peaks = zip(*turns, strict=True)
        thaw_s, reconnected_s, ready_s, floor_s = map(statistics.median, seconds)
        return {
            "provision_s": round(provision_s, 1),
            "thaw_s": round(thaw_s, 2),
            "reconnected_s": round(reconnected_s, 2),
            "restore_floor_s": round(floor_s, 2),
            "thaw_ratio": round(thaw_s / floor_s, 2),
            "ready_s": round(ready_s, 2),
            "ready_ratio": round(ready_s / floor_s, 2),
            "peak_rss_mib": max(peaks),
            "disk_mib": _disk_mib(self.image, checkpoint),
        }

    def _turn(
        self, deployer: Deployer, checkpoint: Checkpoint
    ) -> tuple[float, float, float, float, int]:
        """Return `thaw_s`, `reconnected_s`, `ready_s`, `restore_floor_s` and `peak_rss_mib`."""
        thaw_s, reconnected_s = self._thaw(checkpoint)
        starting = _Stopwatch()
        with deployer.deploy() as lab:
            ready_s = starting.seconds
            peak_rss = _peak_rss_mib(lab.directory)
        return thaw_s, reconnected_s, ready_s, self._restore(checkpoint), peak_rss

    def _up_and_down(self, start: Callable[..., Lab], topology: Topology) -> float:
        started = _Stopwatch()
        with start(topology, self.image, self.accelerator, progress=self.progress):
            return started.seconds

    def _thaw(self, checkpoint: Checkpoint) -> tuple[float, float]:
        """Return the seconds until it is thawed, and until all have answered over SSH."""
        started = _Stopwatch()
        with thaw(checkpoint, self.image, self.accelerator, progress=self.progress) as lab:
            thaw_s = started.seconds
            lab.each(lambda machine: machine.run("true"))
            return thaw_s, started.seconds

    def _restore(self, checkpoint: Checkpoint) -> float:
        with self.progress.task("restoring the same files bare"):
            return restore_seconds(checkpoint, self.image, self.accelerator)


class _Stopwatch:
    """Runs from the moment it is made."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started


def _first_machine(topology: Topology) -> Topology:
    only = {"machines": topology.machines[:1], "nameserver": None}
    return topology.model_copy(update=only)


def _checkpoint_of(lab: Lab) -> Checkpoint:
    found = Store().find(stands_on(lab) or "")
    if found is None:
        raise LabError(
            "the provisioned lab was not frozen, so there is nothing to thaw",
            hint="is the disk full? `python -m lab checkpoints` shows what lies there",
        )
    return found


def _peak_rss_mib(directory: Path) -> int:
    """Add up the high-water marks of the processes whose command line names `directory`."""
    peak_kib = 0
    for process in psutil.process_iter(["cmdline"]):
        if any(str(directory) in word for word in process.info["cmdline"] or ()):
            status = Path("/proc", str(process.pid), "status").read_text()
            peak_kib += next(
                int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")
            )
    return peak_kib // 1024


def _disk_mib(image: Image, checkpoint: Checkpoint) -> int:
    held = sum(p.stat().st_blocks * 512 for p in image.disk.parent.iterdir())
    return (held + sum(one.size for one in _with_all_below(checkpoint))) // _MIB


def _with_all_below(checkpoint: Checkpoint) -> Iterable[Checkpoint]:
    """Return a checkpoint and all that it stands on, each once whoever else stands on it."""
    stored = {one.key: one for one in Store()}
    found = {checkpoint.key: checkpoint}
    pending = list(checkpoint.manifest.parents)
    while pending:
        key = pending.pop()
        if key not in found:
            found[key] = stored[key]
            pending += stored[key].manifest.parents
    return found.values()
