"""Noise: what a network, a busy host or another scenario adds to a good run. It stays a PASS."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from evidence.capture import Frame
from evidence.event import Event
from evidence.events.pair import PairConfigured, SteadyBegan
from evidence.events.takeover import FaultInjected, LogLine
from tests.checks.failover.recording import Run
from tests.checks.failover.strangers import STRANGERS
from tests.checks.failover.test_strangers import NO_STRANGERS
from tests.score.case import ONLY_PASS, Case, some
from tests.score.healthy import Healthy
from tests.score.recording import Recording
from tests.score.renamed import other_names, renamed

MS = 1_000_000
SEED = 94
ONCE = frozenset({"LAB-02"})
"""Requirements by which nothing may be recorded twice."""
ONE_LATE = 6
"""Of how many frames one is late, a case each."""


def strangers(good: Healthy) -> Iterator[Case]:
    """Let each kind of stranger advertise on the LAN."""
    if good.reads_frames and good.recording.pair is not None:
        for name, join in STRANGERS.items():
            if (good.requirement, name) not in NO_STRANGERS:
                added = _heard_of(join, good.recording)
                yield _noise(good, "a stranger", name, good.recording.adding(added))


def _heard_of(join: Callable[[Run], Run], recording: Recording) -> list[Frame]:
    """Let a stranger send what it sends in any run of so many seconds."""
    alone = Run.__new__(Run)
    alone.seconds, alone.frames = recording.seconds, []
    join(alone)
    return [
        Frame(recording.at(at), interface, raw, comment)
        for at, interface, raw, comment in alone.frames
    ]


def duplicates(good: Healthy) -> Iterator[Case]:
    """Let the network carry frames twice, within 0.4 ms."""
    if good.reads_frames and good.requirement not in ONCE:
        for every in (1, 7, 50):
            again = [replace(one, at_ns=one.at_ns + 400_000) for one in _frames(good)[::every]]
            what = f"each {every}. frame"
            yield _noise(good, "duplicates", what, good.recording.adding(again))


def jitter(good: Healthy) -> Iterator[Case]:
    """Let frames arrive up to 15 ms late in their order, and single ones up to 80 ms."""
    if not good.reads_frames:
        return
    for number in range(3):
        drawn = random.Random(SEED + number)  # noqa: S311 - noise, no secret
        late = [(one, drawn.randrange(15 * MS)) for one in _frames(good)]
        yield _noise(good, "jitter", f"15 ms, {number}", _delayed(good.recording, late))
    for frame in some(_frames(good), ONE_LATE):
        late = [(one, 80 * MS if one is frame else 0) for one in _frames(good)]
        seconds = (frame.at_ns - good.recording.start_ns) / 1e9
        what = f"80 ms, the frame of {seconds:.3f} s at {frame.interface}"
        yield _noise(good, "jitter", what, _delayed(good.recording, late))


def _frames(good: Healthy) -> list[Frame]:
    return sorted(good.recording.frames, key=lambda one: one.at_ns)


def _delayed(recording: Recording, late: Iterable[tuple[Frame, int]]) -> Recording:
    """Delay frames; what came later at the same moment's port, or in answer, stays behind."""
    found: list[Frame] = []
    for frame, by_ns in late:
        at_ns = frame.at_ns + by_ns
        if found and by_ns < 15 * MS:
            at_ns = max(at_ns, min(found[-1].at_ns + 1000, frame.at_ns + 15 * MS))
        found.append(replace(frame, at_ns=at_ns))
    return replace(recording, frames=tuple(found))


def other_order(good: Healthy) -> Iterator[Case]:
    """Let the history hold its events in another order, with the right times."""
    events = good.recording.events
    yield _noise(good, "another order", "reversed", _in_order(good, reversed(events)))
    for number in range(2):
        drawn = random.Random(SEED + number)  # noqa: S311 - an order, no secret
        shuffled = drawn.sample(events, len(events))
        yield _noise(good, "another order", f"shuffled, {number}", _in_order(good, shuffled))


def _in_order(good: Healthy, events: Iterable[Event]) -> Recording:
    return replace(good.recording, events=tuple(events))


def another_scenario(good: Healthy) -> Iterator[Case]:
    """Let another scenario record in the middle: a fault, a log, and all that this one has."""
    middle_ns = good.recording.at(good.recording.seconds / 2)
    unrelated: tuple[Event, ...] = (
        FaultInjected(source="scenario", at_ns=middle_ns, fault="power-off", node="primary"),
        SteadyBegan(source="scenario", at_ns=middle_ns, active="secondary"),
        LogLine(source="secondary", at_ns=middle_ns, file="openvpnas.log", text="starting"),
    )
    own = tuple(one for one in good.recording.events if not isinstance(one, PairConfigured))
    for what, between in (("a fault", unrelated), ("the same events", own)):
        yield _noise(good, "another scenario", what, replace(good.recording, between=between))


def called_otherwise(good: Healthy) -> Iterator[Case]:
    """Let the machines bear other names, in another order of the alphabet."""
    if names := other_names(good.recording):
        what = ", ".join(f"{new} for {old}" for old, new in names.items())
        yield _noise(good, "other names", what, renamed(good).recording)


def _noise(good: Healthy, rule: str, what: str, recording: Recording) -> Case:
    return Case(good.requirement, rule, what, recording, ONLY_PASS)


RULES = (strangers, duplicates, jitter, other_order, another_scenario, called_otherwise)
