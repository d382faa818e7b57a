"""The pcapng blocks the recorder writes, and reading them back.

Little-endian, one section, Ethernet, time stamps in ns (if_tsresol 9); draft-ietf-opsawg-pcapng.
Reading is for files written here: other writers' options are skipped, other byte orders refused.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.errors import WireError

SECTION, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6
SNAP_LENGTH = 65535

_BYTE_ORDER = 0x1A2B3C4D
_ETHERNET = 1
_COMMENT, _IF_NAME, _IF_DESCRIPTION, _SHB_USERAPPL, _IF_TSRESOL = 1, 2, 3, 4, 9
_PACKET_HEAD = struct.Struct("<IIIIIII")
_LENGTH = struct.Struct("<I")
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")


@dataclass(frozen=True)
class Recorded:
    """One frame of a capture file: ns since 1970, the interface's name, octets, comment or ""."""

    at_ns: int
    interface: str
    raw: bytes
    comment: str


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


def read(path: Path) -> Iterator[Recorded]:
    """Yield the frames of `path` in the order they were written.

    A last block that is not whole (the writer was killed in the middle) ends it silently; anything
    else that is no pcapng of ours raises WireError.
    """
    names: list[str] = []
    with path.open("rb") as file:
        while len(head := file.read(8)) == 8:
            kind, total = struct.unpack("<II", head)
            if (not names and kind not in (SECTION, INTERFACE)) or total < 12 or total % 4:
                raise WireError(f"{path} is no capture file of a wire", hint="record it again")
            body = file.read(total - 8)
            if len(body) < total - 8:
                return
            if kind == SECTION and _LENGTH.unpack_from(body)[0] != _BYTE_ORDER:
                raise WireError(f"{path} has another byte order", hint="read it with tshark")
            if kind == INTERFACE:
                names.append(_options(body[8:-4]).get(_IF_NAME, b"").decode())
            elif kind == PACKET:
                yield _recorded(body, names)


def _recorded(body: bytes, names: list[str]) -> Recorded:
    interface, high, low, size, _ = struct.unpack_from("<IIIII", body)
    options = _options(body[20 + size + len(_PADDING[size & 3]) : -4])
    comment = options.get(_COMMENT, b"").decode()
    return Recorded(high << 32 | low, names[interface], body[20 : 20 + size], comment)


def _options(octets: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(octets):
        code, size = struct.unpack_from("<HH", octets, at)
        if code == 0:
            break
        found[code] = octets[at + 4 : at + 4 + size]
        at += 4 + size + len(_PADDING[size & 3])
    return found


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + _PADDING[len(value) & 3]


def _block(kind: int, body: bytes) -> bytes:
    length = _LENGTH.pack(len(body) + 12)
    return b"".join((_LENGTH.pack(kind), length, body, length))
