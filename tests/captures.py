"""Captures made up for tests: frames, and the marks by which a capture says what it covers.

    capture(frames, from_ns, until_ns)              covered from one moment to the other
    capture(frames, marks=some_marks)               by these marks, whose digests are filled in

Change what `marks_of` returns (leave some out, `dataclasses.replace` some) for a hole, a drop, or a
clock that was set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace

from evidence.mark import ALIVE, BEGIN, END, EVERY_NS, Mark, mark_block, opening
from evidence.pcapng import Frame, interface_block, packet_block


def mark(kind: str, at_ns: int, **fields: int) -> Mark:
    return Mark(kind, at_ns, at_ns, 0, **fields)


def marks_of(from_ns: int, until_ns: int, *, ended: bool = True) -> list[Mark]:
    """Return the marks of a wire that recorded from one moment to the other."""
    alive = [mark(ALIVE, at_ns) for at_ns in range(from_ns + EVERY_NS, until_ns, EVERY_NS)]
    return [mark(BEGIN, from_ns), *alive, mark(END if ended else ALIVE, until_ns)]


def capture(
    frames: Iterable[Frame],
    from_ns: int | None = None,
    until_ns: int | None = None,
    *,
    marks: Sequence[Mark] | None = None,
) -> bytes:
    """Return the octets of a capture. Frames stand in the order given, each before later marks.

    With neither span nor marks the frames are covered, and a second more at either end.
    """
    left = list(frames)
    times = [frame.at_ns for frame in left] or [2 * EVERY_NS]
    if marks is None:
        marks = marks_of(
            max(0, min(times) - 2 * EVERY_NS) if from_ns is None else from_ns,
            max(times) + 2 * EVERY_NS if until_ns is None else until_ns,
        )
    names = sorted({frame.interface for frame in left})
    content = bytearray(opening())
    hashed, digest, packets = 0, hashlib.sha256(), 0
    for number, one in enumerate(marks):
        while number and packets < len(left) and left[packets].at_ns <= one.wall_ns:
            content += _packet(left[packets], names)
            packets += 1
        digest.update(content[hashed:])
        hashed = len(content)
        marked = replace(one, sha256=digest.hexdigest(), received=one.received or packets)
        content += mark_block(marked, marks[0].wall_ns)
        if not number:  # as a wire does: it marks its beginning, and then plugs its ports
            content += b"".join(interface_block(name, "segment lan") for name in names)
    for frame in left[packets:]:
        content += _packet(frame, names)
    return bytes(content)


def _packet(frame: Frame, names: list[str]) -> bytes:
    number = 1 + names.index(frame.interface)
    block = packet_block(number, frame.at_ns, frame.data, frame.comment)
    original = (len(frame.data) + frame.short).to_bytes(4, "little")
    return block[:24] + original + block[28:]
