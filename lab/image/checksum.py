"""What the publisher of an image says its SHA-256 is, and who signed that.

Who is to sign is said by the catalogue; the keys are kept in this project (`keys/`). Where a
publisher signs nothing, there are https and the pin of what was seen first (`lab.image.pins`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import requests

from lab.errors import ImageError
from lab.image.catalogue import Download
from lab.image.fetch import CONNECT_SECONDS, READ_SECONDS, https_only, length_of
from lab.image.signature import NotSigned, Signed, is_clear_signed, signed

KEYS = Path(__file__).with_name("keys")
_BSD = re.compile(r"^SHA256 \((?P<name>[^)]+)\) = (?P<hex>[0-9a-fA-F]{64})$")
_GNU = re.compile(r"^(?P<hex>[0-9a-fA-F]{64}) [ *](?P<name>\S.*)$")
_LARGEST = 1 << 20  # bytes of a checksum file, or of a signature
_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class Published:
    """A SHA-256, and the fingerprint of the key by which it is signed ("" if by none)."""

    sha256: str
    signed_by: str = ""


def published(entry: Download, name: str, keys: Path | None = None) -> Published:
    """Return the SHA-256 of the file `name` of a catalogue's entry.

    ImageError when its publisher cannot be asked, or what it says is not signed as it should be,
    or is not what the catalogue pins.
    """
    if entry.checksum_url is None:
        return Published(entry.sha256 or "")
    told = _signed(entry, _get(entry.checksum_url, name), keys or KEYS)
    sha256 = checksum_of(name, told.text.decode(errors="replace"), entry.checksum_url)
    if entry.sha256 not in (None, sha256):
        raise ImageError(
            f"{entry.checksum_url} says that the SHA-256 of {name} is {sha256}, and the catalogue "
            f"pins {entry.sha256}",
            hint="one of the two is wrong; do not use that image before you know which",
        )
    return Published(sha256, *told.signers[:1])


def checksum_of(name: str, text: str, where: str) -> str:
    """Return the SHA-256 of `name` in a checksum file (BSD's or GNU's style).

    A file with one entry speaks of the image it lies beside, whatever dated name it uses.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        if match := _BSD.match(line.strip()) or _GNU.match(line.strip()):
            found[match["name"]] = match["hex"].lower()
    if name in found:
        return found[name]
    if len(found) == 1:
        return next(iter(found.values()))
    raise ImageError(f"{where} names no SHA-256 of {name}, only: {', '.join(found) or 'nothing'}")


def _signed(entry: Download, text: bytes, keys: Path) -> Signed:
    where = str(entry.checksum_url)
    keyring = keys / f"{entry.key}.gpg"
    if is_clear_signed(text):
        return signed(text, where, keyring)
    apart = _get_if_there(f"{where}.asc")
    if apart is not None:
        return signed(text, where, keyring, apart)
    if entry.signature == "if published":
        return Signed(text, ())
    raise NotSigned(
        f"{where} is not signed, and {entry.name} is to be signed by a key of {keyring.name}",
        hint="something on the way may have taken the signature off; do not use that image",
    )


def _get(url: str, name: str) -> bytes:
    try:
        return _body(url)
    except requests.RequestException as wrong:
        raise ImageError(
            f"the checksum of {name} could not be read from {url}: {wrong}",
            hint="is there a way to that host? Without one, use --image=debian-12",
        ) from wrong


def _get_if_there(url: str) -> bytes | None:
    """Return what is at `url`; None when its server says that there is nothing."""
    try:
        return _body(url)
    except requests.HTTPError as wrong:
        if wrong.response.status_code in (requests.codes.not_found, requests.codes.forbidden):
            return None
        raise ImageError(f"the signature {url} could not be read: {wrong}") from wrong
    except requests.RequestException as wrong:
        raise ImageError(f"the signature {url} could not be read: {wrong}") from wrong


def _body(url: str) -> bytes:
    with (
        https_only() as session,
        session.get(url, timeout=(CONNECT_SECONDS, READ_SECONDS), stream=True) as response,
    ):
        response.raise_for_status()
        _require_small(length_of(response), url)
        body = b""
        for chunk in response.iter_content(_AT_ONCE):
            body += chunk
            _require_small(len(body), url)
        return body


def _require_small(size: int, url: str) -> None:
    if size > _LARGEST:
        raise ImageError(
            f"{url} has more than {_LARGEST} bytes, and is to be a checksum or a signature",
            hint="that server gives out something else: look at it, and do not use that image",
        )
