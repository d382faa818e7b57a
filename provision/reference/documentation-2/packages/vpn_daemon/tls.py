"""TLS as the controller expects it: 1.2 or newer, and a client certificate of the same CA.

The files are read once, at the start. What could only fail later is found then: an expired
certificate would turn every controller away, and nobody would know why.
"""

from __future__ import annotations

import errno
import os
import ssl
from dataclasses import dataclass
from pathlib import Path

_CIPHERS = "ECDHE-RSA-AES256-GCM-SHA384"  # of TLS 1.2; 1.3 has its own
_OUT_OF_DATE = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED


class KeysError(Exception):
    """A file of the daemon's keys is missing, wrong or out of date; the text names it."""


@dataclass(frozen=True)
class Keys:
    """Where the certificates and the key are."""

    directory: Path

    @property
    def authority(self) -> Path:
        """The CA that client certificates are of."""
        return self.directory / "ca.crt"

    @property
    def certificate(self) -> Path:
        """The server's certificate."""
        return self.directory / "server.crt"

    @property
    def key(self) -> Path:
        """The key of it."""
        return self.directory / "private/server.key"


def context(keys: Keys) -> ssl.SSLContext:
    """Return the server's side of TLS; KeysError names the file that is wrong."""
    for file in (keys.certificate, keys.key, keys.authority):
        _readable(file)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_ciphers(_CIPHERS)
    try:
        made.load_cert_chain(keys.certificate, keys.key, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        raise KeysError(f"{keys.certificate}, {keys.key}: {_told(error)}") from None
    try:
        made.load_verify_locations(keys.authority)
    except ssl.SSLError as error:
        raise KeysError(f"{keys.authority}: {_told(error)}") from None
    made.verify_mode = ssl.CERT_REQUIRED
    _check_dates(keys)
    return made


def _readable(file: Path) -> None:
    try:
        with file.open("rb") as opened:
            opened.read(1)
    except OSError as error:
        reason = os.strerror(error.errno or errno.EIO).lower()
        raise KeysError(f"open {file}: {reason}") from None


def _no_password() -> str:
    raise ValueError("the key has a password")


def _check_dates(keys: Keys) -> None:
    """Shake hands with ourselves, as a peer that trusts the same CA; KeysError: out of date.

    Other objections of such a peer are the controller's affair: it may trust another CA.
    """
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(keys.certificate, keys.key)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(keys.authority)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(there, back, server_side=True)
    theirs = client.wrap_bio(back, there)
    for side in (theirs, ours, theirs):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLCertVerificationError as error:
            if error.verify_code in _OUT_OF_DATE:
                raise KeysError(f"{keys.certificate}: {error.verify_message}") from None
            return


def _told(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    return str(reason).replace("_", " ").lower() if reason else str(error)
