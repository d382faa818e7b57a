"""Reading what the wire recorded: pcapng, and classic pcap for captures made inside a guest.

Frames come one at a time in the order of the file, so a long capture costs no memory. A file that
was cut short yields every whole frame; `Capture.cut` then says so. Nothing here looks inside a
frame (that is `packets`).

pcapng: draft-ietf-opsawg-pcapng (SHB 4.1, IDB 4.2, EPB 4.3); both byte orders, if_tsresol,
opt_comment. Other blocks are stepped over.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from evidence.coverage import Coverage
from evidence.errors import BadEvidence

_SECTION, _INTERFACE, _ENHANCED = 0x0A0D0D0A, 1, 6
_BYTE_ORDER_MAGIC = 0x1A2B3C4D
_PCAP_MICROSECONDS, _PCAP_NANOSECONDS = 0xA1B2C3D4, 0xA1B23C4D
_END_OF_OPTIONS, _COMMENT, _IF_NAME, _IF_TSRESOL = 0, 1, 2, 9
_LARGEST_BLOCK = 16 * 1024 * 1024  # a frame has at most 64 KiB: more is a damaged length


@dataclass(frozen=True)
class Frame:
    """A frame as it stood on the wire: when, at which port (`machine/nic`), its bytes."""

    at_ns: int
    interface: str
    data: bytes
    comment: str = ""


@dataclass(frozen=True)
class _Interface:
    name: str
    ticks_per_second: int

    def to_ns(self, ticks: int) -> int:
        return ticks * 1_000_000_000 // self.ticks_per_second


class Capture:
    """A capture file; iterate over it for its frames, as often as needed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cut = False

    def coverage(self) -> Coverage:
        """Return what it covers."""
        return Coverage()

    def __iter__(self) -> Iterator[Frame]:
        """Yield each whole frame; raise BadEvidence when this is no capture at all."""
        self.cut = False
        try:
            with self.path.open("rb") as file:
                yield from self._frames(file)
        except OSError as error:
            raise BadEvidence(f"{self.path}: no capture can be read: {error.strerror}") from error

    def _frames(self, file: BinaryIO) -> Iterator[Frame]:
        first = file.read(4)
        if not first:
            self.cut = True
            return
        if len(first) < 4:
            self.cut = True
            return
        little = struct.unpack("<I", first)[0]
        if little == _SECTION:
            file.seek(0)
            yield from self._pcapng(file)
            return
        for order in "<>":
            magic = struct.unpack(f"{order}I", first)[0]
            if magic in (_PCAP_MICROSECONDS, _PCAP_NANOSECONDS):
                yield from self._pcap(file, order, magic)
                return
        raise BadEvidence(
            f"{self.path}: begins with {first.hex()}, which is neither pcapng nor pcap",
            hint="captures lie in the run's wire/ directory and end in .pcapng",
        )

    def _pcap(self, file: BinaryIO, order: str, magic: int) -> Iterator[Frame]:
        scale = 1 if magic == _PCAP_NANOSECONDS else 1000
        if len(file.read(20)) < 20:
            self.cut = True
            return
        while header := file.read(16):
            if len(header) < 16:
                self.cut = True
                return
            seconds, fraction, captured, _ = struct.unpack(f"{order}IIII", header)
            data = file.read(captured) if captured <= _LARGEST_BLOCK else b""
            if len(data) < captured:
                self.cut = True
                return
            yield Frame(seconds * 1_000_000_000 + fraction * scale, "", data)

    def _pcapng(self, file: BinaryIO) -> Iterator[Frame]:
        order, interfaces = "<", list[_Interface]()
        while header := file.read(8):
            if len(header) < 8:
                self.cut = True
                return
            kind = struct.unpack(f"{order}I", header[:4])[0]
            if kind == _SECTION:
                order, interfaces = self._byte_order(file), []
            length = struct.unpack(f"{order}I", header[4:])[0]
            body = self._body(file, length)
            if body is None:
                return
            if kind == _INTERFACE:
                interfaces.append(_interface(order, body))
            elif kind == _ENHANCED:
                yield self._enhanced(order, body, interfaces)

    def _byte_order(self, file: BinaryIO) -> str:
        magic = file.read(4)
        file.seek(-len(magic), 1)
        return ">" if magic == struct.pack(">I", _BYTE_ORDER_MAGIC) else "<"

    def _body(self, file: BinaryIO, length: int) -> bytes | None:
        """Read a block's body and its trailing length; None when the file ends before."""
        if length < 12 or length % 4 or length > _LARGEST_BLOCK:
            self.cut = True
            return None
        rest = file.read(length - 8)
        if len(rest) < length - 8:
            self.cut = True
            return None
        return rest[:-4]

    def _enhanced(self, order: str, body: bytes, interfaces: list[_Interface]) -> Frame:
        if len(body) < 20:
            raise BadEvidence(f"{self.path}: a packet block of only {len(body)} bytes")
        number, high, low, captured, _ = struct.unpack(f"{order}IIIII", body[:20])
        if number >= len(interfaces) or 20 + captured > len(body):
            raise BadEvidence(f"{self.path}: a packet block that contradicts itself")
        interface = interfaces[number]
        options = _options(order, body[20 + captured + -captured % 4 :])
        return Frame(
            at_ns=interface.to_ns(high << 32 | low),
            interface=interface.name,
            data=body[20 : 20 + captured],
            comment=options.get(_COMMENT, b"").decode(errors="replace"),
        )


def _interface(order: str, body: bytes) -> _Interface:
    options = _options(order, body[8:])
    resolution = options.get(_IF_TSRESOL, b"\x06")[0]
    base = 2 if resolution & 0x80 else 10
    name = options.get(_IF_NAME, b"").decode(errors="replace")
    return _Interface(name, base ** (resolution & 0x7F))


def _options(order: str, text: bytes) -> dict[int, bytes]:
    """Return the options of a block by code (the last of a code wins)."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(text):
        code, length = struct.unpack_from(f"{order}HH", text, at)
        if code == _END_OF_OPTIONS:
            break
        found[code] = text[at + 4 : at + 4 + length]
        at += 4 + length + -length % 4
    return {code: value for code, value in found.items() if value}


def without_duplicates(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Leave out what came in twice at one interface within a millisecond."""
    last: dict[tuple[str, bytes], int] = {}
    for frame in frames:
        key = frame.interface, frame.data
        before = last.get(key)
        last[key] = frame.at_ns
        if before is None or frame.at_ns - before > 1_000_000:
            yield frame


def verify(path: Path) -> str | None:
    """Say what is wrong with the capture at `path`, None when nothing is."""
    capture = Capture(path)
    for _ in capture:
        pass
    return "it is cut, or garbled" if capture.cut else None
