"""Records every frame of a wire into one pcapng file, and marks in it that it still records.

Blocks are gathered and written at once; whoever runs the wire calls `flush` at the latest when
`flush_due_ns` says so, and `mark` when `mark_due_ns` does, whether frames come or not. When the
disk is full the file is cut back to its last whole block, and the recorder says so and stops: the
wire goes on, but its evidence has an end, and no mark follows.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from evidence.clock import HostClock
from evidence.mark import ALIVE, BEGIN, END, EVERY_NS, Mark, mark_block, opening
from evidence.pcapng import interface_block, packet_block
from lab.errors import WireError

FLUSH_AFTER_NS = 200_000_000
"""The longest a frame stays in memory: 200 ms."""

MOST_GATHERED = 256 * 1024
"""Octets gathered before they are written at once."""


class Recorder:
    """An open capture file. A context manager; leaving it writes what is left, and the last mark.

    drain: takes in what has arrived, before a mark. dropped: how many frames the kernel dropped so
    far. late_ns: for who runs the wire to note how late its timers fire; told by the next mark.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.frames = 0
        self.unrecorded = 0
        self.failure = ""
        self.flush_due_ns: int | None = None
        self.drain: Callable[[], object] = lambda: None
        self.dropped: Callable[[], int] = lambda: 0
        self.late_ns = 0
        self._interfaces = 1  # the first is the wire itself: its marks are about all ports
        self._ended = False
        self._digest = hashlib.sha256()
        self._gathered: list[bytes] = []
        self._size = 0
        self._frames_gathered = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise WireError(
                f"cannot record to {path}: {error.strerror}",
                hint="give a new file in a directory you may write to",
            ) from None
        self._gather(opening())
        self.began_ns = self.mark_due_ns = 0
        self.mark(BEGIN)

    def add_interface(self, name: str, description: str) -> int:
        """Introduce an interface and return its number in the file."""
        self._gather(interface_block(name, description))
        number, self._interfaces = self._interfaces, self._interfaces + 1
        return number

    def record(self, interface: int, at_ns: int, raw: bytes, comment: str = "") -> None:
        """Record one frame, received at `at_ns` (ns since 1970) at `interface`."""
        self._frames_gathered += 1
        self._gather(packet_block(interface, at_ns, raw, comment))

    def flush(self) -> None:
        """Hand everything gathered to the operating system."""
        octets = b"".join(self._gathered)
        self._digest.update(octets)
        self._write(octets)

    def mark(self, kind: str = ALIVE) -> None:
        """Write that everything which has arrived by now is recorded, after all of that.

        The moment is that before what has arrived is taken in: later frames may come meanwhile.
        """
        clock, monotonic_ns = HostClock.now(), time.monotonic_ns()
        wall_ns = clock.epoch_ns + monotonic_ns
        if kind == BEGIN:
            self.began_ns, self.mark_due_ns = wall_ns, monotonic_ns
        self.drain()
        gathered = b"".join(self._gathered)
        self._digest.update(gathered)
        mark = Mark(
            kind,
            wall_ns,
            monotonic_ns,
            clock.asleep_ns,
            received=self.frames + self.unrecorded + self._frames_gathered,
            dropped=self.dropped(),
            late_ns=max(self.late_ns, monotonic_ns - self.mark_due_ns, 0),
            sha256=self._digest.hexdigest(),
        )
        block = mark_block(mark, self.began_ns)
        self._digest.update(block)
        self._write(gathered + block)
        self._ended = self._ended or kind == END
        self.late_ns, self.mark_due_ns = 0, monotonic_ns + EVERY_NS

    def close(self) -> None:
        """Write what is left and the last mark, and close the file."""
        if not self._ended:
            self.mark(END)
        os.close(self._file)

    def _write(self, octets: bytes) -> None:
        frames = self._frames_gathered
        self._gathered.clear()
        self._size = self._frames_gathered = 0
        self.flush_due_ns = None
        if self.failure or self._ended or not octets:
            self.unrecorded += frames
            return
        whole = os.lseek(self._file, 0, os.SEEK_CUR)
        try:
            written = 0
            while written < len(octets):
                written += os.write(self._file, memoryview(octets)[written:])
        except OSError as error:
            os.ftruncate(self._file, whole)
            self.failure = f"recording to {self.path} ended: {error.strerror}"
            self.unrecorded += frames
        else:
            self.frames += frames

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if error is not None:  # what has arrived may not have been taken in: this is no end
            self.flush()
            self._ended = True
        self.close()

    def _gather(self, block: bytes) -> None:
        self._gathered.append(block)
        self._size += len(block)
        if self._size > MOST_GATHERED:
            self.flush()
        elif self.flush_due_ns is None:
            self.flush_due_ns = time.monotonic_ns() + FLUSH_AFTER_NS
