"""Ways to change a good recording of a promise of the harness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from evidence.mark import Mark
from tests.checks.harness.runs import NS, OWN, START_NS, Run, said, visited

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


def without_twin(run: Run) -> None:
    """Let nobody ask the machines of the thawed lab."""
    run.events = [event for event in run.events if event[2].get("lab") != "twin"]


def frames(change: Callable[[Run], list]) -> Change:
    def of(run: Run) -> None:
        run.frames = change(run)

    return of


def nothing_dropped(run: Run) -> None:
    run.frames = [replace(frame, comment="") for frame in run.frames]
    run.find("frames.received").update(different=len(run.frames), count=len(run.frames))
    run.find("frames.dropped").update(hits=0)


def says_more(run: Run) -> None:
    """Let the first lab say something else as well, which is not heard: its first word is."""
    word = {**run.find("said.on.wire"), "nonce": "m0rem0re"}
    run.events.append(("said.on.wire", "one", word))
    run.frames.append(said("m0rem0re", 6))
    run.others["twin"].append(said(OWN, 5))


def killed_last(run: Run) -> None:
    """Let each run follow the kill before, but the last one: as many as there are kills."""
    killed, followed = (
        [one for one in run.events if one[0] == kind]
        for kind in ("processes.killed", "run.followed")
    )
    *others, last = killed
    run.events = [event for pair in zip(others, followed, strict=False) for event in pair]
    run.events += [followed[-1], last]


def watcher_kept(kept_s: float, gone_s: float | None) -> Change:
    """Let who watches be kept from running, and see only then that nothing is left."""

    def change(run: Run) -> None:
        run.find("processes.killed").update(gone_s=gone_s)
        late = {"of": "scenario", "from_ns": START_NS + 2 * NS, "kept_ns": round(kept_s * NS)}
        run.events.insert(0, ("host.late", "host", {**late, "at_ns": START_NS + 4 * NS}))

    return change


def hearer_kept(kept_s: float) -> Change:
    """Let 3 of 15 frames never arrive, and the machine that hears them be kept from running."""

    def change(run: Run) -> None:
        run.find("frames.received").update(different=12, count=12)
        late = {"of": "two", "from_ns": START_NS + 5 * NS // 2, "kept_ns": round(kept_s * NS)}
        run.events.insert(0, ("host.late", "host", {**late, "at_ns": START_NS + 4 * NS}))

    return change


def covered_by(marks: list[Mark]) -> Change:
    """Let the second lab's capture have these marks."""

    def change(run: Run) -> None:
        run.marks["twin"] = marks

    return change
