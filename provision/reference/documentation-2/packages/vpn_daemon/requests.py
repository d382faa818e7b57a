"""The requests of the text protocol (1.0.x): one a line, words apart by single blanks.

A line is read whole or not at all: what does not fit the grammar to the last octet is refused, and
the connection stays. What a request does is `session`'s part.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Union

LONGEST_LINE = 65_535
"""Octets of a line without its end; a longer one costs the connection."""
MOST_PORTS = 4096
"""Management ports of one list: 64 profiles of 64 processes have no more."""

_SET_PORTS = re.compile(rb"SET_PORTS( [0-9]+)+")
_DISCONNECT = re.compile(rb"DISCONNECT( [a-zA-Z0-9.-]+)+")


@dataclass(frozen=True)
class SetPorts:
    """Later requests are about these management ports; a port named twice is asked twice."""

    ports: tuple[int, ...]


@dataclass(frozen=True)
class Disconnect:
    """End the connections of these common names."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class ListClients:
    """Ask who is connected."""


@dataclass(frozen=True)
class Quit:
    """Answer, and close."""


@dataclass(frozen=True)
class Refused:
    """Not a request, or not a possible one; `reason` is the protocol's word for it."""

    reason: str


Request = Union[SetPorts, Disconnect, ListClients, Quit, Refused]  # Python 3.9 has no `|` here


def parse(line: bytes) -> Request:
    """Read a line without its end; a carriage return before that belongs to it."""
    line = line[:-1] if line.endswith(b"\r") else line
    if line == b"LIST":
        return ListClients()
    if line == b"QUIT":
        return Quit()
    if _SET_PORTS.fullmatch(line):
        return _ports(line.split(b" ")[1:])
    if _DISCONNECT.fullmatch(line):
        return Disconnect(tuple(name.decode("ascii") for name in line.split(b" ")[1:]))
    return Refused("NOT_SUPPORTED")


def _ports(words: list[bytes]) -> Request:
    # Digits are counted before they are a number: thousands of them are slow to read.
    digits = [word.lstrip(b"0") for word in words]
    if len(digits) > MOST_PORTS or not all(1 <= len(number) <= 5 for number in digits):
        return Refused("INVALID_PORT")
    ports = tuple(map(int, digits))
    return SetPorts(ports) if max(ports) <= 65_535 else Refused("INVALID_PORT")
