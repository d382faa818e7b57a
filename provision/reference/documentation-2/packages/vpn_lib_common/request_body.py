"""The body of a request to the API or the portal: how much of it is read.

It does not hang on what stands before and after: mod_wsgi hands on a body whose length nobody has
said, and Flask reads such a one to its end where Werkzeug is older than 2.3 (Debian 12, EL 9).
So the body is read here, no further than to the limit, and Flask is given what was read.
"""

from __future__ import annotations

import io
import re
from typing import IO, Any

LARGEST = 1 << 16
"""Octets: what one call or form says takes a few hundred."""

_NUMBER = re.compile(r"[0-9]+")


class BodyError(Exception):
    """The body is not taken; ``status`` is how HTTP says so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def take(environ: dict[str, Any]) -> None:
    """Read the body of a WSGI request, and put what was read in its place; or BodyError.

    The body of which neither a length nor an end is known is empty.
    """
    length, stream = _length(environ), environ["wsgi.input"]
    if length is not None:
        body = _read(stream, length)
        if len(body) < length:
            raise BodyError(400, "the body ends before its Content-Length")
    else:
        body = _read(stream, LARGEST + 1) if environ.get("wsgi.input_terminated") else b""
        if len(body) > LARGEST:
            raise _too_large()
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ.update({"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))})


def _length(environ: dict[str, Any]) -> int | None:
    """Return the length that was said, if it counts: of a body in chunks it does not."""
    said = environ.get("CONTENT_LENGTH") or ""
    if not said or "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
        return None
    if _NUMBER.fullmatch(said) is None:
        raise BodyError(400, 'invalid "Content-Length"')
    # Digits are counted before they are a number: thousands of them are slow to read.
    if len(said.lstrip("0")) > len(str(LARGEST)) or int(said) > LARGEST:
        raise _too_large()
    return int(said)


def _read(stream: IO[bytes], octets: int) -> bytes:
    """Return so many octets; fewer if there are no more."""
    body = bytearray()
    while len(body) < octets and (some := stream.read(octets - len(body))):
        body += some
    return bytes(body)


def _too_large() -> BodyError:
    return BodyError(413, f"the body of a request has {LARGEST} octets at most")
