"""Which stretches of time a capture covers, told from the marks that the wire left in it.

From one mark to the next everything that arrived stands in the file, unless a mark is missing, the
kernel dropped frames, the host's clock was set, the file was altered or cut, the wire stopped
recording for a limit that was reached, or the next mark says that it does not. Such a stretch is a
hole: what happened in it is not known, and nothing may be concluded from what is not seen there.
A late mark is no hole: meanwhile frames wait in the kernel, and it counts those it drops.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain, pairwise
from pathlib import Path
from typing import BinaryIO

from evidence.clock import steps
from evidence.errors import BadEvidence
from evidence.files import reading
from evidence.mark import BEGIN, LAST, LATE_NS, STOPPED, Mark, mark_of
from evidence.moment import NS
from evidence.pcapng import INTERFACE, SECTION, Block, Blocks, Contradiction, frames

LONGEST_NS = 1_000_000_000
"""From one mark to the next, besides what the wire was late by."""

MOST_MARKS = 400_000
"""A wire marks twice a second: that is more than two days of one capture."""

_FOREVER_NS = 2**63
_YEAR_9999_NS = 253_000_000_000 * NS


@dataclass(frozen=True)
class Hole:
    """A stretch in which something may have happened that was not recorded."""

    from_ns: int
    until_ns: int
    why: str


@dataclass(frozen=True)
class Span:
    """A stretch between marks. What was dropped in it was dropped somewhere in it."""

    from_ns: int
    until_ns: int
    dropped: int = 0


@dataclass(frozen=True)
class Late:
    """Between two marks the wire was late by as much as this: what it recorded is complete."""

    from_ns: int
    until_ns: int
    late_ns: int


@dataclass(frozen=True)
class Coverage:
    """What a capture covers: `spans`, and whether its wire closed it.

    stopped: in words, when and why a wire ended recording before it ended itself, "" if it did not.
    problems: what is wrong with the file, whatever the window ("is cut at octet 4711"). Behind the
    last sound mark nothing is covered.
    """

    path: Path
    spans: tuple[Span, ...]
    ended: bool
    stopped: str
    problems: tuple[str, ...]
    late: tuple[Late, ...]
    known_holes: tuple[Hole, ...]
    digests: tuple[tuple[int, str], ...]
    unmarked_ns: int
    """When the earliest frame was received that stands behind the last sound mark."""

    def holes(self, from_ns: int, until_ns: int) -> list[Hole]:
        """Return the holes in a window, cut to it."""
        outside = self._outside() if self.digests else [self._nothing()]
        return [
            replace(hole, from_ns=max(hole.from_ns, from_ns), until_ns=min(hole.until_ns, until_ns))
            for hole in (*self.known_holes, *outside)
            if hole.from_ns < until_ns and hole.until_ns > from_ns
        ]

    def last_digest(self, until_ns: int) -> str:
        """Return the SHA-256 of the file up to its last sound mark by then; "" without one."""
        return next((one for at_ns, one in reversed(self.digests) if at_ns <= until_ns), "")

    def _nothing(self) -> Hole:
        return Hole(0, _FOREVER_NS, f"{self.path.name} {'; '.join(self.problems)}")

    def _outside(self) -> list[Hole]:
        (first, _), (last, _) = self.digests[0], self.digests[-1]
        before = f"{self.path.name} begins at {clock_text(first)}"
        after = self.stopped or f"the wire ended at {clock_text(last)}"
        if not self.ended:
            after = f"the wire marked nothing after {clock_text(last)}"
        if self.problems:
            after = f"{self.path.name} {'; '.join(self.problems)}"
        return [Hole(0, first, before), Hole(min(last, self.unmarked_ns), _FOREVER_NS, after)]


def clock_text(at_ns: int) -> str:
    """Return a moment as a verdict shows it: UTC, to the millisecond."""
    if not 0 <= at_ns < _YEAR_9999_NS:
        return f"{at_ns / NS:.0f} s after 1970"
    return datetime.fromtimestamp(at_ns // 1_000_000 / 1000, UTC).strftime("%H:%M:%S.%f")[:-3] + "Z"


def coverage_of(path: Path) -> Coverage:
    """Read what the capture at `path` covers, and recompute the digest of each mark.

    Raises BadEvidence when it cannot be read, or when it has no marks.
    """
    with reading(path, "capture") as file:
        state = os.fstat(file.fileno())
    return _read(path, (state.st_ino, state.st_size, state.st_mtime_ns))


@lru_cache(maxsize=64)
def _read(path: Path, _: tuple[int, int, int]) -> Coverage:
    """Read a file in one state of it; many verdicts are about the same."""
    with reading(path, "capture") as file:
        scan = _Scan(file)
        scan.read()
    marks, problems = scan.marks, scan.problems
    if not marks and not problems:
        raise BadEvidence(
            f"{path}: no marks of coverage: recorded before format 2",
            hint="judge it with the revision that its run.json names",
        )
    holes = _holes(marks)
    return Coverage(
        path=path,
        spans=tuple(_spans(marks, holes)),
        ended=bool(marks) and marks[-1].mark in LAST,
        stopped="".join(_stopped(*pair) for pair in pairwise(marks[-2:])),
        problems=tuple(problems),
        late=tuple(
            Late(one.wall_ns, other.wall_ns, other.late_ns)
            for one, other in pairwise(marks)
            if other.late_ns >= LATE_NS
        ),
        known_holes=tuple(dict.fromkeys(chain.from_iterable(holes))),
        digests=tuple((mark.wall_ns, mark.sha256) for mark in marks),
        unmarked_ns=scan.unmarked_ns,
    )


class _Scan:
    """One reading of a file: the marks up to the first that is wrong, and what is wrong."""

    def __init__(self, file: BinaryIO) -> None:
        self.marks: list[Mark] = []
        self.problems: list[str] = []
        self.unmarked_ns = _FOREVER_NS
        """When the earliest of the frames was received that stand behind the last sound mark."""
        self._file = file
        self._blocks = Blocks(file)
        self._interfaces: list[Block] = []
        self._behind_mark = 0, "<", 0

    def read(self) -> None:
        """Read to the end, or to where nothing can be read any more."""
        for block in self._blocks:
            if block.kind in (SECTION, INTERFACE):
                self._interfaces.append(block)
            if not self.problems:
                self._look_at(block)
        if self._blocks.damage:
            self.problems.append(self._blocks.damage)
        at, order, interfaces = self._behind_mark
        self._file.seek(at)
        behind = chain(self._interfaces[:interfaces], Blocks(self._file, order))
        try:
            self.unmarked_ns = min((one.at_ns for one in frames(behind)), default=_FOREVER_NS)
        except Contradiction as error:
            self.problems.append(f"is damaged: {error}")
            self.unmarked_ns = 0

    def _look_at(self, block: Block) -> None:
        last = self.marks[-1] if self.marks else None
        if last is not None and last.mark in LAST:
            self.problems.append(f"was added to after its end at {clock_text(last.wall_ns)}")
        elif (mark := mark_of(block)) is not None:
            if last is None and mark.mark != BEGIN:
                self.problems.append("was altered: its first mark is missing")
            elif mark.sha256 != self._blocks.digest.hexdigest():
                since = f"after {clock_text(last.wall_ns)} and " if last is not None else ""
                before = clock_text(mark.wall_ns)
                self.problems.append(f"was altered {since}before {before}: its digest differs")
            elif len(self.marks) >= MOST_MARKS:
                self.problems.append(f"has more than {MOST_MARKS} marks of coverage")
            else:
                self.marks.append(mark)
                at = self._blocks.at + block.octets
                self._behind_mark = at, block.order, len(self._interfaces)


def _stopped(one: Mark, other: Mark) -> str:
    """Say that nothing more was recorded, if the later of two marks does."""
    if other.mark != STOPPED:
        return ""
    return f"the wire stopped recording after {clock_text(one.wall_ns)}: {other.why}"


def _holes(marks: list[Mark]) -> list[list[Hole]]:
    """Return what keeps each stretch from one mark to the next from being covered."""
    found = [list(_holes_between(*pair)) for pair in pairwise(marks)]
    for first, last, what in steps((one.clock, one.monotonic_ns) for one in marks):
        from_ns, until_ns = sorted((marks[first].wall_ns, marks[last].wall_ns))
        before, after = clock_text(marks[first].wall_ns), clock_text(marks[last].wall_ns)
        for stretch in found[first:last]:
            stretch.append(Hole(from_ns, until_ns, f"{what}, between {before} and {after}"))
    return found


def _holes_between(one: Mark, other: Mark) -> Iterator[Hole]:
    """Yield what was lost between two marks."""
    from_ns, until_ns = sorted((one.wall_ns, other.wall_ns))
    if why := _stopped(one, other):
        yield Hole(from_ns, until_ns, why)
    before, after = clock_text(one.wall_ns), clock_text(other.wall_ns)
    if other.why and other.mark != STOPPED:
        yield Hole(from_ns, until_ns, f"{other.why}, between {before} and {after}")
    passed_ns = other.monotonic_ns - one.monotonic_ns
    if passed_ns > LONGEST_NS + other.late_ns:
        why = f"the wire marked nothing between {before} and {after} ({passed_ns / NS:.1f} s)"
        yield Hole(from_ns, until_ns, why)
    if (dropped := other.dropped - one.dropped) > 0:
        frames = "frame" if dropped == 1 else "frames"
        why = f"the kernel dropped {dropped} {frames} between {before} and {after}"
        yield Hole(from_ns, until_ns, why)


def _spans(marks: list[Mark], holes_of: list[list[Hole]]) -> Iterator[Span]:
    """Yield the stretches without a hole but for drops; those without drops are joined."""
    joined: Span | None = None
    for (one, other), holes in zip(pairwise(marks), holes_of, strict=True):
        dropped = other.dropped - one.dropped
        if joined is not None and not holes:
            joined = replace(joined, until_ns=other.wall_ns)
            continue
        if joined is not None:
            yield joined
            joined = None
        if not holes:
            joined = Span(one.wall_ns, other.wall_ns)
        elif dropped > 0 and len(holes) == 1:
            yield Span(one.wall_ns, other.wall_ns, dropped)
    if joined is not None:
        yield joined
