"""What a capture covers is told by its marks; what was damaged or altered is a hole."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from evidence.capture import Capture, verify
from evidence.clock import HostClock
from evidence.coverage import Coverage, Span, coverage_of
from evidence.errors import BadEvidence
from evidence.mark import Mark, mark_of
from evidence.pcapng import Block, Blocks, Frame, interface_block, packet_block, section_block
from lab.wire.recorder import Recorder
from tests.captures import capture, mark, marks_of

NS = 1_000_000_000
NOON = 1_700_000_000 * NS
FRAMES = [Frame(NOON + n * NS // 4, "a/wire0", bytes([n]) * 60) for n in range(1, 40)]


def covered(folder: Path, content: bytes) -> Coverage:
    path = folder / "wire.pcapng"
    path.write_bytes(content)
    return Capture(path).coverage()


def at(seconds: float) -> int:
    return NOON + round(seconds * NS)


def whys(coverage: Coverage, begin: float = 1, end: float = 9) -> list[str]:
    return [hole.why for hole in coverage.holes(at(begin), at(end))]


def test_a_whole_capture_covers_all_between_its_first_and_last_mark(tmp_path):
    coverage = covered(tmp_path, capture(FRAMES, at(0), at(10)))
    assert coverage.spans == (Span(at(0), at(10)),)
    assert (coverage.ended, coverage.problems, coverage.late) == (True, (), ())
    assert coverage.holes(at(0), at(10)) == []
    assert verify(coverage.path) is None


def test_a_window_that_begins_before_or_ends_after_is_not_covered_there(tmp_path):
    coverage = covered(tmp_path, capture(FRAMES, at(0), at(10)))
    first, last = coverage.holes(at(-3), at(12))
    assert (first.from_ns, first.until_ns) == (at(-3), at(0))
    assert (last.from_ns, last.until_ns) == (at(10), at(12))
    assert first.why == "wire.pcapng begins at 22:13:20.000Z"
    assert last.why == "the wire ended at 22:13:30.000Z"


def test_a_wire_that_was_killed_covers_up_to_its_last_mark(tmp_path):
    coverage = covered(tmp_path, capture([], marks=marks_of(at(0), at(5), ended=False)))
    assert not coverage.ended
    assert whys(coverage) == ["the wire marked nothing after 22:13:25.000Z"]
    assert whys(coverage, 1, 5) == []


def test_marks_that_are_missing_are_a_hole(tmp_path):
    marks = [one for one in marks_of(at(0), at(10)) if not at(4) < one.wall_ns < at(6.1)]
    coverage = covered(tmp_path, capture(FRAMES, marks=marks))
    assert whys(coverage) == [
        "the wire marked nothing between 22:13:24.000Z and 22:13:26.500Z (2.5 s)"
    ]
    assert coverage.spans == (Span(at(0), at(4)), Span(at(6.5), at(10)))
    assert whys(coverage, 1, 4) == whys(coverage, 6.5, 9) == []


def test_a_wire_that_was_late_lost_nothing_but_says_so(tmp_path):
    marks = [one for one in marks_of(at(0), at(10)) if not at(4) < one.wall_ns < at(6.1)]
    marks = [replace(one, late_ns=2 * NS) if one.wall_ns == at(6.5) else one for one in marks]
    coverage = covered(tmp_path, capture(FRAMES, marks=marks))
    assert whys(coverage) == []
    assert [late.late_ns for late in coverage.late] == [2 * NS]


def test_a_mark_that_says_why_nothing_is_known_is_a_hole_however_late_it_is(tmp_path):
    marks = [one for one in marks_of(at(0), at(10)) if not at(4) < one.wall_ns < at(6.1)]
    said = {"late_ns": 2 * NS, "why": "nobody told what a and b sent"}
    marks = [replace(one, **said) if one.wall_ns == at(6.5) else one for one in marks]
    assert whys(covered(tmp_path, capture(FRAMES, marks=marks))) == [
        "nobody told what a and b sent, between 22:13:24.000Z and 22:13:26.500Z"
    ]


def test_frames_that_the_kernel_dropped_are_a_hole(tmp_path):
    marks = [
        replace(one, dropped=12 if one.wall_ns > at(5) else 0) for one in marks_of(at(0), at(10))
    ]
    coverage = covered(tmp_path, capture(FRAMES, marks=marks))
    assert whys(coverage) == [
        "the kernel dropped 12 frames between 22:13:25.000Z and 22:13:25.500Z"
    ]
    assert Span(at(5), at(5.5), dropped=12) in coverage.spans


@pytest.mark.parametrize("step", [60, -4])
def test_a_clock_that_was_set_is_a_hole_and_named(step, tmp_path):
    before = marks_of(at(0), at(5), ended=False)
    after = [
        replace(one, monotonic_ns=one.monotonic_ns - step * NS, mark="alive")
        for one in marks_of(at(5.5 + step), at(10 + step), ended=False)
    ]
    coverage = covered(tmp_path, capture([], marks=[*before, *after]))
    (why,) = whys(coverage, 1, 9 + step if step > 0 else 6)
    assert why.startswith(f"the host's clock was set by {step:+.3f} s, between 22:13:25.000Z and ")


def test_a_clock_that_is_set_in_small_steps_is_a_hole_all_along(tmp_path):
    marks = [
        replace(one, monotonic_ns=one.monotonic_ns + number * 45_000_000)
        for number, one in enumerate(marks_of(at(0), at(10)))
    ]
    coverage = covered(tmp_path, capture(FRAMES, marks=marks))
    assert len(whys(coverage, 3, 4)) == 1
    assert "the host's clock was set by -0.090 s, between " in whys(coverage, 3, 4)[0]
    assert coverage.spans == ()


def test_a_clock_that_is_slewed_is_no_hole(tmp_path):
    marks = [
        replace(one, monotonic_ns=one.monotonic_ns + number * 250_000)
        for number, one in enumerate(marks_of(at(0), at(600)))
    ]
    assert whys(covered(tmp_path, capture(FRAMES, marks=marks)), 1, 599) == []


def test_a_host_that_was_suspended_is_a_hole_and_named(tmp_path):
    marks = [
        replace(one, monotonic_ns=one.monotonic_ns - 3 * NS, asleep_ns=3 * NS)
        if one.wall_ns > at(5)
        else one
        for one in marks_of(at(0), at(10))
        if not at(5) < one.wall_ns < at(8.5)
    ]
    (why,) = whys(covered(tmp_path, capture([], marks=marks)))
    assert why.startswith("the host was suspended for 3.0 s")


def test_a_cut_capture_covers_up_to_its_last_whole_mark(tmp_path):
    content = capture(FRAMES, at(0), at(10))
    coverage = covered(tmp_path, content[: content.index(bytes([20]) * 60) + 3])
    last = coverage.spans[-1].until_ns
    assert last == at(4.5)
    assert "is cut in the block at octet" in whys(coverage)[0]
    assert coverage.holes(at(1), last) == []


@pytest.mark.parametrize("share", [0.2, 0.4, 0.5, 0.6, 0.8])
def test_a_garbled_capture_covers_up_to_where_it_is_garbled(share, tmp_path):
    content = bytearray(capture(FRAMES, at(0), at(10)))
    middle = int(len(content) * share)
    content[middle : middle + 40] = bytes(n * 37 & 0xFF for n in range(40))
    coverage = covered(tmp_path, bytes(content))
    assert coverage.spans[-1].until_ns < at(10 * share + 1)
    assert len(whys(coverage)) == 1
    assert verify(coverage.path)


def test_an_altered_octet_is_found_and_placed_between_two_marks(tmp_path):
    content = bytearray(capture(FRAMES, at(0), at(10)))
    where = content.index(bytes([20]) * 60)
    content[where] ^= 1
    coverage = covered(tmp_path, bytes(content))
    assert whys(coverage) == [
        "wire.pcapng was altered after 22:13:24.500Z and before 22:13:25.000Z: its digest differs"
    ]
    assert whys(coverage, 1, 4) == []
    assert "its digest differs" in str(verify(coverage.path))


def test_two_seconds_removed_in_the_middle_are_found(tmp_path):
    whole = capture(FRAMES, at(0), at(10))
    blocks = blocks_of(whole)
    kept = [block for block in blocks if not at(4) < moment(block) <= at(6)]
    coverage = covered(tmp_path, b"".join(octets for octets, _ in kept))
    assert "was altered after 22:13:24.000Z and before 22:13:26.500Z" in whys(coverage)[0]
    assert whys(coverage, 1, 4) == []


def test_a_frame_put_in_with_an_older_time_is_no_evidence_of_that_time(tmp_path):
    blocks = blocks_of(capture(FRAMES, at(0), at(10)))
    middle = next(n for n, block in enumerate(blocks) if moment(block) > at(8))
    blocks.insert(middle, (packet_block(1, at(2), b"forged" * 10), None))
    coverage = covered(tmp_path, b"".join(octets for octets, _ in blocks))
    assert whys(coverage, 1, 3) != []
    assert whys(coverage, 1, 2) == []


def test_what_is_added_after_the_end_is_found(tmp_path):
    content = capture(FRAMES, at(0), at(10)) + packet_block(1, at(5), b"more" * 15)
    coverage = covered(tmp_path, content)
    assert whys(coverage) == ["wire.pcapng was added to after its end at 22:13:30.000Z"]
    assert coverage.holes(at(5), at(9))[0].from_ns == at(5)


def test_marks_taken_out_of_the_middle_are_found(tmp_path):
    blocks = blocks_of(capture(FRAMES, at(0), at(10)))
    kept = [octets for octets, one in blocks if one is None or not at(3) < one.wall_ns < at(4)]
    assert "its digest differs" in whys(covered(tmp_path, b"".join(kept)))[0]


def test_a_capture_without_its_first_mark_is_no_evidence(tmp_path):
    blocks = blocks_of(capture(FRAMES, at(0), at(10)))
    kept = [octets for octets, one in blocks if one is None or one.mark != "begin"]
    assert whys(covered(tmp_path, b"".join(kept))) == [
        "wire.pcapng was altered: its first mark is missing"
    ]


def test_a_capture_of_before_is_refused_by_name(tmp_path):
    content = section_block("old") + interface_block("a/wire0", "")
    with pytest.raises(BadEvidence, match=r"no marks of coverage: recorded before format 2"):
        covered(tmp_path, content + packet_block(0, at(1), b"x" * 60))


def test_a_capture_without_frames_is_covered(tmp_path):
    assert whys(covered(tmp_path, capture([], at(0), at(10)))) == []


def test_a_file_without_octets_covers_nothing(tmp_path):
    assert whys(covered(tmp_path, b"")) == ["wire.pcapng is empty"]


def test_a_file_that_grew_is_read_again(tmp_path):
    content = capture(FRAMES, at(0), at(10))
    half = covered(tmp_path, content[: len(content) // 2])
    assert covered(tmp_path, content) != half


def test_the_digest_of_a_moment_is_that_of_the_last_mark_by_then(tmp_path):
    coverage = covered(tmp_path, capture(FRAMES, at(0), at(10)))
    assert len(coverage.last_digest(at(5))) == 64
    assert coverage.last_digest(at(5)) == coverage.last_digest(at(5.4))
    assert coverage.last_digest(at(5)) != coverage.last_digest(at(5.5))
    assert coverage.last_digest(at(-1)) == ""


def test_what_the_recorder_writes_is_covered(tmp_path):
    with Recorder(tmp_path / "wire.pcapng") as recorder:
        interface = recorder.add_interface("a/wire0", "segment lan")
        recorder.record(interface, recorder.began_ns + 1, b"x" * 60)
        recorder.mark()
    coverage = coverage_of(recorder.path)
    assert (coverage.ended, coverage.problems, coverage.known_holes) == (True, (), ())
    assert len(coverage.digests) == 3


def test_captures_made_up_for_tests_are_what_the_recorder_writes(tmp_path, monkeypatch):
    """Or else all tests of damage here would be about something that no wire writes."""
    now = [at(0)]
    monkeypatch.setattr(HostClock, "now", lambda: HostClock(0, 0))
    with monkeypatch.context() as patched:
        patched.setattr("lab.wire.recorder.time.monotonic_ns", lambda: now[0])
        with Recorder(tmp_path / "wire.pcapng") as recorder:
            interface = recorder.add_interface("a/wire0", "segment lan")
            left = list(FRAMES)
            for one in marks_of(at(0), at(10))[1:]:
                while left and left[0].at_ns <= one.wall_ns:
                    recorder.record(interface, left[0].at_ns, left.pop(0).data)
                recorder.flush()
                now[0] = one.wall_ns
                if one.mark != "end":
                    recorder.mark()
    assert recorder.path.read_bytes() == capture(FRAMES, at(0), at(10))


def test_an_octet_altered_in_what_the_recorder_wrote_is_found(tmp_path):
    with Recorder(tmp_path / "wire.pcapng") as recorder:
        recorder.record(recorder.add_interface("a/wire0", ""), recorder.began_ns, b"x" * 60)
    assert verify(recorder.path) is None
    whole = recorder.path.read_bytes()
    recorder.path.write_bytes(whole.replace(b"xxx", b"xyx", 1))
    os.utime(recorder.path, ns=(1, 1))
    assert "its digest differs" in str(verify(recorder.path))


def test_a_mark_that_cannot_be_read_is_none(tmp_path):
    whole = capture([], marks=[mark("begin", at(0))])
    path = tmp_path / "wire.pcapng"
    for words in (b'{"mark":"begun"', b'{"mark":["gin"]', b'{"mark":"begin";'):
        path.write_bytes(whole.replace(b'{"mark":"begin"', words)[: len(whole)])
        with path.open("rb") as file:
            assert all(mark_of(block) is None for block in Blocks(file))


def blocks_of(content: bytes) -> list[tuple[bytes, Mark | None]]:
    """Take a capture apart: each block's octets, and the mark it is."""
    found, at_octet = [], 0
    while at_octet < len(content):
        size = int.from_bytes(content[at_octet + 4 : at_octet + 8], "little")
        octets = content[at_octet : at_octet + size]
        found.append((octets, mark_in(octets)))
        at_octet += size
    return found


def mark_in(octets: bytes) -> Mark | None:
    return mark_of(Block(int.from_bytes(octets[:4], "little"), "<", octets[8:-4]))


def moment(block: tuple[bytes, Mark | None]) -> int:
    octets, one = block
    if one is not None:
        return one.wall_ns
    if octets[0] != 6:
        return 0
    high, low = (int.from_bytes(octets[n : n + 4], "little") for n in (12, 16))
    return high << 32 | low
