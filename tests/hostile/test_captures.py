"""Captures, the wire's and a guest's own, as a hostile guest or a full disk leaves them."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path

import pytest

from evidence import pcapng
from evidence.capture import Capture
from evidence.coverage import coverage_of
from evidence.errors import BadEvidence
from evidence.mark import mark_of
from evidence.pcapng import Blocks, Contradiction, Frame, frames
from tests.captures import capture
from tests.hostile.mutations import DEAR, mutated, survives

NS = 1_000_000_000
NOON = 1_700_000_000 * NS
WIRE = capture(
    [Frame(NOON + n * NS, f"{'ab'[n % 2]}/wire0", bytes([n]) * 60, "x") for n in range(4)]
)
PCAP = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + b"".join(
    struct.pack("<IIII", 1_700_000_000, n, 20, 20) + bytes([n]) * 20 for n in range(4)
)


def test_the_frames_of_a_capture_are_read_or_it_contradicts_itself() -> None:
    survives(
        lambda octets: list(frames(Blocks(io.BytesIO(octets)))),
        mutated([WIRE], "frames"),
        Contradiction,
    )


def test_a_mark_is_read_or_is_none() -> None:
    blocks = [one for one in Blocks(io.BytesIO(WIRE)) if one.kind == pcapng.STATISTICS]
    bodies = mutated([one.body for one in blocks], "mark")
    survives(lambda body: mark_of(pcapng.Block(pcapng.STATISTICS, "<", body)), bodies)


@pytest.mark.parametrize("name", ["wire.pcapng", "guest.pcap"])
def test_a_file_is_a_capture_or_bad_evidence(tmp_path: Path, name: str) -> None:
    path = tmp_path / name

    def read(octets: bytes) -> None:
        path.write_bytes(octets)
        list(Capture(path))

    inputs = mutated([WIRE if name == "wire.pcapng" else PCAP], name, DEAR)
    survives(read, inputs, BadEvidence)


def test_what_a_capture_covers_is_told_or_it_is_bad_evidence(tmp_path: Path) -> None:
    path = tmp_path / "wire.pcapng"
    number = 0

    def read(octets: bytes) -> None:
        nonlocal number
        path.write_bytes(octets)
        number += 1
        os.utime(path, ns=(number, number))  # so that it is not taken for the one before
        covered = coverage_of(path)
        covered.holes(NOON, NOON + 9 * NS)
        covered.last_digest(NOON)

    survives(read, mutated([WIRE], "coverage", DEAR), BadEvidence)
