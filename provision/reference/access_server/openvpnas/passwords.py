"""Password digests.

Who asks with a wrong password must not learn from the time it takes whether there is such a user:
`matches` does the same work whatever it is given, also where there is no digest.

Imported by the program that OpenVPN starts at every log-in, so it imports next to nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import os

SCHEME = "pbkdf2_sha256"
ROUNDS = 20_000  # the guests are emulated: 600 000 rounds would take them seconds a log-in

_NOBODY = (b"salt of nobody's", "-" * 64)  # as long as others, and no hexadecimal hash


def digest(password: str) -> str:
    """Give a salted digest: `pbkdf2_sha256$ROUNDS$SALT$HASH`."""
    salt = os.urandom(16)
    return f"{SCHEME}${ROUNDS}${salt.hex()}${_hash(password, salt, ROUNDS)}"


def matches(password: str, kept: str) -> bool:
    """Whether the password belongs to a digest made by `digest`; "" is the digest of nobody."""
    salt, wanted = _parts(kept)
    found = _hash(password, salt, ROUNDS)
    return hmac.compare_digest(found.encode(), wanted.encode())


def one_time_digest(user: str, password: str) -> str:
    """Give the digest of a one-time password: unsalted but for its user, to be found by it."""
    raw = f"{user}\0{password}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(raw).hexdigest()


def _parts(kept: str) -> tuple[bytes, str]:
    """Give salt and hash of a digest; of what `digest` did not make, what no password has."""
    scheme, *rest = kept.split("$")
    if scheme == SCHEME and len(rest) == 3 and rest[0] == str(ROUNDS):  # noqa: PLR2004 - as above
        try:
            return bytes.fromhex(rest[1]), rest[2]
        except ValueError:
            pass
    return _NOBODY


def _hash(password: str, salt: bytes, rounds: int) -> str:
    # what is no text (a lone surrogate) is hashed too: a wrong password like any other
    raw = password.encode("utf-8", "surrogatepass")
    return hashlib.pbkdf2_hmac("sha256", raw, salt, rounds).hex()
