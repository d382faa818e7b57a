"""VRRPv2 and v3, against messages of keepalived, and told apart from CARP."""

from __future__ import annotations

import pytest

from checks.protocols import carp, vrrp
from checks.protocols.vrrp import Checksum, Defect
from evidence.packets import MalformedFrame
from tests.checks.protocols import encoder

V2 = bytes.fromhex("215e960100014118c0a846de0000000000000000")
V2_PASS = bytes.fromhex("215e96010101ca97c0a846de7365637265743934")
V3 = bytes.fromhex("315e96010064497cc0a846de")


def read(message: bytes) -> vrrp.Advertisement:
    advert = vrrp.read(encoder.vrrp(message=message))
    assert isinstance(advert, vrrp.Advertisement)
    return advert


@pytest.mark.parametrize(
    ("message", "version", "checksum"),
    [(V2, 2, Checksum.MESSAGE), (V2_PASS, 2, Checksum.MESSAGE), (V3, 3, Checksum.PSEUDO_HEADER)],
)
def test_messages_of_keepalived_are_read(message, version, checksum) -> None:
    advert = read(message)
    assert (advert.version, advert.vrid, advert.priority) == (version, 94, 150)
    assert (advert.interval_s, advert.addresses) == (1.0, ("192.168.70.222",))
    assert advert.checksum is checksum
    assert vrrp.findings(advert, vrid=94) == ()


def test_the_password_of_version_2_is_in_clear() -> None:
    assert (read(V2_PASS).auth_type, read(V2_PASS).authentication) == (1, b"secret94")


def test_version_3_without_pseudo_header_is_accepted_too() -> None:
    advert = vrrp.read(encoder.vrrp(version=3))
    assert isinstance(advert, vrrp.Advertisement)
    assert advert.checksum is Checksum.MESSAGE
    assert vrrp.findings(advert) == ()


@pytest.mark.parametrize("message", [V2, V3])
def test_a_wrong_checksum_is_named(message) -> None:
    broken = message[:6] + b"\x12\x34" + message[8:]
    assert [defect for defect, _ in vrrp.findings(read(broken))] == [Defect.CHECKSUM]


@pytest.mark.parametrize("version", [2, 3])
def test_a_wrong_checksum_of_the_ip_header_is_named(version: int) -> None:
    frame = bytearray(encoder.vrrp(version=version))
    frame[24:26] = b"\x12\x34"
    advert = vrrp.read(bytes(frame))
    assert isinstance(advert, vrrp.Advertisement)
    assert vrrp.findings(advert) == ((Defect.CHECKSUM, "the IPv4 header does not sum up"),)


def test_version_2_with_pseudo_header_checksum_is_wrong() -> None:
    # The same octets as version 3's, in version 2's place: RFC 3768 has no pseudo-header.
    body = bytes.fromhex("215e960100010000c0a846de0000000000000000")
    pseudo = bytes.fromhex("c0a84601e000001200700014")
    total = encoder.checksum(pseudo + body)
    advert = read(body[:6] + total.to_bytes(2, "big") + body[8:])
    assert advert.checksum is Checksum.PSEUDO_HEADER
    assert [defect for defect, _ in vrrp.findings(advert)] == [Defect.CHECKSUM]


def test_the_nics_own_mac_is_wrong_only_when_a_virtual_mac_was_configured() -> None:
    assert vrrp.findings(read(V2)) == ()
    found = vrrp.findings(read(V2), virtual_mac=True)
    assert [defect for defect, _ in found] == [Defect.SOURCE_MAC]


def test_priority_0_is_read_as_such() -> None:
    advert = vrrp.read(encoder.vrrp(priority=0))
    assert isinstance(advert, vrrp.Advertisement)
    assert advert.priority == 0


def test_carp_and_both_versions_of_vrrp_are_told_apart() -> None:
    assert isinstance(vrrp.read(encoder.carp()), carp.Advertisement)
    for version in (2, 3):
        advert = vrrp.read(encoder.vrrp(version=version))
        assert isinstance(advert, vrrp.Advertisement)
        assert advert.version == version


def test_a_carp_message_with_authlen_0_stays_carp_so_that_the_defect_is_named() -> None:
    frame = bytearray(encoder.carp())
    frame[37] = 0
    advert = vrrp.read(bytes(frame))
    assert isinstance(advert, carp.Advertisement)
    assert carp.Defect.LAYOUT in {finding.defect for finding in carp.findings(advert)}


def test_vrrp_version_2_with_five_addresses_is_not_taken_for_carp() -> None:
    message = bytes.fromhex("215e960500010000") + bytes(20) + bytes(8)
    assert read(message).addresses == ("0.0.0.0",) * 5  # noqa: S104  an address read, not bound


def test_a_cut_message_is_malformed() -> None:
    with pytest.raises(MalformedFrame, match="no VRRPv2"):
        read(V2[:-1])


@pytest.mark.parametrize("version", [0, 1, 4, 15])
@pytest.mark.parametrize("message", [V2, V3], ids=["as v2", "as v3"])
def test_a_version_that_there_is_not_is_malformed(message: bytes, version: int) -> None:
    with pytest.raises(MalformedFrame, match=f"version {version} .* is no VRRPv2"):
        read(bytes([version << 4 | 1]) + message[1:])


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (encoder.carp()[:-16], "cut short"),
        (encoder.carp()[:30], "header needs 20 bytes"),
        (encoder.carp()[:20] + b"\x20\x00" + encoder.carp()[22:], "fragment"),
    ],
    ids=["cut", "cut in its header", "fragment"],
)
def test_a_packet_of_protocol_112_that_is_not_whole_is_malformed(frame: bytes, why: str) -> None:
    with pytest.raises(MalformedFrame, match=why):
        vrrp.read(frame)


def test_a_frame_without_a_heartbeat_is_none() -> None:
    assert vrrp.read(encoder.gratuitous("02:00:00:00:00:01")) is None
    assert vrrp.read(b"") is None
