"""The parser finds what rules ask for, and never fails."""

from __future__ import annotations

import socket
import struct

from hypothesis import given
from hypothesis import strategies as st

from lab.wire.frame import ARP, IPV4, IPV6, parse

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
    headers = parse(ipv4(17, PORTS))
    assert (headers.ethertype, headers.protocol) == (IPV4, 17)
    assert (headers.source_ip, headers.destination_ip) == (CLIENT, SERVER)
    assert (headers.source_port, headers.destination_port) == (40000, 1194)


def test_ports_are_found_behind_ip_options():
    assert parse(ipv4(6, PORTS, options=b"\1" * 8)).destination_port == 1194


def test_an_advertisement_is_protocol_112_without_ports():
    headers = parse(ipv4(112, PORTS))
    assert (headers.protocol, headers.source_port) == (112, None)


def test_a_later_fragment_has_no_ports():
    assert parse(ipv4(17, PORTS, fragment=100)).destination_port is None


def test_a_first_fragment_has_ports():
    assert parse(ipv4(17, PORTS, fragment=0x2000)).destination_port == 1194


def test_a_vlan_tag_is_looked_behind():
    plain = ipv4(17, PORTS)
    assert parse(plain[:12] + b"\x81\x00\x00\x07" + plain[12:]) == parse(plain)


def test_udp_over_ipv6_is_found_behind_extension_headers():
    hop_by_hop = bytes((17, 0)) + b"\0" * 6
    headers = parse(ipv6(0, hop_by_hop + PORTS))
    assert (headers.ethertype, headers.protocol, headers.destination_port) == (IPV6, 17, 1194)
    assert (headers.source_ip, headers.destination_ip) == (CLIENT6, SERVER6)


def test_a_later_ipv6_fragment_has_a_protocol_but_no_ports():
    headers = parse(ipv6(44, bytes((17, 0, 0, 8, 0, 0, 0, 1)) + PORTS))
    assert (headers.protocol, headers.destination_port) == (17, None)


def test_arp_has_the_addresses_of_sender_and_target():
    body = bytes.fromhex("0001080006040001") + b"\2" * 6 + CLIENT + b"\0" * 6 + SERVER
    headers = parse(ETHERNET + b"\x08\x06" + body)
    assert headers.ethertype == ARP
    assert (headers.source_ip, headers.destination_ip) == (CLIENT, SERVER)


@given(st.binary(max_size=120))
def test_no_octets_make_the_parser_fail(raw):
    headers = parse(raw)
    assert headers.destination == raw[:6]


@given(st.integers(0, 80), st.sampled_from([ipv4(17, PORTS), ipv6(44, PORTS * 3), ipv6(0, PORTS)]))
def test_a_truncated_frame_has_fewer_headers(size, raw):
    whole, cut = parse(raw), parse(raw[:size])
    assert cut.ethertype in (whole.ethertype, None)
    assert cut.source_port in (whole.source_port, None)
