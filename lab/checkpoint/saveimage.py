"""The header of libvirt's saved memory: which machine it belongs to.

libvirt insists that a saved machine comes back under the name and uuid it was saved with. One
guest that was booted once is to come back as several machines, so the header's domain XML is
exchanged on a copy; the memory behind it is not touched. Layout: libvirt's qemu_saveimage.h.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError

_MAGIC = b"LibvirtQemudSave"
_HEADER = struct.Struct("<16sIIIII56x")  # magic, version, length, running, compressed, cookie
_VERSION = 2
_CHUNK = 1 << 24


@dataclass(frozen=True)
class SaveImage:
    """A saved memory file: its domain XML, and where the memory begins (bytes)."""

    path: Path
    xml: str
    cookie: bytes
    running: int
    memory_offset: int

    @classmethod
    def read(cls, path: Path) -> SaveImage:
        """Read the header; LabError when this is no uncompressed save of a libvirt we know."""
        with path.open("rb") as file:
            head = file.read(_HEADER.size)
            if len(head) < _HEADER.size:
                raise LabError(f"{path} is cut short: {len(head)} bytes")
            magic, version, length, running, compressed, cookie = _HEADER.unpack(head)
            if magic != _MAGIC or version != _VERSION or compressed:
                raise LabError(f"{path} is not an uncompressed libvirt save of version {_VERSION}")
            if _HEADER.size + length > path.stat().st_size or cookie > length:
                raise LabError(f"{path} is cut short inside its header")
            text = file.read(length)
        try:
            xml = text[: cookie or None].split(b"\0", 1)[0].decode()
        except UnicodeDecodeError as error:
            raise LabError(f"{path} names no machine: {error}") from error
        kept = text[cookie:].split(b"\0", 1)[0] + b"\0" if cookie else b""
        return cls(path, xml, kept, running, _HEADER.size + length)

    def write_as(self, path: Path, xml: str) -> None:
        """Write a copy that belongs to the machine that `xml` describes; LabError if it cannot."""
        body = xml.encode() + b"\0"
        cookie = len(body) if self.cookie else 0
        body += self.cookie
        # The memory must begin where it did: libvirt has aligned it for direct I/O.
        length = max(self.memory_offset - _HEADER.size, len(body))
        length += -(_HEADER.size + length) % 4096 if length == len(body) else 0
        head = _HEADER.pack(_MAGIC, _VERSION, length, self.running, 0, cookie)
        try:
            with self.path.open("rb") as source, path.open("wb") as target:
                target.write(head + body.ljust(length, b"\0"))
                target.flush()
                _copy_rest(source.fileno(), self.memory_offset, target.fileno())
        except OSError as error:
            raise LabError(f"{path} cannot be written: {error.strerror}") from error


def _copy_rest(source: int, offset: int, target: int) -> None:
    """Copy everything from `offset` on, inside the kernel."""
    position = offset
    while True:
        sent = os.sendfile(target, source, position, _CHUNK)
        if sent == 0:
            return
        position += sent
