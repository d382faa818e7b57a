"""A mark is a block of statistics as pcapng has it, with everything said again in its comment."""

from __future__ import annotations

import json
import struct
from dataclasses import replace

import pytest

from evidence.mark import Mark, mark_block, mark_of
from evidence.pcapng import Block

BEGAN_NS, AT_NS = 1_700_000_000_000_000_000, 1_700_000_002_500_000_001
MARK = Mark("alive", AT_NS, 17, 3, received=400, dropped=2, late_ns=9, sha256="ab" * 32)


def words(at_ns: int) -> bytes:
    """Return a time as blocks of statistics hold it: two 32-bit words, the high one first."""
    return struct.pack("<II", at_ns >> 32, at_ns & 0xFFFFFFFF)


def options(octets: bytes) -> dict[int, bytes]:
    found = {}
    while (header := struct.unpack_from("<HH", octets))[0]:
        code, size = header
        found[code] = octets[4 : 4 + size]
        octets = octets[4 + size + -size % 4 :]
    return found


def test_a_mark_is_a_block_of_statistics_of_the_first_interface():
    octets = mark_block(MARK, BEGAN_NS)
    kind, length, interface = struct.unpack_from("<III", octets)
    assert (kind, length, interface) == (5, len(octets), 0)
    assert octets[12:20] == words(AT_NS)
    assert octets[-4:] == octets[4:8]
    told = options(octets[20:-4])
    assert (told[2], told[3]) == (words(BEGAN_NS), words(AT_NS))
    assert [struct.unpack("<Q", told[code]) for code in (4, 5)] == [(400,), (2,)]
    assert json.loads(told[1]) == {
        "mark": "alive",
        "wall_ns": AT_NS,
        "monotonic_ns": 17,
        "asleep_ns": 3,
        "received": 400,
        "dropped": 2,
        "late_ns": 9,
        "sha256": "ab" * 32,
    }


def test_a_mark_is_read_back():
    octets = mark_block(MARK, BEGAN_NS)
    assert mark_of(Block(5, "<", octets[8:-4])) == MARK


def test_a_mark_that_recording_was_stopped_says_why_and_no_other_does():
    stopped = replace(MARK, mark="stopped", why="a limit")
    octets = mark_block(stopped, BEGAN_NS)
    assert mark_of(Block(5, "<", octets[8:-4])) == stopped


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b'"alive"', b'"alove"'),
        (b'"dropped":2', b'"dropped":-'),
        (b'"dropped":2', b'"drooped":2'),
        (b'"received":400', b'"received":4.0'),
        (b'"received":400', b'"received":-40'),
        (b"ab" * 32, b"gb" * 32),
        (b'{"mark"', b'["mark"'),
        (b'"alive"', b'"stopped"'),
        (b'"dropped":2', b'"why":"x"'),
        (b'"late_ns":9', b'"late_ns":9,"why":"x"'),
    ],
)
def test_a_comment_that_says_something_else_is_no_mark(was, becomes):
    octets = mark_block(MARK, BEGAN_NS).replace(was, becomes)
    assert mark_of(Block(5, "<", octets[8:-4])) is None


def test_statistics_of_another_program_are_no_mark():
    assert mark_of(Block(5, "<", struct.pack("<III", 0, 0, 0))) is None
