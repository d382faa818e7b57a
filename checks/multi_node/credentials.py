"""MN-09: the authority of controller and nodes is vpn-ca's, and so are the certificates in use.

Each usage is right, each certificate ends when its authority does, and nobody else reads a key. A
group may read a key that it uses; nobody but its owner uses the authority's.
What lies where it was made counts as what is in use does: a copy elsewhere keeps no secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.multi_node.deployment import deployment
from evidence.events.installed import Credential, CredentialsShown
from evidence.scenario import Evidence

Shown = tuple[str, Credential, str]
"""A machine, a file of it, and the place in the evidence."""
X = TypeVar("X", bound=x509.ExtensionType)

OF_CONTROLLER = ("authority", "client", "server")
"""Whose certificate and key lie on the controller, where they were made."""
OF_NODE = (("authority", "certificate"), ("server", "certificate"), ("server", "key"))

NAME = "VPN CA"
"""What vpn-ca 2.0 calls every authority that it makes."""
_SIGNS, _ENCIPHERS = "digital_signature", "key_encipherment"
_CLIENT, _SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
_CALLED = {_CLIENT: "clientAuth", _SERVER: "serverAuth"}
# vpn-ca 2.0.1: what a key is for, and whom its certificate speaks for
_USAGES: Mapping[str, tuple[set[str], set[x509.ObjectIdentifier]]] = {
    "authority": ({_SIGNS, "key_cert_sign"}, {_CLIENT, _SERVER}),
    "client": ({_SIGNS}, {_CLIENT}),
    "server": ({_SIGNS, _ENCIPHERS}, {_SERVER}),
}
_KEY_USAGES = (_SIGNS, _ENCIPHERS, "content_commitment", "data_encipherment", "key_agreement",
               "key_cert_sign", "crl_sign")  # fmt: skip
_OTHERS, _ALL_BUT_OWNER = 0o007, 0o077


@check("MN-09")
def made_by_vpn_ca(evidence: Evidence, owed: Obligations) -> None:
    """Judge each certificate and key of the authority, on the controller and on each node."""
    site = deployment(evidence, owed)
    shown = [
        (event.source, file, event.place)
        for event in evidence.events(CredentialsShown)
        for file in event.files
    ]
    authority = _authority(site.controller.name, shown)
    wanted = [(site.controller.name, of, what) for of in OF_CONTROLLER for what in _WHAT]
    wanted += [(node, of, what) for node in site.nodes for of, what in OF_NODE]
    for machine, of, what in wanted:
        one = owed.owe(f"the {what} of the {of} on {machine} is as it should be")
        files = [
            seen for seen in shown if (seen[0], seen[1].of, seen[1].what) == (machine, of, what)
        ]
        for seen in files:
            _judge(seen, authority, one)
    for machine, file, place in shown:
        if file.what == "key" and (machine, file.of, file.what) not in wanted:
            closed = not _is_open(file)
            owed.require(
                closed,
                f"{machine}: nobody else reads {file.path}",
                f"{machine}: {file.path} {_open_to(file)}",
                place,
            )


_WHAT = ("certificate", "key")


def _authority(controller: str, shown: Iterable[Shown]) -> x509.Certificate | None:
    """Return the authority's certificate on the controller; None when there is none to read."""
    for machine, file, _ in shown:
        if (machine, file.of, file.what) == (controller, "authority", "certificate"):
            return _read(file)
    return None


def _read(file: Credential) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(file.text.encode())
    except ValueError:
        return None


def _judge(seen: Shown, authority: x509.Certificate | None, one: Obligation) -> None:
    machine, file, place = seen
    named = f"{machine}: {file.path}"
    if file.what == "key":
        wrong = list(_wrong_with_key(file))
    else:
        certificate = _read(file)
        if certificate is None or authority is None:
            one.doubt(f"{named} cannot be read as a certificate of a known authority", place)
            return
        try:
            wrong = list(_wrong_with(certificate, file.of, authority))
        except ValueError as error:
            one.doubt(f"{named} cannot be read: {error}", place)
            return
    for why in wrong:
        one.broken(f"{named} {why}", place)
    if not wrong:
        one.met(place)


def _wrong_with_key(file: Credential) -> Iterator[str]:
    if not (file.text.startswith("-----BEGIN ") and file.text.endswith("PRIVATE KEY-----")):
        yield f"is no private key: it begins with {file.text[:40]!r}"
    if _is_open(file):
        yield _open_to(file)


def _is_open(file: Credential) -> bool:
    closed_to = _ALL_BUT_OWNER if file.of == "authority" else _OTHERS
    return bool(int(file.mode, 8) & closed_to)


def _open_to(file: Credential) -> str:
    return f"may be read by others: {file.mode} {file.owner}:{file.group}"


def _wrong_with(
    certificate: x509.Certificate, of: str, authority: x509.Certificate
) -> Iterator[str]:
    """Say what is wrong with a certificate; ValueError when it has an extension twice."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, TypeError, ValueError):
        yield "is not issued by the controller's authority"
    if certificate.not_valid_after_utc != authority.not_valid_after_utc:
        ends = (one.not_valid_after_utc.isoformat() for one in (certificate, authority))
        yield "ends at {}, its authority at {}".format(*ends)
    is_authority = of == "authority"
    basic = _extension(certificate, x509.BasicConstraints)
    if basic is None or basic.ca is not is_authority or (basic.ca and basic.path_length != 0):
        yield f"does not have the basic constraints of vpn-ca's {of} certificates"
    if is_authority and (names := _names(certificate)) != [NAME]:
        yield f"is called {', '.join(names) or 'nothing'}, not {NAME}: vpn-ca did not make it"
    wanted, speaks_for = _USAGES[of]
    usage, extended = (
        _extension(certificate, x509.KeyUsage),
        _extension(certificate, x509.ExtendedKeyUsage),
    )
    found = {name for name in _KEY_USAGES if usage is not None and getattr(usage, name)}
    if found != wanted:
        yield f"is for {_said(found)}, not for {_said(wanted)}"
    if (got := set(extended or ())) != speaks_for:
        yield f"speaks for {_called(got)}, not for {_called(speaks_for)}"


def _extension(certificate: x509.Certificate, kind: type[X]) -> X | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _names(certificate: x509.Certificate) -> list[str]:
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return [str(one.value) for one in found]


def _called(usages: Iterable[x509.ObjectIdentifier]) -> str:
    return _said(_CALLED.get(one, one.dotted_string) for one in usages)


def _said(words: Iterable[str]) -> str:
    return ", ".join(sorted(words)) or "nothing"
