"""The capture file is whole, ordered, and readable by others."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.capture import Capture, Frame
from evidence.clock import HostClock
from evidence.pcapng import interface_block, packet_block, section_block
from lab.errors import LabError, WireError
from lab.wire.recorder import Recorder

comments = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
frames = st.tuples(st.integers(0, 2**63 - 1), st.integers(0, 2), st.binary(max_size=90), comments)


@given(st.lists(frames, max_size=10), st.integers(0, 40))
def test_what_is_written_is_read_back_and_a_torn_end_is_left_out(written, torn):
    octets = section_block("test")
    for number in range(3):
        octets += interface_block(f"m{number}/wire0", "segment lan")
    for at_ns, interface, raw, comment in written:
        octets += packet_block(interface, at_ns, raw, comment)
    torn_block = packet_block(0, 1, b"x" * 40)[:torn]
    with tempfile.NamedTemporaryFile() as file:
        file.write(octets + torn_block)
        file.flush()
        assert list(Capture(Path(file.name))) == [
            Frame(at_ns, f"m{interface}/wire0", raw, comment)
            for at_ns, interface, raw, comment in written
        ]


def test_an_existing_capture_is_never_written_over(tmp_path):
    kept = tmp_path / "old.pcapng"
    kept.write_text("evidence")
    with pytest.raises(WireError, match="cannot record"):
        Recorder(kept)
    assert kept.read_text() == "evidence"


def test_frames_are_in_the_file_after_a_flush(tmp_path):
    with Recorder(tmp_path / "wire.pcapng") as recorder:
        interface = recorder.add_interface("a/wire0", "segment lan")
        recorder.record(interface, 5, b"x" * 60)
        recorder.flush()
        assert [frame.at_ns for frame in Capture(recorder.path)] == [5]


def test_a_flush_is_due_only_while_something_waits(tmp_path):
    with Recorder(tmp_path / "wire.pcapng") as recorder:
        recorder.flush()
        assert recorder.flush_due_ns is None
        recorder.record(recorder.add_interface("a/wire0", ""), 5, b"x" * 60)
        assert recorder.flush_due_ns is not None


def test_a_full_disk_leaves_whole_frames_and_says_so(tmp_path, monkeypatch):
    genuine = os.write

    def full(fd: int, octets: bytes) -> int:
        genuine(fd, bytes(octets[:10]))
        raise OSError(28, "No space left on device")

    with Recorder(tmp_path / "wire.pcapng") as recorder:
        interface = recorder.add_interface("a/wire0", "")
        recorder.record(interface, 1, b"x" * 60)
        recorder.flush()
        with monkeypatch.context() as patched:
            patched.setattr("lab.wire.recorder.os.write", full)
            recorder.record(interface, 2, b"y" * 60)
            recorder.flush()
        recorder.record(interface, 3, b"z" * 60)
    assert "No space left" in recorder.failure
    assert (recorder.frames, recorder.unrecorded) == (1, 2)
    assert [frame.at_ns for frame in Capture(recorder.path)] == [1]


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="tcpdump is not installed")
def test_tcpdump_reads_it_to_the_nanosecond(tmp_path):
    with Recorder(tmp_path / "wire.pcapng") as recorder:
        recorder.add_interface("a/wire0", "segment lan")
        interface = recorder.add_interface("b/wire0", "segment lan")
        recorder.record(
            interface, 1_700_000_000_123_456_789, b"\xff" * 12 + b"\x88\xb5" + b"." * 47, "x"
        )
        recorder.add_interface("b/wire0", "segment lan, generation 2")
        recorder.record(3, 1_700_000_001_000_000_000, b"\xff" * 12 + b"\x88\xb5" + b"." * 46)
    command = ["tcpdump", "-tt", "--nano", "-e", "-r", str(recorder.path)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    times = [line.split()[0] for line in shown if not line.startswith("\t")]
    assert times == ["1700000000.123456789", "1700000001.000000000"]


def flooded(path: Path, octets: int) -> Recorder:
    """Record frames of 1 KiB until they make up so many octets."""
    with Recorder(path) as recorder:
        interface = recorder.add_interface("a/wire0", "")
        for number in range(octets // 1024):
            recorder.record(interface, recorder.began_ns + number, b"x" * 1024)
        recorder.flush()
    return recorder


def test_a_flood_ends_the_recording_at_its_limit_and_the_capture_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("VPNPROOF_CAPTURE_MIB", "1")
    recorder = flooded(tmp_path / "wire.pcapng", 3 * 2**20)
    assert recorder.path.stat().st_size < 1.01 * 2**20
    assert recorder.frames + recorder.unrecorded == 3 * 1024
    assert recorder.unrecorded > 1024
    coverage = Capture(recorder.path).coverage()
    assert coverage.ended
    assert coverage.problems == ()
    assert "the capture would take more than 1 MiB (VPNPROOF_CAPTURE_MIB)" in coverage.stopped
    assert len(list(Capture(recorder.path))) == recorder.frames


def test_nothing_after_the_last_mark_before_a_limit_is_covered(tmp_path, monkeypatch):
    monkeypatch.setenv("VPNPROOF_CAPTURE_MIB", "1")
    recorder = flooded(tmp_path / "wire.pcapng", 3 * 2**20)
    coverage = Capture(recorder.path).coverage()
    holes = coverage.holes(recorder.began_ns, recorder.began_ns + 10**12)
    assert {hole.why for hole in holes} == {coverage.stopped}
    assert coverage.spans == ()
    assert coverage.holes(recorder.began_ns + 10**12, recorder.began_ns + 10**13)


def test_a_limit_that_was_reached_is_told_once(tmp_path, monkeypatch):
    monkeypatch.setenv("VPNPROOF_CAPTURE_MIB", "1")
    recorder = flooded(tmp_path / "wire.pcapng", 3 * 2**20)
    (one,) = recorder.reached
    assert (one.limit, one.source) == ("VPNPROOF_CAPTURE_MIB", "wire")
    assert "the wire stopped recording: the capture would take more than 1 MiB" in one.what


def test_a_disk_that_is_nearly_full_ends_the_recording_with_a_mark(tmp_path, monkeypatch):
    with Recorder(tmp_path / "wire.pcapng") as recorder:
        interface = recorder.add_interface("a/wire0", "")
        recorder.record(interface, recorder.began_ns, b"x" * 60)
        monkeypatch.setattr(recorder, "_free", 2**80)
        recorder.mark()
        recorder.record(interface, recorder.began_ns, b"y" * 60)
    coverage = Capture(recorder.path).coverage()
    assert coverage.stopped.endswith("its disk has less than 512 MiB (VPNPROOF_FREE_MIB) free")
    assert (recorder.frames, recorder.unrecorded) == (1, 1)


def test_a_disk_that_is_nearly_full_from_the_start_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("VPNPROOF_FREE_MIB", "1e12")
    with pytest.raises(WireError, match=r"less than 1e\+12 MiB \(VPNPROOF_FREE_MIB\) free"):
        Recorder(tmp_path / "wire.pcapng")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", ["much", "-1", "nan", "inf"])
def test_a_limit_that_is_no_number_is_refused_by_name(tmp_path, monkeypatch, wrong):
    monkeypatch.setenv("VPNPROOF_CAPTURE_MIB", wrong)
    with pytest.raises(LabError, match=f"VPNPROOF_CAPTURE_MIB is '{wrong}'"):
        Recorder(tmp_path / "wire.pcapng")


def test_an_empty_limit_records_no_frame_and_still_makes_a_capture(tmp_path, monkeypatch):
    monkeypatch.setenv("VPNPROOF_CAPTURE_MIB", "0")
    recorder = flooded(tmp_path / "wire.pcapng", 4096)
    assert list(Capture(recorder.path)) == []
    assert "more than 0 MiB" in Capture(recorder.path).coverage().stopped


def test_who_learns_late_of_frames_marks_the_moment_until_which_it_knows_all(tmp_path):
    recorder = Recorder(tmp_path / "wire.pcapng")
    known_ns = time.monotonic_ns()
    recorder.mark(monotonic_ns=known_ns)
    recorder.dropped = 2
    later_ns = known_ns + 10**6
    recorder.mark(monotonic_ns=later_ns)
    recorder.close(later_ns)
    wall_ns = HostClock.now().epoch_ns
    coverage = Capture(recorder.path).coverage()
    (hole,) = coverage.holes(wall_ns + known_ns + 10**5, wall_ns + later_ns - 10**5)
    assert "dropped 2 frames" in hole.why
