"""What a run over 1, 2, 3, 10 and 100 hosts would take: a model, from figures measured on one.

Needs no lab, and no host but this one. Scenarios last as they did in the run that `--run` names
(else as remembered, else by estimate); whatever else a run over hosts costs is an option, and is
printed as the assumption that it is. `bench.hosts_model` says what the model has in it.

- `wall_s`: from the first host being set up to the last evidence being home.
- `speed_up`: how many times shorter that is than on one host of as many labs.
- `utilisation`: the share of all labs' time in which scenarios ran.
- `bound`: what keeps the run from being shorter, and `critical`: the lab that ended last, stretch
  by stretch.
- `floor_s`: what no number of hosts goes below, for the longest scenario is one lab's.
- `validation`: the model of the named run itself, on one host with the labs that it had, against
  the time it really took; by its own durations (so only the order of things is modelled), and by
  what was known without it. An `error` of 0.05: the model says five per cent more than was seen.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from bench.hosts_figures import Figures, Recorded, collected, figures
from bench.hosts_model import EVIDENCE, SCENARIO, TRANSFER, WORKERS, Costs, Simulated, simulate
from lab.errors import LabError
from provision.deploy import GUIDES
from scenarios import timings
from scenarios.durations import Durations
from scenarios.workers import THAW_S

summary = "a model of what more hosts would give"

_HOSTS = (1, 2, 3, 10, 100)
_SHOWN = 6
_ASSUMED = (THAW_S, 3.0)
"""A lab's thaw, in seconds, and a scenario's evidence, in MiB, where no run has told."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what is modelled, and what is assumed."""
    whole, above = _number(int, 1), _number(float, 0)
    parser.add_argument("--simulate", action="store_true", help="a model: nothing else is offered")
    parser.add_argument("--guide", choices=tuple(GUIDES), default="failover")
    parser.add_argument("--quick", action="store_true", help="not of a --full run")
    parser.add_argument("--run", type=Path, help="a recorded run, or its timings.json")
    parser.add_argument("--durations", type=Path, help="instead of those remembered in the cache")
    parser.add_argument("--hosts", type=_list_of(whole), default=_HOSTS, metavar="N,N")
    parser.add_argument("--labs", type=whole, help="of each host (default: as the run, or cores)")
    assumed = parser.add_argument_group("assumptions")
    assumed.add_argument("--begin", type=above, default=15.0, help="s to set up a host")
    assumed.add_argument(
        "--worker", type=above, default=1.0, help="s to start a worker, one after another"
    )
    assumed.add_argument("--provision", type=above, default=0.0, help="s, 0: it was frozen before")
    assumed.add_argument("--thaw", type=above, help="s for a lab (default: as in the run)")
    assumed.add_argument("--checkpoint", type=above, default=1200.0, help="MiB that a host fetches")
    assumed.add_argument(
        "--evidence", type=above, help="MiB of a scenario (default: as in the run)"
    )
    assumed.add_argument(
        "--link", type=_number(float, 0.001), default=1000.0, help="Mbit/s of a host, each way"
    )
    assumed.add_argument(
        "--pass-on",
        action="store_true",
        help="hosts fetch from each other, past home: a run of today lets all go through home",
    )


def measure(arguments: argparse.Namespace) -> Mapping[str, object]:
    """Return what the model says of each number of hosts."""
    if not arguments.simulate:
        raise LabError(
            "a run over real hosts is timed by itself", hint="for the model give --simulate"
        )
    recorded = Recorded.of(arguments.run) if arguments.run else None
    durations = Durations.remembered()
    if arguments.durations:
        durations = Durations.of(arguments.durations)
    known = figures(collected(arguments.guide, full=not arguments.quick), recorded, durations)
    costs, labs = _costs(arguments, recorded), _labs(arguments, recorded)
    one = simulate(known.seconds, durations, 1, labs, costs)
    runs = [simulate(known.seconds, durations, hosts, labs, costs) for hosts in arguments.hosts]
    longest = max(known.seconds, key=known.seconds.__getitem__)
    return {
        "guide": arguments.guide,
        "scenarios": len(known.seconds),
        "work_s": round(sum(known.seconds.values()), 1),
        "durations": dict(known.sources),
        "assumptions": {"labs_of_a_host": labs, **asdict(costs)},
        "longest": {"scenario": longest, "seconds": round(known.seconds[longest], 1)},
        "floor_s": round(costs.begin_s + costs.worker_s + costs.thaw_s + known.seconds[longest], 1),
        "hosts": [_row(run, one, known) for run in runs],
        "validation": _validation(recorded, durations) if recorded else None,
    }


def _costs(arguments: argparse.Namespace, recorded: Recorded | None) -> Costs:
    """Return what was asked for, else what was measured in the run, else what is assumed."""
    measured = (recorded.thaw_s, recorded.evidence_mib) if recorded else (None, None)
    thaw_s, evidence_mib = (
        next(one for one in each if one is not None)
        for each in zip((arguments.thaw, arguments.evidence), measured, _ASSUMED, strict=True)
    )
    return Costs(
        arguments.begin,
        arguments.provision,
        round(thaw_s, 2),
        arguments.checkpoint,
        round(evidence_mib, 2),
        arguments.link,
        arguments.pass_on,
        arguments.worker,
    )


def _labs(arguments: argparse.Namespace, recorded: Recorded | None) -> int:
    cores = len(os.sched_getaffinity(0))
    return arguments.labs or (recorded.labs if recorded else cores)


def _row(run: Simulated, one: Simulated, known: Figures) -> dict[str, object]:
    return {
        "hosts": run.hosts,
        "labs": run.labs,
        "wall_s": round(run.wall_s, 1),
        "speed_up": round(one.wall_s / run.wall_s, 2),
        "utilisation": round(run.utilisation, 3),
        "bound": _bound(run, known),
        "last": run.last,
        "critical": [{**asdict(leg), "seconds": round(leg.seconds, 1)} for leg in run.chain],
    }


def _bound(run: Simulated, known: Figures) -> str:
    """Name what the lab that ended last spent its time on, which is why the run took so long."""
    scenarios = [leg for leg in run.chain if leg.kind == SCENARIO]
    moved = {
        kind: sum(leg.seconds for leg in run.chain if leg.kind == kind)
        for kind in (TRANSFER, EVIDENCE, WORKERS)
    }
    kind = max(moved, key=moved.__getitem__)
    longest = max(scenarios, key=lambda leg: leg.seconds)
    if moved[kind] > sum(leg.seconds for leg in scenarios):
        if kind == WORKERS:
            return (
                f"starting {run.labs} workers one after another, {moved[kind]:.0f} s of {run.last}"
            )
        return f"transfers: {kind}, {moved[kind]:.0f} s of {run.last}"
    share, name = longest.seconds / run.wall_s, timings.short(longest.what)
    if len(scenarios) == 1 or share > 0.5:
        return f"one scenario: {name}, {longest.seconds:.0f} s ({share:.0%} of the run)"
    even_s = sum(known.seconds.values()) / run.labs
    return (
        f"the number of labs: {len(scenarios)} scenarios follow each other in {run.last}, the "
        f"longest {name}, {longest.seconds:.0f} s; evenly shared it were {even_s:.0f} s"
    )


def _validation(recorded: Recorded, durations: Durations) -> dict[str, object]:
    names, labs, free = recorded.whole_s, recorded.labs, Costs()
    own = simulate(names, durations, 1, labs, free)
    told = simulate(figures(names, None, durations).seconds, durations, 1, labs, free)
    seen = recorded.wall_s
    return {
        "ended": recorded.ended,
        "scenarios": len(names),
        "carried_out_again": recorded.again,
        "labs": labs,
        "recorded_s": round(seen, 1),
        "by_its_own_durations_s": round(own.wall_s, 1),
        "error": round(own.wall_s / seen - 1, 3),
        "by_remembered_durations_s": round(told.wall_s, 1),
        "error_by_remembered": round(told.wall_s / seen - 1, 3),
    }


def table(found: Mapping[str, Any]) -> Group:
    """Show the figures, what was assumed, and how far the model is off where that is known."""
    rows = Table(title=f"a model of --full of {found['guide']}", title_justify="left")
    for heading in ("hosts", "labs", "wall s", "speed-up", "utilisation"):
        rows.add_column(heading, justify="right")
    rows.add_column("what bounds it", overflow="fold")
    for row in found["hosts"]:
        share = f"{row['utilisation']:.0%}"
        figures = (row["hosts"], row["labs"], f"{row['wall_s']:.0f}", row["speed_up"], share)
        rows.add_row(*map(str, figures), row["bound"])
    lines = [
        f"{found['scenarios']} scenarios, {found['work_s']:.0f} s of work; durations: "
        + ", ".join(f"{count} {source}" for source, count in found["durations"].items()),
        f"no number of hosts goes below {found['floor_s']:.0f} s: "
        + timings.short(found["longest"]["scenario"]),
        "assumed: " + ", ".join(f"{name} {value}" for name, value in found["assumptions"].items()),
        *_critical(found["hosts"]),
    ]
    if told := found["validation"]:
        state = "" if told["ended"] else ", a run that is not known to have ended"
        lines.append(
            f"the model of the run itself, {told['scenarios']} scenarios in {told['labs']} labs, "
            f"{told['carried_out_again']} of them carried out again"
            f"{state}: seen {told['recorded_s']} s; by its own durations "
            f"{told['by_its_own_durations_s']} s ({told['error']:+.1%}), by those remembered "
            f"{told['by_remembered_durations_s']} s ({told['error_by_remembered']:+.1%})"
        )
    return Group(rows, *map(Text, lines))


def _critical(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    told = []
    for row in rows:
        legs = [
            f"{leg['kind']} {timings.short(leg['what'])} {leg['seconds']} s"
            for leg in row["critical"]
        ]
        more = [f"and {len(legs) - _SHOWN} more"] if len(legs) > _SHOWN else []
        path = ", ".join([*legs[:_SHOWN], *more])
        told.append(f"critical path of {row['hosts']} hosts, {row['last']}: {path}")
    return told


def _number(kind: type, least: float) -> Any:  # noqa: ANN401 - what argparse calls a type
    def read(text: str) -> Any:  # noqa: ANN401
        value = kind(text)
        if not least <= value < float("inf"):
            raise argparse.ArgumentTypeError(f"it takes {least} or more, not {text}")
        return value

    read.__name__ = kind.__name__
    return read


def _list_of(one: Any) -> Any:  # noqa: ANN401
    def read(text: str) -> tuple[Any, ...]:
        return tuple(map(one, text.split(",")))

    return read
