"""Frames of a site, shown to who asked for them."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator

from lab.timing import Kind, spending
from lab.wire.frame import Frame
from lab.wire.matching import Predicate

_MOST = 10_000  # frames that wait for a slow reader


class Subscription:
    """Frames that one reader wants; `lost` counts those that found no room."""

    def __init__(self, wants: Predicate) -> None:
        self.wants = wants
        self.lost = 0
        self._frames: queue.Queue[Frame] = queue.Queue(_MOST)

    def offer(self, frame: Frame) -> None:
        """Let the reader have a frame."""
        try:
            self._frames.put_nowait(frame)
        except queue.Full:
            self.lost += 1

    def take(self, timeout: float) -> Frame | None:
        """Return the next frame, or None when none passes within `timeout` seconds."""
        with spending(Kind.WAIT):
            try:
                return self._frames.get(timeout=timeout)
            except queue.Empty:
                return None

    def take_for(self, seconds: float) -> Iterator[Frame]:
        """Yield the frames that pass within the next `seconds`."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            frame = self.take(left)
            if frame is None:
                return
            yield frame
