"""The capture reader, on whole, cut and damaged files."""

import contextlib
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.capture import Capture, Frame, verify, without_duplicates
from evidence.errors import BadEvidence
from evidence.moment import NS
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


def raw_block(kind: int, body: bytes, length: int | None = None, last: int | None = None) -> bytes:
    length = len(body) + 12 if length is None else length
    return struct.pack("<II", kind, length) + body + struct.pack("<I", last or length)


def packet(captured: int, options: bytes = b"", interface: int = 0) -> bytes:
    return raw_block(6, struct.pack("<IIIII", interface, 0, 1, captured, captured) + options)


IMPOSSIBLE = {
    "a block of no octets": raw_block(6, b"", length=0),
    "a block of 8 octets": raw_block(6, b"", length=8),
    "a block of 4 GiB": raw_block(6, b"x" * 20, length=0xFFFFFFFC),
    "a block of 17 MiB": raw_block(6, b"x" * 20, length=17 << 20),
    "a length that is no multiple of 4": raw_block(6, b"x" * 20, length=33),
    "both lengths differ": raw_block(6, b"x" * 20, last=36),
    "cut in a header": b"\6\0\0",
    "cut in a block": TWO[:-5],
    "a section of 12 octets": raw_block(0x0A0D0D0A, b""),
    "a section of 4 GiB": raw_block(0x0A0D0D0A, b"x" * 16, length=0xFFFFFFFC),
    "a section that is cut": struct.pack("<II", 0x0A0D0D0A, 28),
    "an interface without a body": raw_block(1, b"") + packet(0, interface=1),
    "an interface of 100 KiB": raw_block(1, bytes(100 * 1024)),
    "a thousand interfaces and more": interface_block("x", "") * 1100,
    "a packet of no octets": raw_block(6, b""),
    "a packet of no interface": packet(0, interface=7),
    "a packet longer than its block": packet(2000),
    "a packet of 4 GiB": packet(0xFFFFFFFF),
    "an option longer than its block": packet(0, struct.pack("<HH", 1, 60000) + b"text"),
    "options without an end": packet(0, struct.pack("<HH", 1, 0) * 1000),
    "statistics of no octets": raw_block(5, b""),
    "statistics whose option is too long": raw_block(
        5, bytes(12) + struct.pack("<HH", 1, 999) + b"{}  "
    ),
    "a comment of deep JSON": raw_block(
        5, bytes(12) + struct.pack("<HH", 1, 60000) + b"[" * 60000 + bytes(4)
    ),
    "a resolution of 2^127": raw_block(1, bytes(8) + struct.pack("<HHI", 9, 1, 0xFF) + bytes(4)),
    "a resolution of a second": raw_block(1, bytes(8) + struct.pack("<HHI", 9, 1, 0) + bytes(4))
    + raw_block(6, struct.pack("<IIIII", 1, 0xFFFFFFFF, 0xFFFFFFFF, 0, 0)),
}


@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_lengths_that_cannot_be_end_the_reading_and_what_was_before_is_read(
    path: Path, what: str
) -> None:
    path.write_bytes(OPENING + ONE + IMPOSSIBLE[what])
    found = []
    with contextlib.suppress(BadEvidence):
        for frame in Capture(path):
            found.append(frame.data)
    assert found[0] == b"one."
    path.write_bytes(recorded([Frame(NS, "a/wire0", b"one.")]) + IMPOSSIBLE[what])
    assert verify(path)


@pytest.mark.parametrize("octets", [b"", b"\n", b"\x0a\x0d\x0d\x0a", b"\xd4\xc3\xb2\xa1", b"text"])
def test_beginnings_of_captures_are_read_or_refused(path: Path, octets: bytes) -> None:
    path.write_bytes(octets)
    found = []
    with contextlib.suppress(BadEvidence):
        found.extend(Capture(path))
    assert found == []


def test_more_frames_in_a_millisecond_than_any_wire_carries_are_no_capture() -> None:
    flood = (Frame(1, f"{n % 50}/wire0", n.to_bytes(4, "big") * 300) for n in range(10**6))
    with pytest.raises(BadEvidence, match="octets of frames in a millisecond"):
        for _ in without_duplicates(flood):
            pass
