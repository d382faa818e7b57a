"""The CARP decoder, against real advertisements and copies of them broken on purpose."""

from __future__ import annotations

import contextlib
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.protocols import carp, vrrp
from checks.protocols.carp import Defect
from evidence.packets import MalformedFrame
from tests.checks.protocols import encoder

PAIR = carp.Secret("secret94", "192.168.70.222", 94)
HEADER_CHECKSUM = 24


def genuine() -> list[bytes]:
    found = []
    for _, frame in encoder.recorded_frames():
        if isinstance(vrrp.read(frame), carp.Advertisement):
            found.append(frame)
    return found


def named(frame: bytes, pair: carp.Secret = PAIR) -> set[Defect]:
    return {finding.defect for finding in carp.findings(carp.decode(frame), pair)}


def patched(offset: int, octets: bytes, *, fix_checksum: bool = False) -> bytes:
    """Take a genuine advertisement with some bytes replaced; CARP begins at byte 34.

    The IPv4 header sums up again, unless its checksum is what was replaced.
    """
    frame = bytearray(genuine()[5])
    frame[offset : offset + len(octets)] = octets
    if offset != HEADER_CHECKSUM:
        frame[24:26] = b"\0\0"
        frame[24:26] = struct.pack("!H", encoder.checksum(bytes(frame[14:34])))
    if fix_checksum:
        frame[40:42] = b"\0\0"
        frame[40:42] = struct.pack("!H", encoder.checksum(bytes(frame[34:70])))
    return bytes(frame)


def test_every_recorded_advertisement_verifies() -> None:
    frames = genuine()
    assert len(frames) == 122
    assert [carp.findings(carp.decode(frame), PAIR) for frame in frames] == [()] * 122


def test_fields_of_a_recorded_advertisement_are_read() -> None:
    advert = carp.decode(genuine()[0])
    assert (advert.vhid, advert.advbase, advert.advskew, advert.authlen) == (94, 1, 0, 7)
    assert advert.counter == 18028825097177386121
    assert (advert.source, advert.packet.ttl, advert.period_s) == ("192.168.70.1", 255, 1.0)
    assert advert.source_mac == advert.virtual_mac == "00:00:5e:00:00:5e"


@pytest.mark.parametrize(
    ("frame", "defect"),
    [
        (patched(22, b"\x40"), Defect.TTL),
        (patched(40, b"\x12\x34"), Defect.CHECKSUM),
        (patched(HEADER_CHECKSUM, b"\x12\x34"), Defect.CHECKSUM),
        (patched(6, bytes.fromhex("020000000001")), Defect.SOURCE_MAC),
        (patched(6, bytes.fromhex("00005e00005f")), Defect.SOURCE_MAC),
        (patched(6, bytes.fromhex("00005e00015e")), Defect.SOURCE_MAC),
        (patched(50, b"\xff", fix_checksum=True), Defect.DIGEST),
        (patched(34, b"\x41", fix_checksum=True), Defect.VERSION),
        (patched(34, b"\x22", fix_checksum=True), Defect.LAYOUT),
        (patched(37, b"\x00", fix_checksum=True), Defect.LAYOUT),
        (patched(38, b"\x01", fix_checksum=True), Defect.LAYOUT),
        (patched(39, b"\x00", fix_checksum=True), Defect.LAYOUT),
        (patched(15, b"\xc0"), Defect.LAYOUT),
        (patched(30, socket.inet_aton("239.192.0.1")), Defect.DESTINATION),
        (patched(0, bytes.fromhex("020000000002")), Defect.DESTINATION),
    ],
)
def test_a_broken_copy_is_rejected_for_its_one_defect(frame: bytes, defect: Defect) -> None:
    assert named(frame) == {defect}


def test_another_password_is_a_wrong_digest() -> None:
    assert named(genuine()[0], carp.Secret("secret95", PAIR.virtual_ip, 94)) == {Defect.DIGEST}


def test_another_virtual_ip_is_a_wrong_digest() -> None:
    assert named(genuine()[0], carp.Secret("secret94", "192.168.70.221", 94)) == {Defect.DIGEST}


def test_a_foreign_vhid_is_named() -> None:
    assert named(encoder.carp(vhid=77)) == {Defect.VHID}


def test_a_changed_skew_passes_the_digest_because_it_does_not_cover_it() -> None:
    assert named(patched(36, b"\x64", fix_checksum=True)) == set()


@pytest.mark.parametrize(("password", "vhid"), [("x" * 20, 94), ("", 94), ("x", 0), ("x", 256)])
def test_a_secret_that_ucarp_would_refuse_is_refused(password: str, vhid: int) -> None:
    with pytest.raises(ValueError, match=r"VHID|password"):
        carp.Secret(password, PAIR.virtual_ip, vhid)


def test_the_longest_password_is_taken() -> None:
    secret = carp.Secret("x" * 19, PAIR.virtual_ip, 94)
    assert named(encoder.carp(password="x" * 19), secret) == set()


@given(st.binary(max_size=200))
def test_arbitrary_bytes_decode_or_are_called_malformed(frame: bytes) -> None:
    for decoder in (carp.decode, vrrp.read):
        with contextlib.suppress(MalformedFrame):
            decoder(frame)


@given(st.binary(max_size=60))
def test_any_payload_of_protocol_112_decodes_or_is_called_malformed(payload: bytes) -> None:
    frame = b"\1" * 12 + b"\x08\x00" + encoder.ipv4(payload, "192.168.70.1", encoder.GROUP)
    try:
        advert = vrrp.read(frame)
    except MalformedFrame:
        return
    assert advert is not None
    if isinstance(advert, carp.Advertisement):
        carp.findings(advert, PAIR)
    else:
        vrrp.findings(advert)


@given(
    counter=st.integers(0, 2**64 - 1),
    vhid=st.integers(1, 255),
    advskew=st.integers(0, 255),
    advbase=st.integers(1, 255),
    password=st.text("abcXYZ019", min_size=1, max_size=19),
    virtual_ip=st.ip_addresses(v=4).map(str),
)
def test_what_is_encoded_decodes_to_the_same_and_verifies(
    counter: int, vhid: int, advskew: int, advbase: int, password: str, virtual_ip: str
) -> None:
    frame = encoder.carp(
        counter=counter,
        vhid=vhid,
        advskew=advskew,
        advbase=advbase,
        password=password,
        virtual_ip=virtual_ip,
    )
    advert = vrrp.read(frame)
    assert isinstance(advert, carp.Advertisement)
    assert (advert.counter, advert.vhid) == (counter, vhid)
    assert (advert.advskew, advert.advbase) == (advskew, advbase)
    assert carp.findings(advert, carp.Secret(password, virtual_ip, vhid)) == ()
