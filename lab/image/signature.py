"""Who signed a text: asked of gpgv, with one keyring and no other.

What comes back is the signed part alone, so that nothing before or after it is believed. A
signature by a key that is not in the keyring counts for nothing; one that is wrong, against it.
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lab.errors import ImageError

_CLEAR_SIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----"
_STATUS = "[GNUPG:] "


class NotSigned(ImageError):
    """A text is not signed by whom it should be."""


@dataclass(frozen=True)
class Signed:
    """A text, and the fingerprints of the keys by which it is signed."""

    text: bytes
    signers: tuple[str, ...]


def is_clear_signed(text: bytes) -> bool:
    """Whether a text carries its signature within itself."""
    return text.lstrip().startswith(_CLEAR_SIGNED)


def signed(text: bytes, where: str, keyring: Path, signature: bytes | None = None) -> Signed:
    """Return what a key of `keyring` signed of `text`, within itself or by `signature`.

    NotSigned says what is wrong with the text that came from `where`.
    """
    if not keyring.is_file():
        raise ImageError(
            f"the keys by which {where} is to be signed are missing: {keyring}",
            hint="lab/setup installs Debian's; the others are part of this project",
        )
    if signature is None and not is_clear_signed(text):
        raise NotSigned(f"{where} is not signed")
    with tempfile.TemporaryDirectory(prefix="vpnproof-gpgv-") as folder:
        message, apart, plain = (Path(folder, name) for name in ("message", "apart", "plain"))
        message.write_bytes(text)
        if signature is None:
            status = _gpgv(folder, keyring, ["--output", str(plain), str(message)])
        else:
            apart.write_bytes(signature)
            status = _gpgv(folder, keyring, [str(apart), str(message)])
        signers = _signers(status, where, keyring)
        return Signed(text if signature is not None else plain.read_bytes(), signers)


def _gpgv(home: str, keyring: Path, arguments: list[str]) -> list[list[str]]:
    """Return what gpgv says for programs, a list of words a line."""
    command = ["gpgv", "--homedir", home, "--status-fd", "1", "--keyring", str(keyring.resolve())]
    try:
        done = subprocess.run(
            [*command, *arguments], capture_output=True, check=False, stdin=subprocess.DEVNULL
        )
    except OSError as wrong:
        raise ImageError(
            f"signatures cannot be checked: gpgv: {wrong.strerror}", hint="run lab/setup"
        ) from wrong
    lines = done.stdout.decode(errors="replace").splitlines()
    return [line.removeprefix(_STATUS).split() for line in lines if line.startswith(_STATUS)]


def _signers(status: list[list[str]], where: str, keyring: Path) -> tuple[str, ...]:
    """Return the fingerprints of good signatures, and of no key that is expired or revoked."""
    signers, good = [], False
    for word, *more in status:
        if word == "BADSIG":
            raise NotSigned(f"{where} was altered: the signature of {' '.join(more)} is wrong")
        if word in ("NEWSIG", "GOODSIG"):
            good = word == "GOODSIG"
        if word == "VALIDSIG" and good:
            signers.append(more[-1] if len(more) > 9 else more[0])  # the primary key's, if told
    if not signers:
        raise NotSigned(f"{where} is signed by no key of {keyring}")
    return tuple(signers)
