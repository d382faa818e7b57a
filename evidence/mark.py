"""A mark of coverage: the wire says, in the capture itself, that it still records.

A mark is a block of statistics of pcapng, so other programs read the capture as before. Its comment
is JSON: the clocks of the host, what was received and dropped so far, how late the wire was, and
the SHA-256 of all octets of the file before the block. The first mark of a capture is "begin", the
last "end"; a wire that was killed leaves none. One that had reached a limit ends with "stopped",
and says why: it carried frames on, and recorded none of them. Every frame that had arrived at the
moment of a mark stands before it.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields
from typing import Any

from evidence.clock import HostClock
from evidence.files import parse_json
from evidence.pcapng import STATISTICS, Block, interface_block, section_block, statistics_block

BEGIN, ALIVE, END, STOPPED = "begin", "alive", "end", "stopped"
LAST = (END, STOPPED)
"""Nothing stands behind one of these."""

EVERY_NS = 500_000_000
"""How often a wire marks that it still records."""

LATE_NS = 100_000_000
"""A wire that was late by less is not worth a word."""

_KINDS = (BEGIN, ALIVE, END, STOPPED)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Mark:
    """One mark. `received` and `dropped` count all ports since the capture began.

    `dropped`: by the kernel, before the wire took them; always 0 since NICs are Unix sockets.

    asleep_ns: how long the host has been suspended since it was booted (boot time less monotonic).
    late_ns: by how much a timer of the wire fired after it was due, at most, since the last mark.
    why: in a mark "stopped" the limit that was reached; in another but the first, what keeps the
    stretch since the mark before from being known.
    """

    mark: str
    wall_ns: int
    monotonic_ns: int
    asleep_ns: int
    received: int = 0
    dropped: int = 0
    late_ns: int = 0
    sha256: str = ""
    why: str = ""

    @property
    def clock(self) -> HostClock:
        """How far the clocks of the host were apart."""
        return HostClock(self.wall_ns - self.monotonic_ns, self.asleep_ns)


def opening() -> bytes:
    """Return what a capture begins with; its interface 0 stands for all ports, in the marks."""
    return section_block("vpnproof wire") + interface_block("wire", "all ports; marks of coverage")


def mark_block(mark: Mark, began_ns: int) -> bytes:
    """Return a mark as a block, of a capture that began at `began_ns`."""
    return statistics_block(
        0,
        began_ns,
        mark.wall_ns,
        received=mark.received,
        dropped=mark.dropped,
        comment=json.dumps(_said(mark), separators=(",", ":")),
    )


def _said(mark: Mark) -> dict[str, Any]:
    """Return its fields; the reason only where there is one."""
    return {name: value for name, value in asdict(mark).items() if name != "why" or value}


def mark_of(block: Block) -> Mark | None:
    """Return the mark that a block is; None when it is none, or cannot be read any more."""
    if block.kind != STATISTICS:
        return None
    try:
        said: Any = parse_json(block.comment.encode())
    except ValueError:
        return None
    names = {field.name for field in fields(Mark)} - {"why"}
    if not isinstance(said, dict) or said.keys() - {"why"} != names:
        return None
    name, digest, why = said.pop("mark"), said.pop("sha256"), said.pop("why", "")
    numbers = all(type(value) is int and 0 <= value < 2**63 for value in said.values())
    known = isinstance(digest, str) and _SHA256.fullmatch(digest) and name in _KINDS
    fits = name not in (BEGIN, STOPPED) or bool(why) == (name == STOPPED)
    reasoned = isinstance(why, str) and fits
    return Mark(name, **said, sha256=digest, why=why) if known and numbers and reasoned else None
