"""What tcpdump says is read as it comes, in pieces of any size."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import time
from pathlib import Path

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
    """Return what was told for three times of one frame, behind one that was let go of; `more`."""
    said = tcpdump.Said("primary")
    assert list(said.frames(HEADER + record(1, b"x")))
    for text in (*(counters(at_ns, 1, 2) for at_ns in (1, 2, 3)), *more):
        assert not list(said.lines(text))
    return said


def test_a_time_is_complete_once_all_was_read_that_the_kernel_had_counted() -> None:
    said = told(counters(5000, 1, 3))  # tcpdump is behind
    assert said.counted() == tcpdump.Counted(3, 0)
    assert said.counted() is None
    assert list(said.frames(record(1, b"x")))
    assert said.counted() == tcpdump.Counted(5000, 0)


def test_what_the_kernel_dropped_is_not_waited_for() -> None:
    said = told(counters(5000, 2, 5, dropped=2))
    assert list(said.frames(record(1, b"x")))
    assert said.counted() == tcpdump.Counted(5000, 2)


def test_before_the_first_frame_nothing_is_sure() -> None:
    """Seen: libpcap let go of it, so tcpdump stayed behind by one, and was taken for gone.

    Its second filter, of what came before the kernel had the first, knows no direction.
    """
    said = tcpdump.Said("primary")
    for at_ns, received in enumerate((0, 0, 0, 1, 1, 2, 2, 2), 1):
        assert not list(said.lines(counters(at_ns, 0, received)))
        assert said.counted() is None
    assert list(said.frames(HEADER + record(1, b"x")))
    for at_ns in (9, 10, 11):
        assert not list(said.lines(counters(at_ns, 1, 3)))
    assert said.counted() == tcpdump.Counted(11, 0)


def test_what_came_before_the_filter_is_not_waited_for() -> None:
    said = tcpdump.Said("primary")
    assert list(said.frames(HEADER + record(1, b"x")))
    for at_ns in (1, 2):
        assert not list(said.lines(counters(at_ns, 1, 9)))
        assert said.counted() is None  # it may be behind
    assert not list(said.lines(counters(3, 2, 9)))
    assert said.counted() is None  # one frame is on its way
    assert list(said.frames(record(1, b"x")))
    assert said.counted() == tcpdump.Counted(3, 0)


@pytest.mark.parametrize("bash", ["exec /bin/bash", "exit 127"], ids=["bash 5", "none"])
def test_a_tcpdump_is_asked_for_its_counters_until_nobody_reads(tmp_path: Path, bash: str) -> None:
    listens = (
        "import os, signal\nsignal.signal(signal.SIGUSR1, lambda *_: os.write(2, b'asked\\n'))\n"
        "os.write(1, b'ready')\nwhile 1: signal.pause()\n"
    )
    programs = {
        "tcpdump": f"#!{sys.executable} -S\n{listens}",
        "bash": f'#!/bin/sh\n{bash} "$@"\n',
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    command = ["sh", "-c", tcpdump.command("eth0", "arp")]
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, env=environment, **pipes) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.read(5) == b"ready"
        lines = (line.decode() for line in process.stderr)
        for at in filter(re.compile(r"at \d{19}\n").fullmatch, lines):
            assert abs(int(at.split()[1]) - time.time_ns()) < 600 * 10**9
            if next(lines) == "asked\n":
                break
        process.stderr.close()
        assert process.stdout.read() == b""  # tcpdump has ended, too


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
