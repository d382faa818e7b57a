"""Where verdicts turn: how far one thing of a run may go until its verdict is another one.

So the limits of a check are seen from outside. A knob is anything that is told by a number: one
that an event holds, when something was seen, when frames came, for how long nobody was heard, for
how long the host kept everybody from running. Where the verdict turns is found by halves, to the
last unit of the knob. What was found stands in `turns/`, a file for each requirement: a limit that
moves, or a figure that is told otherwise, shows there as a difference.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import unified_diff
from itertools import chain
from pathlib import Path

from pydantic import ValidationError

from checks.engine.verdict import Status, Verdict
from evidence.event import Event
from evidence.events.run import HostLate
from evidence.events.takeover import FaultInjected
from tests.score import fields
from tests.score.case import some
from tests.score.healthy import Healthy
from tests.score.kills import shortened
from tests.score.recording import Recording
from tests.score.renamed import other_names

TURNS = Path(__file__).parent / "turns"
MS = 1_000_000
FURTHEST_MS = 1 << 16
"""Some 65 s: longer than any limit of the guides but the lifetimes of tokens and certificates."""
MORE = (1 << 20, 1 << 10, 1 << 7, 1 << 3)
"""By how much a number is made larger at most: the first that can be recorded."""
LATER_STILL_MS = 1500
"""How far beyond its limit something is that the host's lateness is tried on."""
GROUPS, PLACES, PORTS, KNOBS = 2, 4, 3, 12
"""How many are tried at most, spread evenly: of a kind of event, of its numbers, of a run's."""
_LONGEST = 400


@dataclass(frozen=True)
class Knob:
    """A run in which one thing goes from 0, where it is as it was, to `most`.

    at: the run with it so far; ValidationError where that cannot be recorded.
    """

    requirement: str
    name: str
    most: int
    unit: str
    at: Callable[[int], Recording]

    def judge(self, number: int) -> Verdict:
        """Judge the run with the knob so far."""
        with tempfile.TemporaryDirectory() as name:
            return self.at(number).judge(self.requirement, Path(name))


@dataclass(frozen=True)
class Turn:
    """The last number of a knob that leaves the verdict as it was, and what the next one makes."""

    knob: Knob
    last: int
    before: Verdict
    after: Verdict

    @property
    def first(self) -> int:
        """The number that makes it another one."""
        return self.last + 1

    def __str__(self) -> str:
        unit = self.knob.unit
        return (
            f"{self.knob.name}\n"
            f"  up to {self.last}{unit}: {_said(self.before)}\n"
            f"  from {self.first}{unit}: {_said(self.after)}\n"
        )


def _said(verdict: Verdict) -> str:
    told = shortened("; ".join(verdict.reasons), _LONGEST)
    return f"{verdict.status}{', late' * verdict.late}: {told}"


def turn_of(knob: Knob) -> Turn | None:
    """Find where a knob turns the verdict; None when its furthest end leaves it as it was."""
    low, high = 0, knob.most
    before, after = knob.judge(low), knob.judge(high)
    if before.status is after.status:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        verdict = knob.judge(middle)
        if verdict.status is before.status:
            low, before = middle, verdict
        else:
            high, after = middle, verdict
    if "the check crashed" in after.text:
        raise AssertionError(f"{knob.requirement}, {knob.name} {high}{knob.unit}: {after.text}")
    return Turn(knob, low, before, after)


def turns(good: Healthy) -> Iterator[Turn]:
    """Yield where the verdict of a good run turns, and how late a host excuses what is late."""
    found = [*chain(numbers(good), moments(good), frames(good), silences(good))]
    for knob in some(found, KNOBS):
        turn = turn_of(knob)
        if turn is not None:
            yield turn
            yield from _excused(turn)


def written(good: Healthy) -> str:
    """Return what a file of `turns/` says; AssertionError where the run is no PASS at first."""
    with tempfile.TemporaryDirectory() as name:
        verdict = good.recording.judge(good.requirement, Path(name))
    assert verdict.status is Status.PASS, f"{good.requirement}: {verdict.text}"
    return "\n".join(map(str, turns(good)))


def numbers(good: Healthy) -> Iterator[Knob]:
    """Make each number that the verdict rests on larger, and smaller."""
    for what, place, events in fields.numbers_of(good, GROUPS, PLACES):
        value = fields.value_at(events[0], place)
        step, unit = _step_of(place, value)

        def at(number: int, events=events, place=place, step=step) -> Recording:
            return good.recording.changed(events, fields.adding(place, number * step))

        most = next((one for one in MORE if _can_be(at, one)), 0)
        if most:
            yield Knob(good.requirement, f"{what}, more than {value:g}", most, unit, at)
        least = min(int(value / step), FURTHEST_MS)
        if least > 0 and _can_be(at, -least):
            yield Knob(
                good.requirement, f"{what}, less than {value:g}", least, unit,
                lambda number, at=at: at(-number),
            )  # fmt: skip


def _step_of(place: fields.Place, value: float) -> tuple[float, str]:
    """Return by how much a number is turned, and as what."""
    if str(place[-1]).endswith("_ns"):
        return MS, " ms"
    return (1, "") if isinstance(value, int) else (0.001, " thousandths")


def _can_be(at: Callable[[int], Recording], number: int) -> bool:
    try:
        at(number)
    except (ValidationError, LookupError, TypeError):  # what others of the group hold there, too
        return False
    return True


def moments(good: Healthy) -> Iterator[Knob]:
    """Let what the verdict rests on have been seen later, and earlier."""
    for what, events in fields.groups_of(good, GROUPS):
        for word, sign in (("later", 1), ("earlier", -1)):

            def at(number: int, events=events, sign=sign) -> Recording:
                def change(read: dict[str, int]) -> None:
                    read["at_ns"] += sign * number * MS

                return good.recording.changed(events, change)

            yield Knob(good.requirement, f"{what}, {word}", FURTHEST_MS, " ms", at)


def frames(good: Healthy) -> Iterator[Knob]:
    """Let what comes in at a port come later, from the fault on if there is one."""
    for port, since_ns in _ports(good):

        def at(number: int, port=port, since_ns=since_ns) -> Recording:
            later = tuple(
                replace(one, at_ns=one.at_ns + number * MS)
                if one.interface == port and one.at_ns >= since_ns
                else one
                for one in good.recording.frames
            )
            kept = replace(good.recording, frames=later)
            return kept.only(lambda one: one.at_ns < good.recording.end_ns)

        yield Knob(good.requirement, f"what comes in at {port}, later", FURTHEST_MS, " ms", at)


def silences(good: Healthy) -> Iterator[Knob]:
    """Let nothing come in at a port for a while."""
    for port, since_ns in _ports(good):

        def at(number: int, port=port, since_ns=since_ns) -> Recording:
            until_ns = since_ns + number * MS
            return good.recording.only(
                lambda one: not (one.interface == port and since_ns <= one.at_ns < until_ns)
            )

        yield Knob(good.requirement, f"nothing comes in at {port}", FURTHEST_MS, " ms", at)


def _ports(good: Healthy) -> list[tuple[str, int]]:
    """Return some ports, and since when something is turned there: the fault, or a third in."""
    if not good.reads_frames:
        return []
    recording = good.recording
    faults = [one.at_ns for one in recording.events if isinstance(one, FaultInjected)]
    since_ns = min(faults, default=recording.at(recording.seconds / 3))
    ports = sorted({one.interface for one in recording.frames})
    return [(port, since_ns) for port in some(ports, PORTS)]


def _excused(turn: Turn) -> Iterator[Turn]:
    """Find how much lateness of the host excuses what is beyond a limit."""
    knob = turn.knob
    beyond = turn.first + LATER_STILL_MS
    if turn.after.status is not Status.FAIL or knob.unit != " ms" or beyond > knob.most:
        return
    late = knob.at(beyond)

    def at(number: int) -> Recording:
        return replace(late, events=(*late.events, *_kept(late, number)))

    name = f"{knob.name} by {beyond} ms, and the host late"
    found = turn_of(Knob(knob.requirement, name, FURTHEST_MS, " ms", at))
    if found is not None:
        yield found


def _kept(recording: Recording, for_ms: int) -> list[Event]:
    """Let the host have kept everybody from running, evenly over the whole scenario."""
    if not for_ms:
        return []
    machines = {one.interface.partition("/")[0] for one in recording.frames}
    every = sorted({*other_names(recording), *recording.machines, *machines, "wire", "scenario"})
    return [
        HostLate(
            source="host", of=of, from_ns=recording.start_ns, at_ns=recording.end_ns,
            kept_ns=for_ms * MS,
        )
        for of in every
    ]  # fmt: skip


def moved(found: Mapping[str, str], *, write: bool) -> Iterator[str]:
    """Yield what turns elsewhere than `turns/` says, by requirement; write it first, if asked."""
    for requirement, text in found.items():
        path = TURNS / f"{requirement}.txt"
        if write:
            TURNS.mkdir(exist_ok=True)
            path.write_text(text)
        before = path.read_text() if path.exists() else ""
        for line in unified_diff(before.splitlines(), text.splitlines(), n=1, lineterm=""):
            if not line.startswith(("---", "+++")):
                yield f"turns: {requirement}: {line}"
