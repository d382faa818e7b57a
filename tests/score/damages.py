"""Damage to the files of a good run, by rule: nothing is known any more, so it is UNKNOWN.

A rule of `tests.evidence.damage` is applied to a sample of places, another one for each check.
What lies behind all that a verdict rests on is no damage to it.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from zlib import crc32

from evidence.history import FILE_NAME
from evidence.moment import NS
from evidence.pcapng import Blocks
from tests.evidence.damage import Damage, of_file
from tests.score.case import ONLY_UNKNOWN, Case
from tests.score.healthy import Healthy
from tests.score.recording import CAPTURE

OF_HISTORY, OF_CAPTURE = 8, 6
"""How many cases of a file are tried for each check."""
STEP, BLOCKS = 256, 64
"""Octets of a block that is damaged, at least; so many blocks of a file, at most."""
_MARKED = re.compile(rb'"wall_ns":(\d+)')


def of_history(good: Healthy) -> Iterator[Case]:
    """Damage the history: lines torn, twice, dropped, moved, altered; the file gone or cut."""
    yield from _sampled(good, "a history damaged", FILE_NAME, OF_HISTORY, _to_the_end_mark)


def of_capture(good: Healthy) -> Iterator[Case]:
    """Damage the capture: cut, zeroed, swapped, twice, altered; the file gone or empty."""
    if good.reads_frames:
        needed = partial(_needed, good.recording.end_ns)
        yield from _sampled(good, "a capture damaged", CAPTURE, OF_CAPTURE, needed)


def each_line_twice(good: Healthy) -> Iterator[Case]:
    """Let every event stand there twice."""

    def double(directory: Path) -> None:
        path = directory / FILE_NAME
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(line + line for line in lines))

    yield Case(
        good.requirement, "each event twice", "", good.recording, ONLY_UNKNOWN, inflict=double
    )


def gone(good: Healthy) -> Iterator[Case]:
    """Let a file be missing."""
    for file in (FILE_NAME, CAPTURE) if good.reads_frames else (FILE_NAME,):
        yield Case(
            good.requirement, "a file gone", file, good.recording, ONLY_UNKNOWN,
            inflict=partial(_remove, file),
        )  # fmt: skip


def _remove(file: str, directory: Path) -> None:
    (directory / file).unlink()


def clock_set(good: Healthy) -> Iterator[Case]:
    """Let the host's clock be set between two lines of the history."""
    for step_s in (60, -4):
        for share in (0.0, 0.5, 1.0):
            what = f"{step_s:+} s, at {share:.0%} of the history"
            yield Case(
                good.requirement, "the clock set", what, good.recording, ONLY_UNKNOWN,
                inflict=partial(set_clock, step_s * NS, share),
            )  # fmt: skip


def set_clock(step_ns: int, share: float, directory: Path) -> None:
    """Let each line from a place on tell of the other clock, and chain them again."""
    path = directory / FILE_NAME
    lines = path.read_bytes().splitlines()
    first = 1 + round(share * (len(lines) - 3))
    previous, made = "", []
    for number, line in enumerate(lines):
        fields = json.loads(line)
        fields["previous"] = previous or fields["previous"]
        if number >= first:
            fields["host_clock"]["epoch_ns"] += step_ns
        made.append(json.dumps(fields, separators=(",", ":")).encode())
        previous = hashlib.sha256(made[-1]).hexdigest()
    path.write_bytes(b"".join(line + b"\n" for line in made))


def two_seconds_missing(good: Healthy) -> Iterator[Case]:
    """Take all blocks of two seconds out of the capture, its marks as well."""
    if good.reads_frames:
        for share in (0.2, 0.5, 0.8):
            start_ns = good.recording.at(share * (good.recording.seconds - 2))
            yield Case(
                good.requirement, "two seconds missing", f"at {share:.0%}", good.recording,
                ONLY_UNKNOWN, inflict=partial(_cut_out, start_ns, start_ns + 2 * NS),
            )  # fmt: skip


def _cut_out(start_ns: int, end_ns: int, directory: Path) -> None:
    path = directory / CAPTURE
    content = path.read_bytes()
    places = [(int(one[1]), one.start()) for one in _MARKED.finditer(content)]
    first = max(_block_at(content, at) for ns, at in places if ns <= start_ns)
    last = min(_block_at(content, at) for ns, at in places if ns >= end_ns)
    path.write_bytes(content[:first] + content[last:])


def _sampled(
    good: Healthy, rule: str, file: str, count: int, needed: Callable[[bytes], int]
) -> Iterator[Case]:
    """Choose damages to a file, at places that differ from check to check."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        good.recording.write(directory)
        content = (directory / file).read_bytes()
        step = max(STEP, len(content) // BLOCKS)
        found = list(of_file(directory, directory / file, step=step))
    until = needed(content)
    every = max(1, len(found) // count)
    offset = crc32(good.requirement.encode()) % every
    harmful = (one for one in found[offset::every] if not _spares(one, content[:until]))
    for one in islice(harmful, count):
        yield Case(
            good.requirement, rule, one.rule, good.recording, ONLY_UNKNOWN,
            inflict=partial(_inflict, one),
        )  # fmt: skip


def _inflict(damage: Damage, directory: Path) -> None:
    path = directory / damage.file
    if damage.content is None:
        path.unlink()
    else:
        path.write_bytes(damage.content)


def _spares(damage: Damage, needed: bytes) -> bool:
    return damage.content is not None and damage.content.startswith(needed)


def _to_the_end_mark(content: bytes) -> int:
    """Return how many octets of a history there are up to its scenario's last line."""
    return len(content) - len(content.splitlines(keepends=True)[-1])


def _needed(end_ns: int, content: bytes) -> int:
    """Return how many octets of a capture there are up to the mark behind the window."""
    places = [one.start() for one in _MARKED.finditer(content) if int(one[1]) >= end_ns]
    return _block_at(content, places[1]) if len(places) > 1 else len(content)


def _block_at(content: bytes, octet: int) -> int:
    """Return where the block begins that an octet of a capture stands in."""
    blocks = Blocks(io.BytesIO(content))
    return max(blocks.at for _ in blocks if blocks.at <= octet)


RULES = (of_history, of_capture, each_line_twice, gone, clock_set, two_seconds_missing)
