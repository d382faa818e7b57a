"""The first packet of an OpenVPN client, made with its key: is there a server that answers.

A server with tls-crypt answers nobody who lacks the key that stands in every profile. This
is the hard reset alone (P_CONTROL_HARD_RESET_CLIENT_V2): no session follows, the server forgets.
Source: OpenVPN 2.6, tls_crypt.c and ssl_pkt.c.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import struct

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

_HARD_RESET_CLIENT_V2 = 7 << 3
_KEY_OCTETS = 256
# A static key file holds two keys of 64 octets for the cipher and 64 for the digest; the client
# sends with the second.
_CIPHER, _DIGEST = slice(128, 160), slice(192, 224)


def static_key(text: str) -> bytes:
    """Return the 256 octets of a static key file; ValueError when there are not so many."""
    lines = re.findall(r"^[0-9a-f]{32}$", text, re.MULTILINE)
    key = bytes.fromhex("".join(lines))
    if len(key) != _KEY_OCTETS:
        raise ValueError(f"the tls-crypt key has {len(key)} octets, not {_KEY_OCTETS}")
    return key


def hard_reset(key: bytes, at_s: int) -> bytes:
    """Return a hard reset of a new session, wrapped with a tls-crypt key.

    `at_s` is the server's time in seconds since 1970: what it compares the packet's own with.
    """
    header = bytes([_HARD_RESET_CLIENT_V2]) + secrets.token_bytes(8)
    header += struct.pack("!II", 1, at_s)
    message = struct.pack("!BI", 0, 0)  # acknowledges nothing, is message 0
    tag = hmac.new(key[_DIGEST], header + message, hashlib.sha256).digest()
    sealed = Cipher(AES(key[_CIPHER]), CTR(tag[:16])).encryptor().update(message)
    return header + tag + sealed
