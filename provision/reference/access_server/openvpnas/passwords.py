"""Password digests.

Imported by the program that OpenVPN starts at every log-in, so it imports next to nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import os

ROUNDS = 20_000  # the guests are emulated: 600 000 rounds would take them seconds a log-in


def digest(password: str) -> str:
    """Give a salted digest: `pbkdf2_sha256$ROUNDS$SALT$HASH`."""
    salt = os.urandom(16)
    return f"pbkdf2_sha256${ROUNDS}${salt.hex()}${_hash(password, salt, ROUNDS)}"


def matches(password: str, kept: str) -> bool:
    """Whether the password belongs to a digest made by `digest`."""
    try:
        scheme, rounds, salt, wanted = kept.split("$")
        found = _hash(password, bytes.fromhex(salt), int(rounds))
    except ValueError:
        return False
    return scheme == "pbkdf2_sha256" and hmac.compare_digest(found, wanted)


def one_time_digest(user: str, password: str) -> str:
    """Give the digest of a one-time password: unsalted but for its user, to be found by it."""
    return hashlib.sha256(f"{user}\0{password}".encode()).hexdigest()


def _hash(password: str, salt: bytes, rounds: int) -> str:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds).hex()
