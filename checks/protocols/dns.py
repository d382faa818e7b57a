"""DNS answers as they stood on the wire (RFC 1035, AAAA of RFC 3596): header, question, addresses.

Only what the round-robin check needs: names, A and AAAA records in the order they were sent.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

TYPES = {"A": 1, "AAAA": 28}
_NAMES = {number: name for name, number in TYPES.items()}
_LENGTHS = {"A": 4, "AAAA": 16}
_MOST_JUMPS = 32  # compression pointers; a loop of them would never end


class Malformed(ValueError):
    """Bytes that are no DNS message."""


@dataclass(frozen=True)
class Answer:
    """A response: to which question, and the addresses of that type in the order given."""

    query_id: int
    rcode: int
    name: str
    type: str
    addresses: tuple[str, ...]


def parse_answer(message: bytes) -> Answer | None:
    """Read a response to one A or AAAA question; None when it is a query or about another type.

    Raises Malformed when the bytes end early or loop.
    """
    if len(message) < 12:
        raise Malformed(f"a DNS message of only {len(message)} bytes")
    query_id, flags, questions, answers, _, _ = struct.unpack_from("!6H", message)
    if not flags & 0x8000 or questions != 1:
        return None
    name, at = _name(message, 12)
    (number, _), at = _fields(message, at, "!HH")
    kind = _NAMES.get(number)
    if kind is None:
        return None
    addresses = []
    for _ in range(answers):
        _, at = _name(message, at)
        (record, _, _, length), at = _fields(message, at, "!HHIH")
        content = message[at : at + length]
        if len(content) < length:
            raise Malformed("a DNS record is cut short")
        if record == number and length == _LENGTHS[kind]:
            addresses.append(str(ipaddress.ip_address(content)))
        at += length
    return Answer(query_id, flags & 0x000F, name, kind, tuple(addresses))


def _fields(message: bytes, at: int, form: str) -> tuple[tuple[int, ...], int]:
    try:
        return struct.unpack_from(form, message, at), at + struct.calcsize(form)
    except struct.error as error:
        raise Malformed("a DNS message is cut short") from error


def _name(message: bytes, at: int) -> tuple[str, int]:
    """Return the name at `at` in lower case without its last dot, and where it ends."""
    labels: list[str] = []
    end, jumps = -1, 0
    while True:
        if at >= len(message):
            raise Malformed("a DNS name is cut short")
        length = message[at]
        if length & 0xC0 == 0xC0:
            (pointer,), after = _fields(message, at, "!H")
            end = after if end < 0 else end
            at, jumps = pointer & 0x3FFF, jumps + 1
            if jumps > _MOST_JUMPS:
                raise Malformed("a DNS name points at itself")
        elif length == 0:
            return ".".join(labels), at + 1 if end < 0 else end
        elif length > 63 or at + 1 + length > len(message):
            raise Malformed("a DNS name is cut short")
        else:
            labels.append(message[at + 1 : at + 1 + length].decode("latin-1").lower())
            at += 1 + length
