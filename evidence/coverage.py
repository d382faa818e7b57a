"""Which stretches of time a capture covers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Hole:
    """A stretch in which something may have happened that was not recorded."""

    from_ns: int
    until_ns: int
    why: str


@dataclass(frozen=True)
class Coverage:
    """What a capture covers. ended: whether the wire has closed it."""

    ended: bool = True

    def holes(self, from_ns: int, until_ns: int) -> list[Hole]:
        """Return the holes in a window."""
        return []

    def last_digest(self, until_ns: int) -> str:
        """Return the digest of the last mark by then."""
        return ""
