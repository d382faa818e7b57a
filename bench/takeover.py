"""How long a takeover of the failover pair takes, by what befell the active node.

Each fault is provoked `--times` times in a lab of its own, in which the guide was followed; in
between the lab is rewound. That takes about a minute each, so all of them take hours: `--fault`
chooses. What was done and recorded is kept in a directory of evidence; the figures are measured
from it, and `--of` measures them again, also of a run that was broken off.

- `evidence`: the directory, with history.jsonl and wire/*.pcapng.
- `image`, `accelerator`, `heartbeat`: what it was measured on.
- `faults`: the names of the faults, with commas; in the keys below "-" is "_".
- `FAULT_wanted`, `_provoked`, `_takeovers`: repetitions asked for, and begun; how often the peer
  took over, by its advertisements (after `kill-openvpn` it must not).
- `FAULT_note`: what is not as it should be, in words; null if nothing.
- `FAULT_STAGE_n`: how often the stage was seen; `_min_s`, `_median_s`, `_p95_s`, `_max_s`: its
  spread, null if it never was.
- `FAULT_STAGE_budget_min_s`, `_budget_max_s`: what the configured timers allow (`silence`,
  `takeover`), or the guide promises (the others); null if neither says anything.

STAGE is `silence`, from the old node's last advertisement to the peer's first; `takeover`, from the
fault to that; `announced`, from that to the peer's gratuitous ARP (below 0: ARP came first);
`service`, from the fault until the peer's web service and its OpenVPN (TCP and UDP) all answer on
the virtual IP; and with `--tunnel` `tunnel`, from the fault until a client outside, connected by
UDP, gets packets through again.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from rich.console import Group, RenderableType
from rich.text import Text

from bench import takeover_figures
from bench.takeover_series import SOURCE, read_series
from checks.engine.judging import next_attempt
from evidence.events.run import (
    RepetitionBroken,
    RepetitionsBegan,
    ScenarioEnded,
    ScenarioStarted,
)
from evidence.history import History
from evidence.moment import Moment
from evidence.run import RunDirectory
from lab.accelerator import choose
from lab.cli import collect_garbage
from lab.errors import VpnproofError
from lab.image import prepare
from lab.probe import Probe
from lab.progress import Progress
from provision.deploy import Deployer, guide_named
from provision.failover import Heartbeat, users
from scenarios.failover import faults
from scenarios.failover.faults import Fault
from scenarios.failover.observe import PROBE
from scenarios.failover.pair import Pair
from scenarios.failover.services import PROBE_ADDRESS, PROBE_MAC
from scenarios.failover.takeover import Meanwhile, provoke, restore
from scenarios.failover.tunnels import Outside, RoamingClient
from scenarios.labs import Labs
from scenarios.repetitions import FULL_TIMES
from scenarios.run import Run

summary = "takeovers of the failover pair, stage by stage, by what befell the active node"

_ROOT = Path(__file__).parent.parent
_GUIDE = "failover"
_FAULTS = {fault.name: fault for fault in faults.ALL}
_ROBOT = RoamingClient(users.AUTOLOGIN_USER, "udp", 0, autologin=True)  # no password to use up
_TOLD = ("image", "accelerator", "heartbeat")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what is provoked, how often, and on what."""
    parser.add_argument(
        "--fault",
        action="append",
        choices=tuple(_FAULTS),
        help="provoke this one; may be given again (default: all)",
    )
    parser.add_argument(
        "--times",
        type=_count,
        default=FULL_TIMES,
        help="repetitions of each fault (default: %(default)s)",
    )
    parser.add_argument(
        "--tunnel", action="store_true", help="watch a client outside, too (a minute more each)"
    )
    parser.add_argument("--image", help="guest image; see lab/image/catalogue.toml")
    parser.add_argument("--accel", choices=("kvm", "tcg"), help="instead of what was found to work")
    parser.add_argument(
        "--heartbeat",
        choices=get_args(Heartbeat),
        default="ucarp",
        help="the pair's engine (default: %(default)s)",
    )
    parser.add_argument(
        "--of", type=Path, metavar="EVIDENCE", help="provoke nothing: measure what was recorded"
    )


def measure(arguments: argparse.Namespace) -> Mapping[str, object]:
    """Provoke what is asked for, and return the figures of the recording: see the module."""
    if arguments.of is not None:
        return figures_of(arguments.of)
    directory = _ROOT / "runs" / "bench" / f"takeover-{time.strftime('%Y-%m-%dT%H-%M-%S')}"
    record(Run(directory, _ROOT), arguments)
    return figures_of(directory)


def table(figures: Mapping[str, object]) -> RenderableType:
    """Show the figures: a row a stage of each fault."""
    title = "takeovers, in seconds: {heartbeat}, {image}, {accelerator}".format_map(figures)
    shown = takeover_figures.table(title, figures, str(figures["faults"]).split(","))
    return Group(shown, Text(f"evidence: {figures['evidence']}"))


def figures_of(directory: Path) -> dict[str, object]:
    """Measure what was recorded in `directory`; BadEvidence when nothing of this kind was."""
    series = read_series(directory)
    told = RunDirectory(directory).facts()
    return {
        "evidence": str(directory),
        **{name: told[name] for name in _TOLD},
        "faults": ",".join(one.fault for one in series),
        **takeover_figures.figures(series),
    }


def record(run: Run, arguments: argparse.Namespace) -> None:
    """Provoke every fault that is asked for, and keep the evidence in the directory of `run`.

    A repetition that breaks ends its fault's series and is recorded. LabError when a lab cannot
    be made: there is nothing left to try then.
    """
    progress = Progress()
    collect_garbage()
    accelerator = choose(arguments.accel)
    image = prepare(arguments.image, progress=progress, accelerator=accelerator)
    run.open(
        command=shlex.join(["python", "-m", "bench", *sys.argv[1:]]),
        image=str(image),
        image_source=image.source,
        accelerator=str(accelerator),
        heartbeat=arguments.heartbeat,
    )
    progress.say(f"evidence: {run.directory}; `--of` it measures the faults that are through")

    def deployer(guide: str) -> Deployer:
        return Deployer(guide_named(guide, arguments.heartbeat), image, accelerator, progress)

    labs = Labs(run.directory, deployer, keep="never")
    recorder = _Recorder(run, labs, progress, arguments.times, arguments.tunnel)
    try:
        for name in dict.fromkeys(arguments.fault or _FAULTS):
            recorder.record(_FAULTS[name])
    finally:
        labs.end()


@dataclass(frozen=True)
class _Recorder:
    """Provokes a fault as often as wanted, in a lab that no other fault was provoked in."""

    run: Run
    labs: Labs
    progress: Progress
    times: int
    tunnel: bool

    def record(self, fault: Fault) -> None:
        """Make a series of one fault."""
        with self._history(fault) as history:
            done = 0
            try:
                for _ in self._repetitions(fault, history):
                    done += 1
                    self.progress.say(f"{fault}: {done} of {self.times}")
            except VpnproofError as error:
                reason = error.message.partition("\n")[0]
                history.record(RepetitionBroken(source=SOURCE, number=done + 1, reason=reason))
                self.progress.say(f"{fault}: broke off in repetition {done + 1}: {error}")
        self.labs.discard(_GUIDE)

    @contextmanager
    def _history(self, fault: Fault) -> Iterator[History]:
        """Begin the series with a lab, and end it, whatever comes."""
        self.labs.get(_GUIDE, pristine=True)
        name = f"{SOURCE} takeover: {fault}"
        attempt = next_attempt(self.run.directory, name)
        with self.run.history(name) as history:
            lab = self.labs.name(_GUIDE)
            history.record(ScenarioStarted(source=SOURCE, lab=lab, attempt=attempt))
            tunnel = self.tunnel and fault.takes_over
            history.record(
                RepetitionsBegan(source=SOURCE, fault=fault.name, times=self.times, tunnel=tunnel)
            )
            try:
                yield history
            finally:
                history.record(ScenarioEnded(source=SOURCE, events=history.recorded))

    def _repetitions(self, fault: Fault, history: History) -> Iterator[None]:
        """Provoke the fault again with each step, on a pair that is whole again."""
        lab = self.labs.get(_GUIDE)
        with (
            Pair(lab, history) as pair,
            Probe(lab.wire, "lan", PROBE, PROBE_MAC, PROBE_ADDRESS) as probe,
        ):
            pair.record_configured(pair.active())
            for number in range(self.times):
                with self._watched(pair, fault) as meanwhile:
                    victim = provoke(pair, fault, probe, meanwhile)
                yield
                if number + 1 < self.times:
                    restore(pair, fault, victim)

    @contextmanager
    def _watched(self, pair: Pair, fault: Fault) -> Iterator[Meanwhile]:
        """Keep a client outside, if wanted; what is yielded waits until it is back."""
        if not (self.tunnel and fault.takes_over):
            yield lambda _peer, _injected: None
            return
        outside = Outside(pair)

        def wait(_peer: str, injected: Moment) -> None:
            outside.wait_until_back([_ROBOT], injected.latest_ns)

        try:
            outside.connect(_ROBOT)
            yield wait
        finally:
            outside.leave()


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of repetitions, such as 20")
    return int(text)
