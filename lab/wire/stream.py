"""Frames of a running wire, as they pass."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import Any

from lab.errors import WireError
from lab.timing import Kind, spending
from lab.wire.frame import Frame
from lab.wire.link import Link


class FrameStream:
    """A subscription. Iterating waits for frames and ends when the wire does.

    `lost` counts frames that were not shown because this client read too slowly: a count of 0
    is what makes "no such frame passed" a statement.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self.lost = 0

    def take(self, timeout: float) -> Frame | None:
        """Return the next frame, or None when none passes within `timeout` seconds."""
        with spending(Kind.WAIT):
            return self._next_within(timeout)

    def _next_within(self, timeout: float) -> Frame | None:
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            try:
                message = self._link.line(left)
            except TimeoutError:
                return None
            if frame := self._frame(message):
                return frame
        return None

    def take_for(self, seconds: float) -> Iterator[Frame]:
        """Yield the frames that pass within the next `seconds`."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            frame = self.take(left)
            if frame is None:
                return
            yield frame

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        while True:
            try:
                message = self._link.line(None)
            except WireError:
                raise StopIteration from None
            if frame := self._frame(message):
                return frame

    def _frame(self, message: dict[str, Any]) -> Frame | None:
        shown = message.get("frame")
        if shown is None:
            self.lost = message.get("lost", self.lost)
            return None
        self.lost = shown.pop("lost")
        return Frame(**{**shown, "raw": base64.b64decode(shown["raw"])})
