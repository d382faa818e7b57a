"""The CA itself: keys and certificates as PEM files in one directory.

RSA 3072, PKCS#8, SHA256-RSA, a common name and no alternative names: what vpn-ca 2.0.0 issues.
Every file is created 0600 and never overwritten. Reading the command line is `command`'s part.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from vpn_ca.moment import add_years
from vpn_lib_common.lasting import names_to_disk, to_disk

_CA_NAME = "VPN CA"
_CA_YEARS = 5
_LEAF_YEARS = 1
_KEY_BITS = 3072
_BACKDATED = timedelta(minutes=5)  # for clocks that run behind


class AuthorityError(Exception):
    """The CA refuses or cannot do it; the text is the command's message."""


@dataclass(frozen=True)
class Issuer:
    """A CA that is ready to sign."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @property
    def not_after(self) -> datetime:
        """The last moment of the CA, in UTC."""
        certificate = self.certificate
        if hasattr(certificate, "not_valid_after_utc"):  # cryptography 42 and later
            return certificate.not_valid_after_utc
        return certificate.not_valid_after.replace(tzinfo=timezone.utc)


def initialise(directory: Path) -> None:
    """Make a new CA in ``directory``: ca.key, ca.crt, five calendar years."""
    now = datetime.now(timezone.utc)
    key = _new_key(directory, "ca")
    builder = (
        _builder(_CA_NAME, _CA_NAME, key, now, add_years(now, _CA_YEARS))
        .add_extension(_key_usage(key_cert_sign=True), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    _write_certificate(directory, "ca", builder.sign(key, hashes.SHA256()))


def issue(
    directory: Path, issuer: Issuer, name: str, *, server: bool, not_after: datetime | None
) -> None:
    """Issue ``name``.key and ``name``.crt; without ``not_after`` for one calendar year.

    Raises AuthorityError when a file exists, or the end is past or after the CA's.
    """
    now = datetime.now(timezone.utc)
    end = not_after or add_years(now, _LEAF_YEARS)
    if end <= now:
        raise AuthorityError("-not-after must be in the future")
    if end > issuer.not_after:
        raise AuthorityError("-not-after can't outlive the CA")
    usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
    ca_identifier = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    key = _new_key(directory, name)
    builder = (
        _builder(name, _CA_NAME, key, now, end)
        .add_extension(_key_usage(key_encipherment=server), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_identifier.value),
            critical=False,
        )
    )
    _write_certificate(directory, name, builder.sign(issuer.key, hashes.SHA256()))


def load(directory: Path) -> Issuer:
    """Return the CA of ``directory``; AuthorityError when there is none."""
    try:
        key = serialization.load_pem_private_key(_read(directory, "ca.key"), password=None)
        certificate = x509.load_pem_x509_certificate(_read(directory, "ca.crt"))
    except ValueError:
        raise AuthorityError("unable to decode PEM") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise AuthorityError("ERROR: unable to parse private key: not an RSA key")
    return Issuer(key, certificate)


def _builder(
    name: str, issuer: str, key: rsa.RSAPrivateKey, now: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_subject(name))
        .issuer_name(_subject(issuer))
        .public_key(key.public_key())
        .serial_number(secrets.randbits(128) or 1)
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(end)
    )


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _key_usage(*, key_encipherment: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=key_encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _new_key(directory: Path, name: str) -> rsa.RSAPrivateKey:
    # The file is taken before the key is made: who loses a race fails in no time.
    path = _path(directory, f"{name}.key")
    descriptor = _create(path)
    try:
        key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            to_disk(file)
        names_to_disk(directory)
    except BaseException:
        path.unlink()  # an empty or cut key would block the name for ever
        raise
    return key


def _write_certificate(directory: Path, name: str, certificate: x509.Certificate) -> None:
    descriptor = _create(_path(directory, f"{name}.crt"))
    with os.fdopen(descriptor, "wb") as file:
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
        to_disk(file)
    names_to_disk(directory)


def _path(directory: Path, name: str) -> Path:
    return directory / name  # Path drops a leading "./", as the genuine messages do


def _create(path: Path) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        # Of a certificate, too: these are the genuine words.
        raise AuthorityError(
            f"ERROR: unable to open file to write key: {_go_text(path, error)}"
        ) from None


def _read(directory: Path, name: str) -> bytes:
    path = _path(directory, name)
    try:
        return path.read_bytes()
    except OSError as error:
        raise AuthorityError(f"ERROR: unable to open PEM: {_go_text(path, error)}") from None


def _go_text(path: Path, error: OSError) -> str:
    return f"open {path}: {(error.strerror or str(error)).lower()}"
