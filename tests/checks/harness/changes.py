"""Ways to change a good recording of a promise of the harness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.checks.harness.runs import Run, visited

Change = Callable[[Run], object]


def setting(kind: str, number: int = 0, **data: object) -> Change:
    return lambda run: run.find(kind, number).update(data)


def visited_twice(first: dict[str, object], second: dict[str, object]) -> Change:
    def change(run: Run) -> None:
        run.events = [("host.visited", "host", visited(**one)) for one in (first, second)]

    return change


def without(kind: str) -> Change:
    def change(run: Run) -> None:
        run.events = [event for event in run.events if event[0] != kind]

    return change


def frames(change: Callable[[Run], list]) -> Change:
    def of(run: Run) -> None:
        run.frames = change(run)

    return of


def nothing_dropped(run: Run) -> None:
    run.frames = [replace(frame, comment="") for frame in run.frames]
    run.find("frames.received").update(different=len(run.frames), count=len(run.frames))
    run.find("frames.dropped").update(hits=0)
