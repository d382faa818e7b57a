"""What OpenVPN's packets say of themselves: opcodes of datagrams, and of what a segment holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.protocols.openvpn import CLIENT_RESETS, CONTROL, DATA, opcodes


def packet(code: int, octets: int = 20) -> bytes:
    return bytes([code << 3 | 1]) + bytes(octets)


def in_segment(*packets: bytes) -> bytes:
    return b"".join(len(one).to_bytes(2, "big") + one for one in packets)


@pytest.mark.parametrize("code", [CONTROL, *DATA, *CLIENT_RESETS])
def test_a_datagram_is_one_packet(code: int) -> None:
    assert opcodes(packet(code), "udp") == (code,)


def test_a_segment_holds_several_packets() -> None:
    segment = in_segment(packet(5), packet(CONTROL), packet(9))
    assert opcodes(segment, "tcp") == (5, CONTROL, 9)


def test_a_packet_that_is_cut_by_the_segments_end_is_passed_over() -> None:
    segment = in_segment(packet(5), packet(CONTROL, 2000))[:200]
    assert opcodes(segment, "tcp") == (5,)


@pytest.mark.parametrize("first", [0x00, 12 << 3, 31 << 3])
def test_what_no_opcode_is_says_nothing(first: int) -> None:
    assert opcodes(bytes([first]) + bytes(20), "udp") == ()


def test_nothing_says_nothing() -> None:
    assert opcodes(b"", "udp") == opcodes(b"", "tcp") == opcodes(b"\0\0\0\0", "tcp") == ()


@given(st.binary(max_size=300), st.sampled_from(["udp", "tcp"]))
def test_whatever_comes_is_read_to_its_end(payload: bytes, transport: str) -> None:
    assert all(0 < one <= 11 for one in opcodes(payload, transport))
