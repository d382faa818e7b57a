"""Reading what the wire recorded: pcapng, and classic pcap for captures made inside a guest.

Frames come one at a time in the order of the file, so a long capture costs no memory. A file that
was cut short yields every whole frame; `Capture.cut` then says so. Nothing here looks inside a
frame (that is `packets`); what a capture covers is told by `coverage`.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from evidence import pcapng
from evidence.coverage import Coverage, coverage_of
from evidence.errors import BadEvidence
from evidence.files import reading
from evidence.pcapng import Frame

__all__ = ["Capture", "Frame", "verify", "without_duplicates"]

_PCAP_MICROSECONDS, _PCAP_NANOSECONDS = 0xA1B2C3D4, 0xA1B23C4D
_LARGEST_FRAME = 16 * 1024 * 1024  # a frame has at most 64 KiB: more is a damaged length
DUPLICATE_WITHIN_NS = 1_000_000
"""The same octets at the same port again within this time: the network said it twice, not the
sender. Who repeats a message takes longer."""
MOST_AT_ONCE = 32 * 1024 * 1024
"""Octets within that time, of all ports together; 10 Gbit/s are a twentieth of it."""
_OF_A_FRAME = 256  # octets that it takes in memory besides its own


class Capture:
    """A capture file; iterate over it for its frames, as often as needed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cut = False

    def coverage(self) -> Coverage:
        """Return what it covers; raise BadEvidence when it has no marks of that."""
        with self._open() as file:
            if not _begins_like_pcapng(file.read(4)):
                self._need_pcap(file)
                raise BadEvidence(
                    f"{self.path}: classic pcap has no marks of coverage",
                    hint="the wire writes pcapng; a guest's capture says itself when it began",
                )
        return coverage_of(self.path)

    def __iter__(self) -> Iterator[Frame]:
        """Yield each whole frame; raise BadEvidence when this is no capture at all."""
        self.cut = False
        with self._open() as file:
            first = file.read(4)
            if len(first) < 4:
                self.cut = True
            elif _begins_like_pcapng(first):
                file.seek(0)
                yield from self._pcapng(file)
            else:
                yield from self._pcap(file, *self._need_pcap(file))

    def _open(self) -> AbstractContextManager[BinaryIO]:
        return reading(self.path, "capture")

    def _need_pcap(self, file: BinaryIO) -> tuple[str, int]:
        """Return byte order and magic number of a classic pcap."""
        file.seek(0)
        first = file.read(4)
        for order in "<>":
            magic = int(struct.unpack(f"{order}I", first)[0])
            if magic in (_PCAP_MICROSECONDS, _PCAP_NANOSECONDS):
                return order, magic
        raise BadEvidence(
            f"{self.path}: begins with {first.hex()}, which is neither pcapng nor pcap",
            hint="captures lie in the run's wire/ directory and end in .pcapng",
        )

    def _pcapng(self, file: BinaryIO) -> Iterator[Frame]:
        blocks = pcapng.Blocks(file)
        try:
            yield from pcapng.frames(blocks)
        except pcapng.Contradiction as error:
            raise BadEvidence(f"{self.path}: {error}", hint="it was damaged or altered") from error
        self.cut = bool(blocks.damage)

    def _pcap(self, file: BinaryIO, order: str, magic: int) -> Iterator[Frame]:
        scale = 1 if magic == _PCAP_NANOSECONDS else 1000
        if len(file.read(20)) < 20:
            self.cut = True
            return
        while header := file.read(16):
            if len(header) < 16:
                self.cut = True
                return
            seconds, fraction, captured, original = struct.unpack(f"{order}IIII", header)
            data = file.read(captured) if captured <= _LARGEST_FRAME else b""
            if len(data) < captured:
                self.cut = True
                return
            at_ns = seconds * 1_000_000_000 + fraction * scale
            yield Frame(at_ns, "", data, short=max(0, original - captured))


def _begins_like_pcapng(first: bytes) -> bool:
    return len(first) < 4 or first == pcapng.SECTION.to_bytes(4, "big")


def verify(path: Path) -> str | None:
    """Recompute the digest of every mark; say what is wrong with the capture, None if nothing is.

    What is named is the first mark that differs, or where the file is cut or damaged.
    """
    return next(iter(Capture(path).coverage().problems), None)


class without_duplicates:  # noqa: N801 - used as the function that it is, with a count afterwards
    """The frames but for what came in twice at one port within a millisecond; counts the latter."""

    def __init__(self, frames: Iterable[Frame]) -> None:
        self.duplicates = 0
        self._frames = frames

    def __iter__(self) -> Iterator[Frame]:
        """Yield each frame once; no more is kept than a millisecond's frames of each port."""
        self.duplicates = held = 0
        ports: dict[str, _Recent] = {}
        for frame in self._frames:
            if (recent := ports.get(frame.interface)) is None:
                recent = ports[frame.interface] = _Recent()
            held -= recent.octets
            again = recent.holds(frame)
            held += recent.octets
            if held > MOST_AT_ONCE:
                raise BadEvidence(f"more than {MOST_AT_ONCE} octets of frames in a millisecond")
            if again:
                self.duplicates += 1
            else:
                yield frame


class _Recent:
    """The frames of the last millisecond at one port.

    Each port has its own: the wire empties one after the other, so that frames of two ports stand
    in the file out of step, by more than a millisecond on a busy host.
    """

    def __init__(self) -> None:
        self.octets = 0
        """How much memory they take."""
        self._in_order: deque[Frame] = deque()
        self._data: set[bytes] = set()

    def holds(self, frame: Frame) -> bool:
        """Tell whether the frame has been here just now; if not, it is from now on."""
        while self._in_order and abs(frame.at_ns - self._in_order[0].at_ns) > DUPLICATE_WITHIN_NS:
            gone = self._in_order.popleft().data
            self._data.discard(gone)
            self.octets -= len(gone) + _OF_A_FRAME
        if frame.data in self._data:
            return True
        self._data.add(frame.data)
        self._in_order.append(frame)
        self.octets += len(frame.data) + _OF_A_FRAME
        return False
