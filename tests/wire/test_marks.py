"""A wire marks in its capture that it still records, whether frames come or not."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from evidence.capture import Capture
from evidence.mark import EVERY_NS, Mark, mark_of
from evidence.pcapng import PACKET, Blocks
from lab.wire.recorder import Recorder
from tests.wire.conftest import Bench

PATIENCE = 20.0


def marks(path: Path) -> list[Mark]:
    with path.open("rb") as file:
        found = [mark_of(block) for block in Blocks(file)]
    return [one for one in found if one is not None]


def kinds(path: Path) -> list[str]:
    return [one.mark for one in marks(path)]


def order(path: Path) -> str:
    """Return the frames and marks of a file as they stand in it: f and m."""
    with path.open("rb") as file:
        return "".join(
            "f" if block.kind == PACKET else "m" for block in Blocks(file) if block.kind in (5, 6)
        )


def test_a_recorder_marks_its_beginning_and_its_end(tmp_path):
    with Recorder(tmp_path / "wire.pcapng") as recorder:
        assert kinds(recorder.path) == ["begin"]
    assert kinds(recorder.path) == ["begin", "end"]
    assert Capture(recorder.path).coverage().ended


def test_a_recorder_that_fails_marks_no_end(tmp_path):
    with pytest.raises(KeyError), Recorder(tmp_path / "wire.pcapng") as recorder:
        raise KeyError
    assert kinds(recorder.path) == ["begin"]


def test_frames_gathered_and_frames_waiting_stand_before_the_mark(tmp_path):
    with Recorder(tmp_path / "wire.pcapng") as recorder:
        port = recorder.add_interface("a/wire0", "")
        recorder.record(port, recorder.began_ns, b"x" * 60)
        recorder.drain = lambda: recorder.record(port, recorder.began_ns, b"y" * 60)
        recorder.mark()
        assert order(recorder.path) == "mffm"
        assert marks(recorder.path)[-1].received == 2
        recorder.drain = lambda: None


def test_the_moment_of_a_mark_is_that_before_what_waits_is_taken_in(tmp_path):
    with Recorder(tmp_path / "wire.pcapng") as recorder:
        taken_ns: list[int] = []
        recorder.drain = lambda: taken_ns.append(time.monotonic_ns())
        recorder.mark()
        assert marks(recorder.path)[-1].monotonic_ns <= taken_ns[0]


def test_a_mark_says_how_late_the_wire_was_since_the_one_before(tmp_path):
    with Recorder(tmp_path / "wire.pcapng") as recorder:
        recorder.late_ns = 10**12
        recorder.mark()
        recorder.mark()
    _, first, second, _ = marks(recorder.path)
    assert first.late_ns == 10**12
    assert second.late_ns < 10**12


def test_a_mark_that_comes_after_it_was_due_says_so(tmp_path):
    with Recorder(tmp_path / "wire.pcapng") as recorder:
        recorder.mark_due_ns -= 5 * EVERY_NS
        recorder.mark()
        assert marks(recorder.path)[-1].late_ns >= 4 * EVERY_NS


def test_no_mark_follows_once_the_disk_was_full(tmp_path, monkeypatch):
    def full(fd: int, octets: bytes) -> int:
        raise OSError(28, "No space left on device")

    with Recorder(tmp_path / "wire.pcapng") as recorder:
        with monkeypatch.context() as patched:
            patched.setattr("lab.wire.recorder.os.write", full)
            recorder.mark()
        recorder.mark()
    assert kinds(recorder.path) == ["begin"]
    coverage = Capture(recorder.path).coverage()
    assert (coverage.ended, coverage.problems) == (False, ())


def test_a_wire_that_hears_nothing_marks_all_the_same(bench):
    before = len(marks(bench.capture))
    waited_until = time.monotonic() + PATIENCE
    while len(marks(bench.capture)) < before + 2:
        assert time.monotonic() < waited_until
        time.sleep(0.05)
    assert set(kinds(bench.capture)) == {"begin", "alive"}


def test_a_flush_covers_what_was_before_it(bench):
    bench.a.send(bench.a.frame())
    asked_ns = time.time_ns()
    bench.wire.flush()
    coverage = Capture(bench.capture).coverage()
    began_ns = coverage.spans[0].from_ns
    assert coverage.holes(began_ns, asked_ns) == []
    assert marks(bench.capture)[-1].received == 1


def test_a_wire_that_is_stopped_marks_its_end(bench):
    bench.wire.stop()
    assert kinds(bench.capture)[-1] == "end"


def test_a_wire_that_is_killed_leaves_no_end(bench):
    bench.wire.flush()
    os.kill(bench.wire.pid, signal.SIGKILL)
    assert kinds(bench.capture)[-1] == "alive"
    assert not Capture(bench.capture).coverage().ended


def test_a_wire_that_stood_still_loses_nothing_and_says_how_late_it_was(bench):
    os.kill(bench.wire.pid, signal.SIGSTOP)
    sent = len(bench.a.fill())
    full_ns = time.time_ns()
    time.sleep(0.05)
    kept_ns = time.time_ns() - full_ns
    os.kill(bench.wire.pid, signal.SIGCONT)
    bench.wire.flush()
    assert marks(bench.capture)[-1].received == sent
    assert max(one.late_ns for one in marks(bench.capture)) >= kept_ns


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="tcpdump is not installed")
def test_other_programs_read_a_capture_with_marks(tmp_path):
    with Recorder(tmp_path / "wire.pcapng") as recorder:
        port = recorder.add_interface("a/wire0", "segment lan")
        for number in range(3):
            recorder.record(port, number, b"\xff" * 12 + b"\x88\xb5" + b"." * 46)
            recorder.mark()
    command = ["tcpdump", "-t", "-e", "-q", "-r", str(recorder.path)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown.count("Ethertype (0x88b5)") == 3


def test_a_wire_that_stopped_recording_goes_on_forwarding(short_directory, monkeypatch):
    monkeypatch.setenv("VPNPROOF_CAPTURE_MIB", "0.01")
    with ExitStack() as held:
        bench = Bench(short_directory, held)
        for _ in range(20):
            bench.a.send(bench.a.frame(b"x" * 1400))
        assert {bench.b.take() for _ in range(20)} == {bench.a.frame(b"x" * 1400)}
        bench.a.send(bench.a.frame(b"after"))
        assert bench.b.take() == bench.a.frame(b"after")
        bench.wire.flush()
        (reached,) = bench.wire.counters()["reached"]
        assert reached["limit"] == "VPNPROOF_CAPTURE_MIB"
    assert kinds(bench.capture)[-1] == "stopped"
