"""What tcpdump says is read as it comes, in pieces of any size."""

from __future__ import annotations

import struct

import pytest

from lab.errors import MachineError
from lab.site import tcpdump

HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)


def record(at_us: int, data: bytes) -> bytes:
    return struct.pack("<IIII", at_us // 10**6, at_us % 10**6, len(data), len(data)) + data


def test_frames_are_whole_however_they_come() -> None:
    said = tcpdump.Said("primary")
    raw = HEADER + record(1_000_002, b"one") + record(2_000_000, b"twice")
    found = [frame for at in range(len(raw)) for frame in said.frames(raw[at : at + 1])]
    assert found == [(1_000_002_000, b"one"), (2_000_000_000, b"twice")]


def counters(at_ns: int, captured: int, received: int, dropped: int = 0) -> str:
    return (
        f"at {at_ns}\ntcpdump: {captured} packets captured, {received} packets received by filter, "
        f"{dropped} packets dropped by kernel\n"
    )


def told(*more: str) -> tcpdump.Said:
    """Return what was told of nothing for three times, and then `more`."""
    said = tcpdump.Said("primary")
    for text in (*(counters(at_ns, 0, 0) for at_ns in (1, 2, 3)), *more):
        assert not list(said.lines(text))
    return said


def test_a_time_is_complete_once_all_was_read_that_the_kernel_had_counted() -> None:
    said = told(counters(5000, 0, 1))  # tcpdump is behind
    assert said.counted() == tcpdump.Counted(3, 0)
    assert said.counted() is None
    assert list(said.frames(HEADER + record(1, b"x")))
    assert said.counted() == tcpdump.Counted(5000, 0)


def test_what_the_kernel_dropped_is_not_waited_for() -> None:
    said = told(counters(5000, 1, 3, dropped=2))
    assert list(said.frames(HEADER + record(1, b"x")))
    assert said.counted() == tcpdump.Counted(5000, 2)


def test_what_came_before_the_filter_is_not_waited_for() -> None:
    said = tcpdump.Said("primary")
    for at_ns in (1, 2):
        assert not list(said.lines(counters(at_ns, 0, 8)))
        assert said.counted() is None  # it may be behind
    assert not list(said.lines(counters(3, 1, 8)))
    assert said.counted() is None  # one frame is on its way
    assert list(said.frames(HEADER + record(1, b"x")))
    assert said.counted() == tcpdump.Counted(3, 0)


def test_other_lines_are_complaints() -> None:
    said = tcpdump.Said("primary")
    assert list(said.lines("tcpdump: no such device\n")) == ["tcpdump: no such device"]


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"x" * 24, "writes no pcap"),
        (HEADER[:20] + struct.pack("<I", 113), "link type 113"),
        (HEADER + struct.pack("<IIII", 1, 1, 10**6, 10**6), "frame of 1000000 octets"),
    ],
)
def test_what_is_no_capture_is_refused(raw: bytes, why: str) -> None:
    with pytest.raises(MachineError, match=why):
        list(tcpdump.Said("primary").frames(raw))


def test_a_line_without_end_is_refused() -> None:
    with pytest.raises(MachineError, match="without an end"):
        list(tcpdump.Said("primary").lines("x" * 5000))


def test_our_own_session_is_not_listened_to() -> None:
    session = "tcp and host 192.0.2.1 and port 22"
    assert tcpdump.expression("out", session) == f"outbound and not ({session})"
    assert tcpdump.expression("in", session).endswith(f"({tcpdump.TO_ALL}) and not ({session})")
    assert tcpdump.expression("out", "") == "outbound"
