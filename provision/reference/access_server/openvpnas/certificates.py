"""The authority: issues and revokes certificates, and makes the secrets of a new installation.

The secrets are the tls-crypt key, the key that signs session tokens, and the web session key.
Both nodes of a pair hold the same, so that profiles and tokens of one are good on the other.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import textwrap
import time
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from openvpnas.certificate_store import SERVER_NAME, WEB_NAME, CertificateStore, Issued

LIFETIME = timedelta(days=3650)
SLACK = timedelta(days=2)  # a lab's clocks may stand behind; a certificate must not be "too young"


def make_authority(store: CertificateStore) -> None:
    """Make a new authority, its empty revocation list, its server certificate and secrets."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("OpenVPN CA")
    certificate = (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    store.put_secrets(
        {
            "ca.crt": _pem(certificate),
            "ca.key": _key_pem(key),
            "tls-crypt.key": static_key(),
            "auth-token.key": token_key(),
            "web-session.key": os.urandom(32).hex(),
        }
    )
    issue(store, SERVER_NAME, server=True)
    publish_revocations(store)


def issue(
    store: CertificateStore,
    common_name: str,
    *,
    server: bool = False,
    hosts: tuple[str, ...] = (),
) -> Issued:
    """Issue and keep a certificate for a client, or for a server known as `hosts`."""
    authority = x509.load_pem_x509_certificate(store.secret("ca.crt").encode())
    key = ec.generate_private_key(ec.SECP256R1())
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        _builder(_name(common_name), authority.subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    )
    if hosts:
        names = x509.SubjectAlternativeName([_alternative(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    certificate = builder.sign(_authority_key(store), hashes.SHA256())
    issued = Issued(
        serial=format(certificate.serial_number, "x"),
        common_name=common_name,
        certificate=_pem(certificate),
        private_key=_key_pem(key),
    )
    store.add(issued)
    return issued


def ensure_web_certificate(store: CertificateStore, hosts: tuple[str, ...]) -> bool:
    """Have a web certificate for exactly these hosts; True if a new one was issued."""
    wanted = tuple(dict.fromkeys(host for host in hosts if host))
    kept = store.valid(WEB_NAME)
    if kept is not None and _hosts(kept) == set(wanted):
        return False
    if kept is not None:
        store.revoke(WEB_NAME, time.time())
    issue(store, WEB_NAME, server=True, hosts=wanted)
    return True


def revoke(store: CertificateStore, common_name: str) -> int:
    """Revoke every certificate of this name; gives how many there were."""
    count = store.revoke(common_name, time.time())
    if count:
        publish_revocations(store)
    return count


def publish_revocations(store: CertificateStore) -> None:
    """Sign the list of all revoked certificates and keep it as the secret `crl.pem`."""
    authority = x509.load_pem_x509_certificate(store.secret("ca.crt").encode())
    now = datetime.now(timezone.utc)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.subject)
        .last_update(now - SLACK)
        .next_update(now + LIFETIME)
    )
    for kept in store.all():
        if kept.revoked_at is not None:
            revoked = (
                x509.RevokedCertificateBuilder()
                .serial_number(int(kept.serial, 16))
                .revocation_date(datetime.fromtimestamp(kept.revoked_at, timezone.utc))
            )
            builder = builder.add_revoked_certificate(revoked.build())
    crl = builder.sign(_authority_key(store), hashes.SHA256())
    store.put_secrets({"crl.pem": crl.public_bytes(serialization.Encoding.PEM).decode()})


def static_key() -> str:
    """Make what `openvpn --genkey secret` makes: 2048 bits as hexadecimal lines."""
    lines = "\n".join(textwrap.wrap(os.urandom(256).hex(), 32))
    return (
        "-----BEGIN OpenVPN Static key V1-----\n"
        + lines
        + "\n-----END OpenVPN Static key V1-----\n"
    )


def token_key() -> str:
    """Make what `openvpn --genkey auth-token` makes: a PEM block of 128 random bytes."""
    title = "OpenVPN auth-token server key"
    lines = "\n".join(textwrap.wrap(base64.b64encode(os.urandom(128)).decode(), 64))
    return f"-----BEGIN {title}-----\n{lines}\n-----END {title}-----\n"


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SLACK)
        .not_valid_after(now + LIFETIME)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_agreement=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _hosts(issued: Issued) -> set[str]:
    certificate = x509.load_pem_x509_certificate(issued.certificate.encode())
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {str(name.value) for name in names}


def _authority_key(store: CertificateStore) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(store.secret("ca.key").encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the authority's key is not an elliptic curve key")
    return key


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
