"""Deployments whose host was too busy: a limit is missed, and the verdict is late for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from checks.engine.verdict import Status
from tests.checks.factories import SECOND, Run
from tests.checks.multi_node.maintained import at


def kept(run: Run, of: str, from_s: float, until_s: float) -> Run:
    """Let the host keep a process from running in all of that time."""
    kept_ns = round((until_s - from_s) * SECOND)
    data = {"of": of, "from_ns": at(from_s), "at_ns": at(until_s), "kept_ns": kept_ns}
    run.events.append(("host.late", "host", data))
    return run


def is_late(
    make: Callable[[], Run],
    requirement: str,
    directory: Path,
    of: str,
    span_s: tuple[float, float],
    before: Status = Status.FAIL,
) -> None:
    """Judge a run as it is, and with a host that kept a process from running in a span."""
    for name in ("idle", "busy"):
        (directory / name).mkdir()
    idle = make().judge(requirement, directory / "idle")
    assert (idle.status, idle.late) == (before, False), idle.text
    busy = kept(make(), of, *span_s).judge(requirement, directory / "busy")
    assert (busy.status, busy.late) == (Status.UNKNOWN, True), busy.text
    assert f"`{of}` was kept from running" in busy.text
