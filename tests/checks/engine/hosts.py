"""Runs over hosts made up for tests: a part is written as one machine's run, home's history beside.

`written_on` names the directory of a part, to be written into as into any run's; `at_home` records
what became of hosts; `moved` gives a host a clock that is off, in all that it has written.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from checks.engine.coming_home import CameHome, take_home
from checks.engine.seal import seal
from checks.engine.series import judge_series
from checks.engine.verdict import Verdict
from checks.engine.verdicts import read_verdicts
from evidence.arrivals import manifest
from evidence.event import Event
from evidence.events.hosts import EvidenceArrived, HostJoined, HostLost, ScenarioTaken
from evidence.history import History
from evidence.moment import NS
from tests.checks.engine.recorded import chain_again, lines_of, rewrite


def written_on(run: Path, host: str) -> Path:
    part = run / "hosts" / host
    part.mkdir(parents=True, exist_ok=True)
    return part


def at_home(run: Path, *events: Event) -> None:
    with History(run / "history.jsonl") as history:
        for event in events:
            history.record(event)


def joined(host: str, **others: Any) -> HostJoined:
    return HostJoined(
        **{
            "source": "pytest",
            "host": host,
            "address": f"root@{host}.example",
            "cores": 4,
            "memory_mib": 16384,
            "labs": 2,
            **others,
        }
    )


def lost(host: str, *cut: str, why: str = "the connection was cut") -> HostLost:
    return HostLost(source="pytest", host=host, why=why, cut=cut)


def taken(scenario: str, lost: str, host: str) -> ScenarioTaken:
    return ScenarioTaken(source="pytest", cut=scenario, lost=lost, host=host)


def arrived(run: Path, host: str, ended: str = "") -> EvidenceArrived:
    files = manifest(run / "hosts" / host)
    return EvidenceArrived(source="pytest", host=host, ended=ended, files=files)


def come_home(run: Path) -> CameHome:
    """Do what the end of a run does: take what came, judge series, seal."""
    came = take_home(run)
    judge_series(run)
    seal(run)
    return came


def said(run: Path) -> dict[str, dict[str, Verdict]]:
    """Return the run's verdicts, by requirement and scenario."""
    return {
        requirement: dict(scenarios)
        for requirement, scenarios in read_verdicts(run).by_requirement.items()
    }


def moved(part: Path, seconds: float) -> None:
    """Move every time that a host wrote into its history, and chain that anew."""
    made = []
    for line in lines_of(part):
        fields = json.loads(line)
        fields["event"]["at_ns"] += int(seconds * NS)
        fields["host_clock"]["epoch_ns"] += int(seconds * NS)
        made.append(json.dumps(fields).encode())
    rewrite(part, chain_again(made))
