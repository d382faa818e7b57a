"""Records every frame of a wire into one pcapng file.

Blocks are gathered and written at once; whoever runs the wire calls `flush` at the latest when
`flush_due_ns` says so. When the disk is full the file is cut back to its last whole block, and the
recorder says so and stops: the wire goes on, but its evidence has an end.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType

from lab.errors import WireError
from lab.wire.pcapng import interface_block, packet_block, section_block

FLUSH_AFTER_NS = 200_000_000
"""The longest a frame stays in memory: 200 ms."""

MOST_GATHERED = 256 * 1024
"""Octets gathered before they are written at once."""


class Recorder:
    """An open capture file. A context manager; leaving it writes what is left."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.frames = 0
        self.unrecorded = 0
        self.failure = ""
        self.flush_due_ns: int | None = None
        self._interfaces = 0
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
        self._gather(section_block("vpnproof wire"))

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
        octets, frames = b"".join(self._gathered), self._frames_gathered
        self._gathered.clear()
        self._size = self._frames_gathered = 0
        self.flush_due_ns = None
        if self.failure or not octets:
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

    def close(self) -> None:
        """Write what is left and close the file."""
        self.flush()
        os.close(self._file)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def _gather(self, block: bytes) -> None:
        self._gathered.append(block)
        self._size += len(block)
        if self._size > MOST_GATHERED:
            self.flush()
        elif self.flush_due_ns is None:
            self.flush_due_ns = time.monotonic_ns() + FLUSH_AFTER_NS
