"""Frames and DNS answers, taken apart."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.multi_node.guide import SHARED_NAME
from checks.protocols.dns import Answer, Malformed, parse_answer
from evidence.packets import parse, parse_arp
from tests.checks.factories import dns_answer, tcp, udp

A, B = "145.0.6.72", "145.0.6.73"


@pytest.mark.parametrize(("make", "protocol"), [(udp, 17), (tcp, 6)])
@pytest.mark.parametrize("address", ["145.0.6.20", "2001:610:188:418:145:0:6:20"])
def test_addresses_ports_and_payload_are_read(make, protocol, address) -> None:
    packet = parse(make((address, 5000), (address, 1194), b"hello"))
    assert packet is not None
    assert (packet.source, packet.target, packet.protocol) == (address, address, protocol)
    assert (packet.source_port, packet.target_port, packet.payload) == (5000, 1194, b"hello")


@pytest.mark.parametrize("tags", ["81000007", "88a8000881000007"])
def test_vlan_tags_are_taken_off(tags: str) -> None:
    raw = udp((A, 1), (B, 2), b"x")
    packet = parse(raw[:12] + bytes.fromhex(tags) + raw[12:])
    assert packet is not None
    assert (packet.source, packet.target_port, packet.payload) == (A, 2, b"x")


def test_padding_below_the_ip_packet_is_no_payload() -> None:
    packet = parse(udp((A, 1), (B, 2), b"x") + bytes(20))
    assert packet is not None
    assert packet.payload == b"x"


def test_a_later_fragment_has_no_ports() -> None:
    frame = bytearray(udp((A, 1), (B, 2), b"x"))
    frame[20:22] = b"\x00\x10"
    packet = parse(bytes(frame))
    assert packet is not None
    assert packet.source_port is None


@given(st.binary(max_size=120))
def test_no_bytes_crash_the_parser(frame: bytes) -> None:
    packet = parse(frame)
    assert (packet is None) == (len(frame) < 14)
    if packet is not None:
        parse_arp(packet)


def test_the_addresses_of_an_answer_keep_their_order() -> None:
    answer = parse_answer(dns_answer(7, "A", [B, A]))
    assert answer == Answer(7, 0, SHARED_NAME, "A", (B, A))


@given(st.integers(min_value=0, max_value=200))
def test_an_answer_that_ends_early_is_malformed(length: int) -> None:
    message = dns_answer(7, "AAAA", ["fd00::1", "fd00::2"])
    if length < len(message):
        with pytest.raises(Malformed):
            parse_answer(message[:length])


@given(st.binary(max_size=100))
def test_no_bytes_make_the_dns_reader_loop_or_crash(tail: bytes) -> None:
    with contextlib.suppress(Malformed):
        parse_answer(dns_answer(7, "A", [])[:12] + tail)


def test_a_name_that_points_at_itself_is_malformed() -> None:
    message = dns_answer(7, "A", [])[:12] + b"\xc0\x0c\x00\x01\x00\x01"
    with pytest.raises(Malformed, match="itself"):
        parse_answer(message)
