"""A detached signature over `SHA256SUMS`, made and checked by `ssh-keygen -Y`.

The key is the signer's own, an SSH key; nothing of it is read here. Whoever checks needs a file of
allowed signers (ssh-keygen(1)): a name and a public key a line.
"""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

from report.sums import SIGNATURE
from report.writing import ReportError

NAMESPACE = "vpnproof"


def sign(sums: Path, key: Path) -> Path:
    """Sign the sums by a private key, or by the public one whose private key an agent holds.

    Raises ReportError when ssh-keygen does not.
    """
    signature = sums.with_name(SIGNATURE)
    signature.unlink(missing_ok=True)  # ssh-keygen asks before it replaces one
    _run(["ssh-keygen", "-Y", "sign", "-n", NAMESPACE, "-f", str(key), str(sums)])
    return signature


def verify_command(sums: Path, signer: str = "SIGNER", allowed: str = "ALLOWED_SIGNERS") -> str:
    """Return the command that checks a signature, for people to type."""
    return f"{shlex.join(_verify(sums, signer, allowed))} < {shlex.quote(str(sums))}"


def check_signature(sums: Path, signer: str, allowed: Path) -> str:
    """Check the signature over the sums; return what ssh-keygen said. Raises ReportError."""
    if not sums.with_name(SIGNATURE).is_file():
        raise ReportError(f"{sums.with_name(SIGNATURE)}: there is no signature")
    return _run(_verify(sums, signer, str(allowed)), sums.read_bytes())


def _verify(sums: Path, signer: str, allowed: str) -> list[str]:
    whose = ["-f", allowed, "-I", signer, "-n", NAMESPACE]
    return ["ssh-keygen", "-Y", "verify", *whose, "-s", str(sums.with_name(SIGNATURE))]


def _run(command: list[str], content: bytes = b"") -> str:
    try:
        done = subprocess.run(command, capture_output=True, check=False, input=content)
    except FileNotFoundError as error:
        raise ReportError(
            "ssh-keygen is not there, which signs and checks", hint="install openssh-client"
        ) from error
    said = (done.stdout + done.stderr).decode(errors="replace").strip()
    if done.returncode != 0:
        raise ReportError(f"{shlex.join(command[:3])}: {said or f'status {done.returncode}'}")
    return said
