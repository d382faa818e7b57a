"""Records every frame of a wire into one pcapng file, and marks in it that it still records.

Blocks are gathered and written at once; whoever runs the wire calls `flush` at the latest when
`flush_due_ns` says so, and `mark` when `mark_due_ns` does, whether frames come or not. When the
capture has taken what it may, or its disk is nearly full (`lab.limits`), the recorder says so in a
last mark and stops. When the disk is full all the same, the file is cut back to its last whole
block, and no mark follows. Either way the wire goes on, and its evidence has an end.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from evidence.clock import HostClock
from evidence.mark import ALIVE, BEGIN, END, EVERY_NS, LATE_NS, STOPPED, Mark, mark_block, opening
from evidence.pcapng import interface_block, packet_block
from lab.errors import WireError
from lab.limits import CAPTURE, FREE, Limit, Reached
from lab.wire.late import LateMarks

FLUSH_AFTER_NS = 200_000_000
"""The longest a frame stays in memory: 200 ms."""

MOST_GATHERED = 256 * 1024
"""Octets gathered before they are written at once."""


class Recorder:
    """An open capture file. A context manager; leaving it writes what is left, and the last mark.

    drain: takes in what has arrived, before a mark. at_mark: is called after each mark.
    late_ns: for who runs the wire to note how late its timers fire, and how long NICs were kept
    waiting; told by the next mark. late: the marks that came late.
    dropped: frames that were lost before they came here.
    reached: the limits that were, whoever noted them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.frames = 0
        self.unrecorded = 0
        self.failure = ""
        self.flush_due_ns: int | None = None
        self.drain: Callable[[], object] = lambda: None
        self.at_mark: Callable[[], object] = lambda: None
        self.late_ns = self.dropped = 0
        self.late = LateMarks()
        self.reached: list[Reached] = []
        self._most, self._free = CAPTURE.octets, FREE.octets
        self._goes_on = True
        self._interfaces = 1  # the first is the wire itself: its marks are about all ports
        self._digest = hashlib.sha256()
        self._gathered: list[bytes] = []
        self._size = self._written = 0
        self._frames_gathered = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if _free(os.statvfs(path.parent)) < self._free:
                raise WireError(
                    f"cannot record to {path}: its disk has less than {FREE} free",
                    hint=f"make room, or set {FREE.name} to less",
                )
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise WireError(
                f"cannot record to {path}: {error.strerror}",
                hint="give a new file in a directory you may write to",
            ) from None
        self._write(opening())
        self.began_ns = self.mark_due_ns = self._marked_ns = 0
        self.mark(BEGIN)

    def add_interface(self, name: str, description: str) -> int:
        """Introduce an interface and return its number in the file."""
        self._gather(interface_block(name, description))
        number, self._interfaces = self._interfaces, self._interfaces + 1
        return number

    def record(self, interface: int, at_ns: int, raw: bytes, comment: str = "") -> None:
        """Record one frame, received at `at_ns` (ns since 1970) at `interface`."""
        if not self._goes_on:
            self.unrecorded += 1
            return
        self._frames_gathered += 1
        self._gather(packet_block(interface, at_ns, raw, comment))

    def flush(self) -> None:
        """Hand everything gathered to the operating system."""
        octets, frames = b"".join(self._gathered), self._frames_gathered
        self._gathered.clear()
        self._size = self._frames_gathered = 0
        self.flush_due_ns = None
        if octets and self._goes_on and self._written + len(octets) > self._most:
            self.unrecorded += frames
            self._stop(CAPTURE, f"the capture would take more than {CAPTURE}")
        elif self._write(octets):
            self.frames += frames
        else:
            self.unrecorded += frames

    def mark(self, kind: str = ALIVE, monotonic_ns: int | None = None, why: str = "") -> None:
        """Write that everything which has arrived by now is recorded, after all of that.

        The moment is that before what has arrived is taken in: later frames may come meanwhile.
        Who learns late of frames gives the earlier one, until which it knows of all. why: what
        keeps the stretch since the mark before from being known, where something does.
        """
        clock = HostClock.now()
        monotonic_ns = time.monotonic_ns() if monotonic_ns is None else monotonic_ns
        if kind == BEGIN:
            self.began_ns = clock.epoch_ns + monotonic_ns
            self._marked_ns = self.mark_due_ns = monotonic_ns
        self.drain()
        self.flush()
        if self._goes_on and _free(os.fstatvfs(self._file)) < self._free:
            self._stop(FREE, f"its disk has less than {FREE} free")
        self._say(kind, clock, monotonic_ns, why)
        self._goes_on = self._goes_on and kind != END
        if (late_ns := self._late_by(monotonic_ns)) >= LATE_NS:
            self.late.note(clock.epoch_ns + self._marked_ns, clock.epoch_ns + monotonic_ns, late_ns)
        self.late_ns, self._marked_ns = 0, monotonic_ns
        self.mark_due_ns = monotonic_ns + EVERY_NS
        self.at_mark()

    def close(self, monotonic_ns: int | None = None) -> None:
        """Write what is left and the last mark, and close the file."""
        if self._goes_on:
            self.mark(END, monotonic_ns)
        os.close(self._file)

    def _stop(self, limit: Limit, why: str) -> None:
        """Record nothing any more, and say why: in the capture, and to whoever asks."""
        self.reached.append(Reached.now(limit, "wire", f"the wire stopped recording: {why}"))
        self._say(STOPPED, HostClock.now(), time.monotonic_ns(), why)
        self._goes_on = False

    def _late_by(self, monotonic_ns: int) -> int:
        """Return by how much the wire was late at most, as of a mark of that moment."""
        return max(self.late_ns, monotonic_ns - self.mark_due_ns, 0)

    def _say(self, kind: str, clock: HostClock, monotonic_ns: int, why: str = "") -> None:
        """Write a mark of a moment by both clocks."""
        mark = Mark(
            kind,
            clock.epoch_ns + monotonic_ns,
            monotonic_ns,
            clock.asleep_ns,
            received=self.frames + self.unrecorded,
            dropped=self.dropped,
            late_ns=self._late_by(monotonic_ns),
            sha256=self._digest.hexdigest(),
            why=why,
        )
        self._write(mark_block(mark, self.began_ns))

    def _write(self, octets: bytes) -> bool:
        """Append whole blocks; whether they stand in the file now."""
        if not self._goes_on:
            return False
        try:
            written = 0
            while written < len(octets):
                written += os.write(self._file, memoryview(octets)[written:])
        except OSError as error:
            os.ftruncate(self._file, self._written)
            self.failure = f"recording to {self.path} ended: {error.strerror}"
            self._goes_on = False
            return False
        self._digest.update(octets)
        self._written += written
        return True

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
            self._goes_on = False
        self.close()

    def _gather(self, block: bytes) -> None:
        if not self._goes_on:
            return
        self._gathered.append(block)
        self._size += len(block)
        if self._size > MOST_GATHERED:
            self.flush()
        elif self.flush_due_ns is None:
            self.flush_due_ns = time.monotonic_ns() + FLUSH_AFTER_NS


def _free(disk: os.statvfs_result) -> int:
    """Return how many octets are free for us on a disk."""
    return disk.f_bavail * disk.f_frsize
