"""Certificates from vpn-ca, and the tls-crypt keys that go with them.

The issued files stay in the CA's directory, as with the genuine 2.1.x. Whose certificate it is
stands in the database, which is not this module's part.
"""

from __future__ import annotations

import os
import secrets
import subprocess
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from cryptography import x509

from vpn_lib_common.lasting import names_to_disk, to_disk
from vpn_server_api.controller import Controller


class CertificateError(Exception):
    """vpn-ca refused, or a key that must be there is not."""


@dataclass(frozen=True)
class Credential:
    """A certificate with its key, PEM without final newline; its validity in unix seconds."""

    certificate: str
    private_key: str
    valid_from: int
    valid_to: int

    def complete(self) -> dict[str, object]:
        """Return the fields as the API's answers name them."""
        return dict(vars(self))


def initialise_ca(controller: Controller) -> None:
    """Make the CA; one that is there stays."""
    controller.ca_directory.mkdir(mode=0o700, exist_ok=True)
    if not (controller.ca_directory / "ca.crt").exists():
        _vpn_ca(controller, "-init")


def server_credential(controller: Controller, name: str) -> Credential:
    """Issue a server certificate that ends with the CA."""
    _vpn_ca(controller, "-server", name, "-not-after", "CA")
    return _credential(controller, name)


def client_credential(controller: Controller, name: str, not_after: datetime) -> Credential:
    """Issue a client certificate; CertificateError when it would have ended before it begins."""
    if not_after <= datetime.now(timezone.utc):
        raise CertificateError("can not issue certificates that expire in the past")
    _vpn_ca(controller, "-client", name, "-not-after", not_after.isoformat())
    return _credential(controller, name)


def ca_certificate(controller: Controller) -> str:
    """Return the CA's certificate, PEM without final newline."""
    return _read(controller.ca_directory / "ca.crt")


def tls_crypt_key(controller: Controller, profile_id: str, *, create: bool) -> str:
    """Return the key of a profile: ``ta.key`` if there is one, else the profile's own.

    With ``create`` a missing one is made. Raises CertificateError when there is none, or it
    cannot be read (a ``ta.key`` that root has copied belongs to root).
    """
    shared = controller.data_directory / "ta.key"
    if shared.exists():
        return _read(shared)
    path = controller.data_directory / f"tls-crypt-{profile_id}.key"
    if not path.exists():
        if not create:
            raise CertificateError(f'tls-crypt key "{path}" could not be found')
        _create(path, _new_static_key())
    return _read(path)


def _new_static_key() -> str:
    lines = [secrets.token_hex(16) for _ in range(16)]
    return "\n".join(
        [
            "#",
            "# 2048 bit OpenVPN static key",
            "#",
            "-----BEGIN OpenVPN Static key V1-----",
            *lines,
            "-----END OpenVPN Static key V1-----",
        ]
    )


def _create(path: Path, text: str) -> None:
    # Linked into place whole: of two nodes asking at once the second gets the first one's key.
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        to_disk(file)
    try:
        os.link(draft, path)
        names_to_disk(path.parent)
    except FileExistsError:
        pass  # the other one's is as good
    finally:
        draft.unlink()


def _vpn_ca(controller: Controller, *arguments: str) -> None:
    command = [controller.ca_program, "-ca-dir", str(controller.ca_directory), *arguments]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        failed = f'command "{" ".join(command)}" did not complete successfully'
        raise CertificateError(f'{failed}: "{done.stdout.rstrip()}"')


def _credential(controller: Controller, name: str) -> Credential:
    pem = _read(controller.ca_directory / f"{name}.crt")
    certificate = x509.load_pem_x509_certificate(pem.encode())
    if hasattr(certificate, "not_valid_after_utc"):  # cryptography 42 and later
        ends = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    else:
        ends = (
            certificate.not_valid_before.replace(tzinfo=timezone.utc),
            certificate.not_valid_after.replace(tzinfo=timezone.utc),
        )
    valid_from, valid_to = (int(end.timestamp()) for end in ends)
    key = _read(controller.ca_directory / f"{name}.key")
    return Credential(pem, key, valid_from, valid_to)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        raise CertificateError(f'unable to read file "{path}"') from None
