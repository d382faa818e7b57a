"""How long heartbeats were silent in a recorded run, by scenario.

An active node advertises once a second, so a longer silence is the timer of a standby that runs
down, or a pair of which nobody advertises: it follows from the guide's configuration and from what
was provoked, and no faster lab would save it. A silence across a thaw is the thaw's, and not
counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from evidence.capture import Capture
from evidence.events.run import LabThawed, ScenarioEnded, ScenarioStarted
from evidence.history import Recording, read_history
from evidence.moment import NS
from evidence.packets import parse
from evidence.run import RunDirectory

_HEARTBEAT = 112  # the IP protocol of CARP and VRRP
_QUIET_S = 1.5


def silences_s(evidence: Path) -> dict[str, float]:
    """Return the seconds of silence within each scenario of the run that lie in its lab's wire."""
    files = RunDirectory(evidence)
    if not files.history.exists():
        return {}
    history = read_history(files.history)
    thaws = [event.at_ns for event in history.of(LabThawed)]
    found: dict[str, float] = {}
    for lab, windows in _windows(history).items():
        silent = list(_silent(files.capture(lab), thaws))
        for scenario, began, ended in windows:
            within = [min(end, ended) - max(start, began) for start, end in silent]
            found[scenario] = sum(ns for ns in within if ns > 0) / NS
    return found


def _windows(history: Recording) -> dict[str, list[tuple[str, int, int]]]:
    """Return for each lab the scenarios in it, with when they (last) began and ended."""
    ends = {event.scenario: event.at_ns for event in history.of(ScenarioEnded)}
    begun = {event.scenario: event for event in history.of(ScenarioStarted)}
    windows = defaultdict(list)
    for scenario, event in begun.items():
        if scenario in ends:
            windows[event.lab].append((scenario, event.at_ns, ends[scenario]))
    return windows


def _silent(recording: Path, thaws: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the silences of a recording, begin and end in ns."""
    if not recording.exists():
        return
    heard = sorted(frame.at_ns for frame in Capture(recording) if _is_heartbeat(frame.data))
    for earlier, later in pairwise(heard):
        thawed = any(earlier <= at <= later for at in thaws)
        if later - earlier > _QUIET_S * NS and not thawed:
            yield earlier, later


def _is_heartbeat(raw: bytes) -> bool:
    packet = parse(raw)
    return packet is not None and packet.protocol == _HEARTBEAT
