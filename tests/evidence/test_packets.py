"""The parser finds what rules and checks ask for, and never fails."""

from __future__ import annotations

import contextlib
import random
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.packets import (
    ARP,
    IPV4,
    IPV6,
    Headers,
    MalformedFrame,
    Packet,
    internet_checksum,
    parse,
    parse_arp,
    parse_ethernet,
    parse_headers,
    parse_ipv4,
)

ETHERNET = bytes.fromhex("01005e000012 00005e00005e".replace(" ", ""))
CLIENT, SERVER = socket.inet_aton("192.0.2.1"), socket.inet_aton("192.0.2.9")
CLIENT6 = socket.inet_pton(socket.AF_INET6, "2001:db8::1")
SERVER6 = socket.inet_pton(socket.AF_INET6, "2001:db8::9")


def ipv4(protocol: int, payload: bytes, *, fragment: int = 0, options: bytes = b"") -> bytes:
    words = 5 + len(options) // 4
    header = struct.pack("!BBHHHBBH", 0x40 | words, 0, 0, 0, fragment, 64, protocol, 0)
    return ETHERNET + b"\x08\x00" + header + CLIENT + SERVER + options + payload


def ipv6(protocol: int, payload: bytes) -> bytes:
    header = struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64)
    return ETHERNET + b"\x86\xdd" + header + CLIENT6 + SERVER6 + payload


PORTS = struct.pack("!HHHH", 40000, 1194, 8, 0)


def test_udp_over_ipv4_has_addresses_and_ports():
    headers = parse_headers(ipv4(17, PORTS))
    assert (headers.ethertype, headers.protocol) == (IPV4, 17)
    assert (headers.source_ip, headers.destination_ip) == (CLIENT, SERVER)
    assert (headers.source_port, headers.destination_port) == (40000, 1194)


def test_ports_are_found_behind_ip_options():
    assert parse_headers(ipv4(6, PORTS, options=b"\1" * 8)).destination_port == 1194


def test_an_advertisement_is_protocol_112_without_ports():
    headers = parse_headers(ipv4(112, PORTS))
    assert (headers.protocol, headers.source_port) == (112, None)


def test_a_later_fragment_has_no_ports():
    assert parse_headers(ipv4(17, PORTS, fragment=100)).destination_port is None


def test_a_first_fragment_has_ports():
    assert parse_headers(ipv4(17, PORTS, fragment=0x2000)).destination_port == 1194


def test_a_vlan_tag_is_looked_behind():
    plain = ipv4(17, PORTS)
    assert parse_headers(plain[:12] + b"\x81\x00\x00\x07" + plain[12:]) == parse_headers(plain)


def test_udp_over_ipv6_is_found_behind_extension_headers():
    hop_by_hop = bytes((17, 0)) + b"\0" * 6
    headers = parse_headers(ipv6(0, hop_by_hop + PORTS))
    assert (headers.ethertype, headers.protocol, headers.destination_port) == (IPV6, 17, 1194)
    assert (headers.source_ip, headers.destination_ip) == (CLIENT6, SERVER6)


def test_a_later_ipv6_fragment_has_a_protocol_but_no_ports():
    headers = parse_headers(ipv6(44, bytes((17, 0, 0, 8, 0, 0, 0, 1)) + PORTS))
    assert (headers.protocol, headers.destination_port) == (17, None)


def test_arp_has_the_addresses_of_sender_and_target():
    body = bytes.fromhex("0001080006040001") + b"\2" * 6 + CLIENT + b"\0" * 6 + SERVER
    headers = parse_headers(ETHERNET + b"\x08\x06" + body)
    assert headers.ethertype == ARP
    assert (headers.source_ip, headers.destination_ip) == (CLIENT, SERVER)


@given(st.binary(max_size=120))
def test_no_octets_make_the_parser_fail(raw):
    headers = parse_headers(raw)
    assert headers.destination == raw[:6]


@given(st.integers(0, 80), st.sampled_from([ipv4(17, PORTS), ipv6(44, PORTS * 3), ipv6(0, PORTS)]))
def test_a_truncated_frame_has_fewer_headers(size, raw):
    whole, cut = parse_headers(raw), parse_headers(raw[:size])
    assert cut.ethertype in (whole.ethertype, None)
    assert cut.source_port in (whole.source_port, None)


def vlan(raw: bytes, *tags: tuple[int, int]) -> bytes:
    inside = b"".join(struct.pack("!HH", kind, number) for kind, number in tags)
    return raw[:12] + inside + raw[12:]


UDP_HELLO = struct.pack("!HHHH", 40000, 1194, 13, 0) + b"hello"
FIRST_OF_FRAGMENTS = bytes((17, 0, 0, 1, 0, 0, 0, 1))
ARP_BODY = bytes.fromhex("0001080006040002") + b"\2" * 6 + CLIENT + b"\3" * 6 + SERVER


def whole_ipv4(protocol: int, payload: bytes) -> bytes:
    raw = bytearray(ipv4(protocol, payload))
    raw[16:18] = (20 + len(payload)).to_bytes(2, "big")
    return bytes(raw)


def read(raw: bytes) -> Packet:
    packet = parse(raw)
    assert packet is not None
    return packet


def test_a_check_reads_addresses_ports_and_payload_as_text():
    packet = read(whole_ipv4(17, UDP_HELLO) + b"padding")
    assert (packet.source_mac, packet.target_mac) == ("00:00:5e:00:00:5e", "01:00:5e:00:00:12")
    assert (packet.source, packet.target) == ("192.0.2.1", "192.0.2.9")
    assert (packet.source_port, packet.target_port) == (40000, 1194)
    assert (packet.payload, packet.vlan) == (b"hello", None)


def test_a_frame_with_tags_is_told_apart_from_one_without():
    raw = whole_ipv4(17, UDP_HELLO)
    tagged = vlan(raw, (0x88A8, 0x6007), (0x8100, 9))
    assert read(tagged).vlan == parse_ethernet(tagged).vlan == 7
    assert read(tagged).source_port == 40000
    assert parse_headers(tagged) == parse_headers(raw)


def test_ports_and_payload_are_found_behind_extension_headers_of_ipv6():
    hop_by_hop = bytes((60, 0)) + b"\0" * 6
    destination_options = bytes((17, 1)) + b"\0" * 14
    packet = read(ipv6(0, hop_by_hop + destination_options + UDP_HELLO))
    assert (packet.protocol, packet.source_port, packet.payload) == (17, 40000, b"hello")


def test_a_first_fragment_of_ipv6_has_ports_and_a_later_one_has_none():
    assert read(ipv6(44, FIRST_OF_FRAGMENTS + UDP_HELLO)).target_port == 1194
    later = read(ipv6(44, bytes((17, 0, 0, 8, 0, 0, 0, 1)) + UDP_HELLO))
    assert (later.protocol, later.source_port) == (17, None)


def test_an_arp_packet_is_read_also_with_a_tag():
    for raw in (
        ETHERNET + b"\x08\x06" + ARP_BODY,
        vlan(ETHERNET + b"\x08\x06" + ARP_BODY, (0x8100, 5)),
    ):
        arp = parse_arp(read(raw))
        assert arp is not None
        assert (arp.operation, arp.sender_mac, arp.sender) == (2, "02:02:02:02:02:02", "192.0.2.1")
        assert (arp.target_mac, arp.target, arp.gratuitous) == (
            "03:03:03:03:03:03",
            "192.0.2.9",
            False,
        )


def test_what_is_cut_short_is_malformed_for_who_is_strict_only():
    raw = whole_ipv4(17, UDP_HELLO)[:-2]
    assert read(raw).source == "192.0.2.1"
    with pytest.raises(MalformedFrame, match="cut short"):
        parse_ipv4(raw[14:])
    with pytest.raises(MalformedFrame, match="needs 14 bytes"):
        parse_ethernet(raw[:13])
    with pytest.raises(MalformedFrame, match="tag is cut short"):
        parse_ethernet(vlan(raw, (0x8100, 5))[:16])


def test_the_checksum_of_what_holds_it_is_nothing():
    octets = b"\x45\x00\x00\x73\x00\x00\x40\x00\x40\x11" + b"\xc0\xa8\x00\x01\xc0\xa8\x00\xc7"
    assert internet_checksum(octets) == 0xB861
    assert internet_checksum(octets + b"\xb8\x61") == 0


WHOLE = [
    whole_ipv4(17, UDP_HELLO),
    whole_ipv4(6, bytes(12) + b"\x50" + bytes(20)),
    whole_ipv4(112, bytes(36)),
    ipv4(17, PORTS, options=b"\1" * 8),
    ipv6(0, bytes((60, 0)) + bytes(6) + bytes((17, 1)) + bytes(14) + UDP_HELLO),
    ipv6(44, FIRST_OF_FRAGMENTS + UDP_HELLO),
    ipv6(51, bytes((6, 4)) + bytes(22) + bytes(20)),
    ETHERNET + b"\x08\x06" + ARP_BODY,
    vlan(whole_ipv4(17, UDP_HELLO), (0x88A8, 7), (0x8100, 9)),
]


def test_ten_thousand_damaged_frames_never_make_it_fail():
    drawn = random.Random(94)  # noqa: S311 - damage is drawn alike each time
    for _ in range(10_000):
        raw = bytearray(drawn.choice(WHOLE))
        for _ in range(drawn.randint(0, 6)):
            raw[drawn.randrange(len(raw))] = drawn.randrange(256)
        raw = raw[: drawn.randint(0, len(raw))] if drawn.random() < 0.5 else raw
        raw += drawn.randbytes(drawn.randint(0, 8))
        packet, seen = parse(bytes(raw)), parse_headers(bytes(raw))
        if packet is None:
            continue
        parse_arp(packet)
        assert packet.ethertype == seen.ethertype
        agree(packet, seen)
        with contextlib.suppress(MalformedFrame):
            strict = parse_ipv4(parse_ethernet(bytes(raw)).payload)
            assert packet.ethertype != IPV4 or packet.source == strict.source


def agree(packet: Packet, seen: Headers) -> None:
    """Both ways to look at a frame say the same, where both say something."""
    if packet.source is not None:
        family = socket.AF_INET if packet.ethertype == IPV4 else socket.AF_INET6
        assert seen.source_ip == socket.inet_pton(family, packet.source)
        assert seen.protocol == packet.protocol
    if packet.source_port is not None:
        ports = packet.source_port, packet.target_port
        assert (seen.source_port, seen.destination_port) == ports
