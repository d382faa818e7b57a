"""Frames that leave later: a bounded queue by due time.

Holds frames, not time: whoever runs the wire asks what is due. Beyond its bounds it refuses, and
counts what it refused, so that a delayed flood costs no memory.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from lab.wire.port import SwitchPort

MOST_FRAMES = 20_000
MOST_OCTETS = 32 * 1024 * 1024


@dataclass(order=True, slots=True)
class _Waiting:
    due_ns: int
    order: int
    port: SwitchPort = field(compare=False)
    raw: bytes = field(compare=False)


class DelayQueue:
    """Frames waiting to leave; those due at the same time leave in the order they came."""

    def __init__(self, most_frames: int = MOST_FRAMES, most_octets: int = MOST_OCTETS) -> None:
        self.refused = 0
        self._most_frames = most_frames
        self._most_octets = most_octets
        self._heap: list[_Waiting] = []
        self._octets = 0
        self._order = 0

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def due_ns(self) -> int | None:
        """When the next frame is due (monotonic ns), or None."""
        return self._heap[0].due_ns if self._heap else None

    def hold(self, due_ns: int, port: SwitchPort, raw: bytes) -> bool:
        """Keep `raw` for `port` until `due_ns`; False when the queue is full."""
        full = len(self._heap) >= self._most_frames
        if full or self._octets + len(raw) > self._most_octets:
            self.refused += 1
            return False
        self._order += 1
        self._octets += len(raw)
        heapq.heappush(self._heap, _Waiting(due_ns, self._order, port, raw))
        return True

    def release(self, now_ns: int) -> list[tuple[SwitchPort, bytes]]:
        """Take out and return the frames due by `now_ns`, in order."""
        due: list[tuple[SwitchPort, bytes]] = []
        while self._heap and self._heap[0].due_ns <= now_ns:
            one = heapq.heappop(self._heap)
            self._octets -= len(one.raw)
            due.append((one.port, one.raw))
        return due

    def clear(self) -> int:
        """Throw away what waits, and return how many frames that were."""
        thrown = len(self._heap)
        self._heap.clear()
        self._octets = 0
        return thrown
