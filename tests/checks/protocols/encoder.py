"""Frames made for tests: the opposite of the decoders, written apart from them."""

from __future__ import annotations

import hashlib
import hmac
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

VIRTUAL_IP = "192.168.70.222"
GROUP = "224.0.0.18"
PASSWORD = "secret94"
BROADCAST = "ff:ff:ff:ff:ff:ff"
RECORDING = Path(__file__).parents[2] / "data" / "ucarp-vhid94.pcap"


def octets(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def checksum(message: bytes) -> int:
    total = 0
    for first, second in zip(message[::2], message[1::2], strict=True):
        total += first << 8 | second
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def ipv4(payload, source, destination, *, ttl=255, tos=0x10, protocol=112, flags=0x4000):
    header = struct.pack(
        "!BBHHHBBH4s4s",
        0x45,
        tos,
        20 + len(payload),
        7,
        flags,
        ttl,
        protocol,
        0,
        socket.inet_aton(source),
        socket.inet_aton(destination),
    )
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def carp(
    source: str = "192.168.70.1",
    *,
    counter: int = 1000,
    vhid: int = 94,
    password: str = PASSWORD,
    virtual_ip: str = VIRTUAL_IP,
    advbase: int = 1,
    advskew: int = 0,
    ttl: int = 255,
    mac: str | None = None,
) -> bytes:
    digest = hmac.new(
        password.encode(),
        b"\x02\x01" + bytes([vhid]) + socket.inet_aton(virtual_ip) + struct.pack("!Q", counter),
        hashlib.sha1,
    ).digest()
    head = bytes([0x21, vhid, advskew, 7, 0, advbase])
    tail = struct.pack("!Q", counter) + digest
    total = checksum(head + b"\0\0" + tail)
    message = head + struct.pack("!H", total) + tail
    source_mac = octets(mac or f"00:00:5e:00:00:{vhid:02x}")
    return (
        octets("01:00:5e:00:00:12")
        + source_mac
        + b"\x08\x00"
        + ipv4(message, source, GROUP, ttl=ttl)
    )


def vrrp(
    source: str = "192.168.70.1",
    *,
    message: bytes | None = None,
    version: int = 2,
    vrid: int = 94,
    priority: int = 150,
    interval: int | None = None,
    mac: str = "02:00:00:00:00:01",
    virtual_ip: str = VIRTUAL_IP,
) -> bytes:
    if message is None:
        units = interval if interval is not None else (1 if version == 2 else 100)
        middle = bytes([0, units]) if version == 2 else struct.pack("!H", units)
        tail = socket.inet_aton(virtual_ip) + (bytes(8) if version == 2 else b"")
        head = bytes([version << 4 | 1, vrid, priority, 1]) + middle
        message = head + struct.pack("!H", checksum(head + b"\0\0" + tail)) + tail
    return (
        octets("01:00:5e:00:00:12")
        + octets(mac)
        + b"\x08\x00"
        + ipv4(message, source, GROUP, tos=0xC0, flags=0)
    )


def arp(operation, sender_mac, sender_ip, target_ip, *, to=BROADCAST, target_mac=None) -> bytes:
    return (
        octets(to)
        + octets(sender_mac)
        + b"\x08\x06"
        + struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation)
        + octets(sender_mac)
        + socket.inet_aton(sender_ip)
        + octets(target_mac or "00:00:00:00:00:00")
        + socket.inet_aton(target_ip)
    )


def gratuitous(mac: str, address: str = VIRTUAL_IP) -> bytes:
    return arp(1, mac, address, address, target_mac=mac)


def recorded_frames(path: Path = RECORDING) -> Iterator[tuple[int, bytes]]:
    """(time in ns, frame) of a classic little-endian pcap with microsecond stamps."""
    content = path.read_bytes()
    assert content[:4] == b"\xd4\xc3\xb2\xa1"
    offset = 24
    while offset < len(content):
        seconds, micros, size, _ = struct.unpack_from("<IIII", content, offset)
        offset += 16
        yield seconds * 10**9 + micros * 1000, content[offset : offset + size]
        offset += size
