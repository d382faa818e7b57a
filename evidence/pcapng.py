"""The blocks of pcapng: written for the wire, read for whoever judges.

What is written is little-endian: one section, Ethernet, time stamps in ns (if_tsresol 9). What is
read may have either byte order and any resolution, one block in memory at a time; blocks that
nobody here needs are stepped over. draft-ietf-opsawg-pcapng, sections 4.1 (section), 4.2
(interface), 4.3 (packet) and 4.6 (statistics). Knows nothing of what lies in a frame.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

SECTION, INTERFACE, STATISTICS, PACKET = 0x0A0D0D0A, 1, 5, 6
SNAP_LENGTH = 65535

_BYTE_ORDER = 0x1A2B3C4D
_ETHERNET = 1
_COMMENT, _IF_NAME, _IF_DESCRIPTION, _SHB_USERAPPL, _IF_TSRESOL = 1, 2, 3, 4, 9
_ISB_STARTTIME, _ISB_ENDTIME, _ISB_IFRECV, _ISB_IFDROP = 2, 3, 4, 5
CUT = "is cut"
"""What is said of a file whose end is missing, and of nothing else begins so."""
_LARGEST_BLOCK = 16 * 1024 * 1024  # a frame has at most 64 KiB: more is a damaged length
_LARGEST_DESCRIPTION = 64 * 1024  # of a section or an interface: names, and what made them
_MOST_DESCRIPTIONS = 1024  # a lab plugs its ports anew each time that it is rewound
_MOST_OPTIONS = 64  # of a block; ours have at most five
_PACKET_HEAD = struct.Struct("<IIIIIII")
_LENGTH = struct.Struct("<I")
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")


@dataclass(frozen=True)
class Frame:
    """A frame as it stood on the wire: when, at which port (`machine/nic`), its bytes.

    short: how many of its octets are not in the file.
    """

    at_ns: int
    interface: str
    data: bytes
    comment: str = ""
    short: int = 0

    @property
    def passed(self) -> bool:
        """Whether the wire let it through to anybody, by its comment."""
        return "dropped" not in self.comment and "not forwarded" not in self.comment

    @property
    def passed_to_all(self) -> bool:
        """Whether it went to everybody that it was for: to nobody whose link is cut."""
        return self.passed and "not to " not in self.comment

    @property
    def into_cut(self) -> bool:
        """Whether it went into a link that is cut."""
        return self.comment.startswith("dropped") and self.comment.endswith("is cut")


def section_block(application: str) -> bytes:
    """Return the block a file begins with."""
    body = struct.pack("<IHHq", _BYTE_ORDER, 1, 0, -1)
    return _block(SECTION, body + _option(_SHB_USERAPPL, application.encode()) + _option(0, b""))


def interface_block(name: str, description: str) -> bytes:
    """Return the block that introduces an interface; they are counted from 0 in a file."""
    options = _option(_IF_NAME, name.encode()) + _option(_IF_DESCRIPTION, description.encode())
    options += _option(_IF_TSRESOL, b"\x09") + _option(0, b"")
    return _block(INTERFACE, struct.pack("<HHI", _ETHERNET, 0, SNAP_LENGTH) + options)


def packet_block(interface: int, at_ns: int, raw: bytes, comment: str = "") -> bytes:
    """Return the block of one frame, whole."""
    size = len(raw)
    options = _option(_COMMENT, comment.encode()) + _option(0, b"") if comment else b""
    padding = _PADDING[size & 3]
    total = 32 + size + len(padding) + len(options)
    head = _PACKET_HEAD.pack(PACKET, total, interface, at_ns >> 32, at_ns & 0xFFFFFFFF, size, size)
    return b"".join((head, raw, padding, options, _LENGTH.pack(total)))


def statistics_block(
    interface: int, began_ns: int, at_ns: int, *, received: int, dropped: int, comment: str
) -> bytes:
    """Return the block that says what an interface received and lost from `began_ns` to `at_ns`."""
    options = _option(_COMMENT, comment.encode())
    options += _option(_ISB_STARTTIME, _time(began_ns)) + _option(_ISB_ENDTIME, _time(at_ns))
    options += _option(_ISB_IFRECV, struct.pack("<Q", received))
    options += _option(_ISB_IFDROP, struct.pack("<Q", dropped)) + _option(0, b"")
    return _block(STATISTICS, struct.pack("<I", interface) + _time(at_ns) + options)


class Block(NamedTuple):
    """A block as it stands in a file: its kind, its byte order, its body without both lengths."""

    kind: int
    order: str
    body: bytes

    @property
    def octets(self) -> int:
        """How many octets of the file it takes."""
        return 12 + len(self.body)

    @property
    def comment(self) -> str:
        """The comment of a block of statistics; "" where its options cannot be read."""
        try:
            options = _options(self.order, self.body[12:])
        except Contradiction:
            return ""
        return options.get(_COMMENT, b"").decode(errors="replace")


class Blocks:
    """The blocks of a file that is open at its beginning.

    Ends where the file does, or at the first block that cannot be one: `damage` then says why.
    While a block is in hand, `digest` is over all octets of the file before it, which are `at`.
    """

    def __init__(self, file: BinaryIO, order: str = "<") -> None:
        self.damage = ""
        self.digest = hashlib.sha256()
        self.at = file.tell()
        self._file = file
        self._order = order
        self._descriptions = 0

    def __iter__(self) -> Iterator[Block]:
        while header := self._file.read(8):
            if len(header) < 8:
                self.damage = f"{CUT} at octet {self.at}"
                return
            kind, rest = self._whole(header)
            if self.damage:
                return
            yield Block(kind, self._order, rest[:-4])
            self.digest.update(header)
            self.digest.update(rest)
            self.at += 8 + len(rest)
        if not self.at:
            self.damage = "is empty"

    def _whole(self, header: bytes) -> tuple[int, bytes]:
        """Return the kind of a block, and what follows its header."""
        start = b""
        if header[:4] == SECTION.to_bytes(4, "big"):  # the same from either end
            start = self._file.read(4)
            self._order = ">" if start == struct.pack(">I", _BYTE_ORDER) else "<"
        kind, length = struct.unpack(f"{self._order}II", header)
        if length < 12 or length % 4 or length > _LARGEST_BLOCK:
            self.damage = f"is damaged at octet {self.at}: a block of {length} octets"
            return kind, b""
        if kind in (SECTION, INTERFACE):
            self._descriptions += 1
            if length > _LARGEST_DESCRIPTION or self._descriptions > _MOST_DESCRIPTIONS:
                self.damage = f"describes more at octet {self.at} than any lab has interfaces"
                return kind, b""
        rest = start + self._file.read(length - 8 - len(start))
        if len(rest) < length - 8:
            self.damage = f"{CUT} in the block at octet {self.at}"
        elif rest[-4:] != header[4:]:
            self.damage = f"is damaged at octet {self.at}: both lengths of a block differ"
        return kind, rest


class Contradiction(ValueError):
    """A block of a packet that contradicts itself; the message says how."""


@dataclass(frozen=True)
class _Interface:
    name: str
    ticks_per_second: int

    def to_ns(self, ticks: int) -> int:
        return ticks * 1_000_000_000 // self.ticks_per_second


def frames(blocks: Iterable[Block]) -> Iterator[Frame]:
    """Yield the frames among `blocks`; raises Contradiction at one that is none."""
    interfaces: list[_Interface] = []
    for block in blocks:
        if block.kind == PACKET:
            yield _frame(block, interfaces)
        elif block.kind == INTERFACE:
            interfaces.append(_interface(block))
        elif block.kind == SECTION:
            interfaces = []


def _frame(block: Block, interfaces: list[_Interface]) -> Frame:
    _, order, body = block
    if len(body) < 20:
        raise Contradiction(f"a packet block of only {len(body)} octets")
    number, high, low, captured, original = struct.unpack_from(f"{order}IIIII", body)
    if number >= len(interfaces) or 20 + captured > len(body):
        raise Contradiction("a packet block that contradicts itself")
    interface = interfaces[number]
    options = _options(order, body[20 + captured + -captured % 4 :])
    return Frame(
        at_ns=interface.to_ns(high << 32 | low),
        interface=interface.name,
        data=body[20 : 20 + captured],
        comment=options.get(_COMMENT, b"").decode(errors="replace"),
        short=max(0, original - captured),
    )


def _interface(block: Block) -> _Interface:
    options = _options(block.order, block.body[8:])
    resolution = options.get(_IF_TSRESOL, b"\x06")[0]
    base = 2 if resolution & 0x80 else 10
    name = options.get(_IF_NAME, b"").decode(errors="replace")
    return _Interface(name, base ** (resolution & 0x7F))


def _options(order: str, text: bytes) -> dict[int, bytes]:
    """Return the options of a block by code (the last of a code wins).

    Raises Contradiction when one reaches over the end of the block, or when they have no end.
    """
    found: dict[int, bytes] = {}
    at = 0
    for _ in range(_MOST_OPTIONS):
        if at + 4 > len(text):
            break
        code, length = struct.unpack_from(f"{order}HH", text, at)
        if code == 0:
            break
        if at + 4 + length > len(text):
            raise Contradiction(f"an option of {length} octets that reaches over its block")
        found[code] = text[at + 4 : at + 4 + length]
        at += 4 + length + -length % 4
    else:
        raise Contradiction(f"a block with more than {_MOST_OPTIONS} options")
    return {code: value for code, value in found.items() if value}


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + _PADDING[len(value) & 3]


def _time(at_ns: int) -> bytes:
    return struct.pack("<II", at_ns >> 32, at_ns & 0xFFFFFFFF)


def _block(kind: int, body: bytes) -> bytes:
    length = _LENGTH.pack(len(body) + 12)
    return b"".join((_LENGTH.pack(kind), length, body, length))
