"""What OpenVPN's packets say of themselves on the wire, without any key.

The opcode stands in the clear in the first octet, also under tls-crypt: what is in a packet is
not told by it, but whether it carries a user's traffic, or belongs to the control channel. Over TCP
each packet has its length before it; one that is spread over two segments is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator

CONTROL = 4
"""P_CONTROL_V1: a message on the control channel, of a handshake or after one."""
DATA = (6, 9)
"""P_DATA_V1 and V2: what goes through the tunnel, OpenVPN's own pings included."""
CLIENT_RESETS = (1, 7, 10)
"""P_CONTROL_HARD_RESET_CLIENT_V1 to V3: a client begins a session."""
_HIGHEST = 11


def opcodes(payload: bytes, transport: str) -> tuple[int, ...]:
    """Return the opcodes of the packets that one datagram, or one TCP segment, holds whole."""
    if transport == "udp":
        return _opcode(payload)
    return tuple(_of_segment(payload))


def _of_segment(segment: bytes) -> Iterator[int]:
    at = 0
    while len(segment) >= at + 3:
        length = int.from_bytes(segment[at : at + 2], "big")
        packet = segment[at + 2 : at + 2 + length]
        if len(packet) < length or not (found := _opcode(packet)):
            return
        yield from found
        at += 2 + length


def _opcode(packet: bytes) -> tuple[int, ...]:
    found = packet[0] >> 3 if packet else 0
    return (found,) if 0 < found <= _HIGHEST else ()
