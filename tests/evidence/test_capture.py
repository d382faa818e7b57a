"""The capture reader, on whole, cut and damaged files."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.capture import Capture, Frame
from evidence.errors import BadEvidence
from tests.checks.factories import pcapng

frames = st.lists(
    st.tuples(st.integers(min_value=0, max_value=2**63 - 1), st.binary(min_size=1, max_size=80)),
    max_size=5,
)


@given(frames=frames, order=st.sampled_from("<>"))
def test_every_frame_is_read_with_its_time_and_port(
    tmp_path_factory: pytest.TempPathFactory, frames: list[tuple[int, bytes]], order: str
) -> None:
    path = tmp_path_factory.mktemp("capture") / "c.pcapng"
    path.write_bytes(pcapng(frames, interface="node-a/lan", comment="lost", order=order))
    capture = Capture(path)
    assert list(capture) == [Frame(at, "node-a/lan", data, "lost") for at, data in frames]
    assert not capture.cut


@given(cut=st.integers(min_value=1, max_value=43))
def test_a_cut_capture_yields_its_whole_frames_and_says_it_is_cut(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("capture") / "c.pcapng"
    path.write_bytes(pcapng([(1, b"one."), (2, b"two, longer.")])[:-cut])
    capture = Capture(path)
    assert [frame.data for frame in capture] == [b"one."]
    assert capture.cut


@given(st.binary(max_size=200))
def test_damaged_blocks_never_crash_the_reader(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes
) -> None:
    path = tmp_path_factory.mktemp("capture") / "c.pcapng"
    path.write_bytes(pcapng([(1, b"one.")]) + noise)
    try:
        found = list(Capture(path))
    except BadEvidence:
        return
    assert found[0].data == b"one."


def test_a_classic_pcap_is_read_too(tmp_path: Path) -> None:
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    (tmp_path / "c.pcap").write_bytes(header + struct.pack("<IIII", 3, 7, 4, 4) + b"data")
    assert list(Capture(tmp_path / "c.pcap")) == [Frame(3_000_007_000, "", b"data")]


def test_an_empty_file_is_a_cut_capture(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(b"")
    capture = Capture(tmp_path / "c")
    assert list(capture) == []
    assert capture.cut


def test_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(b"GIF89a")
    with pytest.raises(BadEvidence, match="neither pcapng nor pcap"):
        list(Capture(tmp_path / "c"))
