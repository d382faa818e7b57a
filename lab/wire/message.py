"""What both ends of the control socket agree on: where it is, how a line is written and read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn, TypeAlias

from lab.errors import WireError

SOCKET_NAME = "wire.sock"
"""The control socket's name in its lab's directory."""

LONGEST_PATH = 107
"""The longest name of a Unix socket, in octets: unix(7)."""

Json: TypeAlias = Any
"""A value of JSON's types; whoever takes one checks it."""


Request: TypeAlias = Mapping[str, Any]
"""An object with a text "do"; its other fields are checked by who carries the request out."""

_HOW = 'write {"do": NAME, ...} in one line'


def request_of(line: bytes) -> Request:
    """Return the request that stands in a line; WireError says why there is none.

    What was let through can be written to any file: no numbers that are none, no half characters.
    """
    try:
        request = json.loads(line, parse_constant=_no_constant)
        json.dumps(request, ensure_ascii=False).encode()
    except RecursionError:
        raise WireError("no request: it is nested too deep", hint=_HOW) from None
    except UnicodeEncodeError:
        raise WireError("no request: half of a character (a lone surrogate)", hint=_HOW) from None
    except ValueError as error:
        raise WireError(f"no request: {error}", hint=_HOW) from None
    if not isinstance(request, dict) or not isinstance(request.get("do"), str):
        raise WireError('a request is a JSON object with a text "do"', hint=_HOW)
    return request


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON's")


def line_of(message: Json) -> bytes:
    """Return `message` as one line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"
