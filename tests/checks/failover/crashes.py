"""Runs in which the role moves, or does not, and nothing else is recorded yet."""

from __future__ import annotations

from pathlib import Path

from tests.checks.failover.recording import NS, Run, stamp, unsure

SILENCE_S = 3.2
"""From the old node's last advertisement to the new one's first."""


def crashed(directory: Path, at: int = 10, seconds: float = 100) -> Run:
    """Let the primary fail right after its advertisement at `at` s, and the secondary take over."""
    run = Run(directory, seconds)
    counter = run.beats("primary", 0, at + 0.1)
    run.event(at + 0.2, "fault.injected", "scenario", fault="power-off", node="primary")
    run.beats("secondary", at + SILENCE_S, seconds, counter=counter)
    run.announce("secondary", at + SILENCE_S)
    run.event(seconds - 1, "fault.watched", "scenario", node="primary")
    return run


def never_left(run: Run, *, fault: bool = False) -> Run:
    """Let the primary advertise all the time instead: without a fault, or with one in vain."""
    run.frames = []
    run.beats("primary", 0, run.seconds)
    return run if fault else run.without("fault.injected").without("fault.watched")


def unheard(run: Run) -> Run:
    """Let the secondary never advertise, although the primary fell silent."""
    run.frames = [frame for frame in run.frames if not frame[1].startswith("secondary")]
    return run


def crashed_twice(directory: Path) -> Run:
    """Let the primary fail at 20 s and, in the same lab thawed at 50 s, again at 60 s."""
    run = crashed(directory, at=20)
    run.frames = [frame for frame in run.frames if frame[0] < 50]
    lab = {"lab": "lab", "generation": 2, "clock": {"behind_ns": 0}}
    run.event(50, "lab.thawed", "scenario", **lab)
    counter = run.beats("primary", 50, 60.1)
    run.event(60.2, "fault.injected", "scenario", fault="power-off", node="primary")
    run.beats("secondary", 60 + SILENCE_S, 100, counter=counter)
    return run


def kept(run: Run, start: float, end: float) -> Run:
    """Let the primary go on answering ARP for the virtual IP, beside the secondary."""
    at = start
    while at < end:
        run.asked(at, "primary", "secondary")
        at += 1
    return run


def busy(run: Run, of: str, start: float, end: float) -> Run:
    """Let the host keep a machine from running in all of that time."""
    late = {"of": of, "from_ns": stamp(start), "kept_ns": round((end - start) * NS)}
    run.event(end, "host.late", "host", **late)
    return run


def is_late(run: Run, requirement: str, of: str, start: float, end: float) -> None:
    """Judge a run once more, with a host that kept a process from running in all of that time."""
    verdict = busy(run, of, start, end).judge(requirement)
    unsure(verdict, f"`{of}` was kept from running")
    assert verdict.late, verdict.text


def powered_off(run: Run, at: float, vhid: int = 94) -> Run:
    """Cut the primary's power at a moment; the secondary takes over as it should."""
    run.frames = [frame for frame in run.frames if frame[0] < at]
    run.event(at, "fault.injected", "scenario", fault="power-off", node="primary")
    run.beats("secondary", at + 3.1, run.seconds, vhid=vhid, counter=5000)
    return run
