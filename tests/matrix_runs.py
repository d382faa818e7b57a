"""Runs of a matrix for tests: recorded small ones, written as scenarios write them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from checks.engine.joint import sealing
from evidence.combinations import OUTCOMES, Outcome

UCARP, KEEPALIVED, CENTOS = "ucarp_debian-12", "keepalived_debian-12", "ucarp_centos-stream-9"
SETTINGS = {
    name: dict(zip(("heartbeat", "image"), name.split("_"), strict=True))
    for name in (UCARP, KEEPALIVED, CENTOS)
}
NOT_HAD = "the image centos-stream-9 cannot be had"


def matrix_run(
    run: Path,
    recorded: Mapping[str, Callable[[Path], object]],
    ended: Mapping[str, Outcome] | None = None,
    **facts: object,
) -> str:
    """Record a run of a matrix by what each combination records; return its seal.

    A combination of which nothing is recorded could not run. ended: how those came to their end
    that did not simply end.
    """
    run.mkdir(exist_ok=True)
    told = {**facts, "matrix": {name: SETTINGS[name] for name in recorded}}
    (run / "run.json").write_text(json.dumps(told))
    became = {}
    for name, record in recorded.items():
        directory = run / "matrix" / name
        directory.mkdir(parents=True)
        record(directory)
        there = any(directory.iterdir())
        became[name] = Outcome(status=0) if there else Outcome(status=4, why=NOT_HAD)
    outcomes = sealing(run, {**became, **(ended or {})})
    (run / OUTCOMES).write_text(outcomes.model_dump_json())
    return outcomes.seal


def nothing(_: Path) -> None:
    """Record nothing: this combination could not run."""
