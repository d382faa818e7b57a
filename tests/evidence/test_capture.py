"""The capture reader, on whole, cut and damaged files."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.capture import Capture, Frame, without_duplicates
from evidence.errors import BadEvidence
from evidence.pcapng import interface_block, packet_block, section_block
from tests.captures import capture as recorded

frames = st.lists(
    st.tuples(st.integers(min_value=0, max_value=2**63 - 1), st.binary(min_size=1, max_size=80)),
    max_size=5,
)
OPENING = section_block("test") + interface_block("node-a/lan", "")
ONE, TWO = packet_block(0, 1, b"one."), packet_block(0, 2, b"two, longer.")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("capture") / "c.pcapng"


@given(frames=frames)
def test_every_frame_is_read_with_its_time_and_port(
    path: Path, frames: list[tuple[int, bytes]]
) -> None:
    written = [Frame(at, "node-a/lan", data, "lost") for at, data in frames]
    blocks = [packet_block(0, frame.at_ns, frame.data, frame.comment) for frame in written]
    path.write_bytes(OPENING + b"".join(blocks))
    capture = Capture(path)
    assert list(capture) == written
    assert not capture.cut


def test_marks_are_no_frames(path: Path) -> None:
    one = Frame(1_700_000_000_000_000_000, "a/wire0", b"x" * 60)
    path.write_bytes(recorded([one]))
    assert list(Capture(path)) == [one]


@given(frames=frames)
def test_the_other_byte_order_and_other_units_are_read(
    path: Path, frames: list[tuple[int, bytes]]
) -> None:
    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        length = struct.pack(">I", len(body) + 12)
        return struct.pack(">I", kind) + length + body + length

    content = block(0x0A0D0D0A, struct.pack(">IHHq", 0x1A2B3C4D, 1, 0, -1))
    name = struct.pack(">HH", 2, 4) + b"eth0"
    content += block(1, struct.pack(">HHI", 1, 0, 0) + name + bytes(4))  # microseconds
    for at, data in frames:
        head = struct.pack(">IIIII", 0, at >> 32, at & 0xFFFFFFFF, len(data), len(data))
        content += block(6, head + data)
    path.write_bytes(content)
    assert list(Capture(path)) == [Frame(at * 1000, "eth0", data) for at, data in frames]


@given(cut=st.integers(min_value=1, max_value=43))
def test_a_cut_capture_yields_its_whole_frames_and_says_it_is_cut(path: Path, cut: int) -> None:
    path.write_bytes((OPENING + ONE + TWO)[:-cut])
    capture = Capture(path)
    assert [frame.data for frame in capture] == [b"one."]
    assert capture.cut


@given(st.binary(max_size=200))
def test_damaged_blocks_never_crash_the_reader(path: Path, noise: bytes) -> None:
    path.write_bytes(OPENING + ONE + noise)
    try:
        found = list(Capture(path))
    except BadEvidence:
        return
    assert found[0].data == b"one."


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=20))
def test_damaged_octets_never_crash_the_reading_of_coverage(
    path: Path, damage: list[tuple[float, int]]
) -> None:
    content = bytearray(recorded([Frame(1_700_000_000_000_000_000, "a/wire0", b"x" * 60)]))
    for share, octet in damage:
        content[int(share * (len(content) - 1))] = octet
    path.write_bytes(bytes(content))
    try:
        Capture(path).coverage().holes(0, 1)
    except BadEvidence:
        return


def test_a_block_whose_lengths_differ_ends_the_capture(path: Path) -> None:
    path.write_bytes(OPENING + ONE[:-4] + b"\xff\0\0\0" + TWO)
    capture = Capture(path)
    assert list(capture) == []
    assert capture.cut


def test_a_classic_pcap_is_read_too_but_says_nothing_of_coverage(tmp_path: Path) -> None:
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    (tmp_path / "c.pcap").write_bytes(header + struct.pack("<IIII", 3, 7, 4, 4) + b"data")
    capture = Capture(tmp_path / "c.pcap")
    assert list(capture) == [Frame(3_000_007_000, "", b"data")]
    with pytest.raises(BadEvidence, match="classic pcap has no marks"):
        capture.coverage()


def test_an_empty_file_is_a_cut_capture(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(b"")
    capture = Capture(tmp_path / "c")
    assert list(capture) == []
    assert capture.cut


def test_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(b"GIF89a")
    with pytest.raises(BadEvidence, match="neither pcapng nor pcap"):
        list(Capture(tmp_path / "c"))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadEvidence, match=r"c\.pcapng: no capture can be read"):
        Capture(tmp_path / "c.pcapng").coverage()


MS = 1_000_000


def test_what_comes_twice_at_a_port_within_a_millisecond_is_counted_and_left_out() -> None:
    first = Frame(10 * MS, "a/wire0", b"x")
    unique = without_duplicates([first, Frame(11 * MS, "a/wire0", b"x")])
    assert list(unique) == [first]
    assert unique.duplicates == 1


@pytest.mark.parametrize(
    "other",
    [
        Frame(11 * MS + 1, "a/wire0", b"x"),
        Frame(10 * MS, "b/wire0", b"x"),
        Frame(10 * MS, "a/wire0", b"y"),
    ],
)
def test_later_elsewhere_or_different_is_no_duplicate(other: Frame) -> None:
    unique = without_duplicates([Frame(10 * MS, "a/wire0", b"x"), other])
    assert len(list(unique)) == 2
    assert unique.duplicates == 0


def test_a_frame_repeated_at_every_half_millisecond_is_still_there_now_and_then() -> None:
    unique = without_duplicates(Frame(n * MS // 2, "a/wire0", b"x") for n in range(30))
    assert [frame.at_ns for frame in unique] == [n * 3 * MS // 2 for n in range(10)]


def test_what_came_in_elsewhere_in_between_and_earlier_hides_no_duplicate() -> None:
    between = Frame(2 * MS, "b/wire0", b"y")
    frames = [Frame(10 * MS, "a/wire0", b"x"), between, Frame(10 * MS + 5, "a/wire0", b"x")]
    unique = without_duplicates(frames)
    assert list(unique) == frames[:2]
    assert unique.duplicates == 1
